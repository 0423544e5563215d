import type { LRUCache } from 'lru-cache';
import { createBounded } from '../core/bounded.ts';
import type { Backend } from '../cache/backend.ts';
import { createFlights, type Flights } from '../cache/flights.ts';
import type { Leases } from '../cache/leases.ts';
import type { MemoryTier } from '../cache/memory-tier.ts';
import type { Counted } from '../cache/statistics.ts';
import type { CacheStore, Found } from '../cache/store.ts';
import type { EventBus } from '../core/events.ts';
import type { Codec } from '../codec/codec.ts';
import type { Computed, Party } from './computed.ts';
import { type Counters, countersOf } from './counters.ts';
import { createTurnstile, type Turnstile } from './turnstile.ts';
import type { Values } from './values.ts';

/** What all data caches on one backend share, so that they do not load the same key beside each other. */
interface SharedState {
  readonly store: CacheStore;
  readonly tier: MemoryTier | undefined;
  readonly leases: Leases | undefined;
  readonly events: EventBus;
  readonly counters: Counters;
  readonly flights: Flights<Computed | 'again' | undefined>;
  /** Who shares a flight, by its outcome. */
  readonly parties: WeakMap<Promise<unknown>, Party>;
  /** For loads while the store is away. */
  readonly turnstile: Turnstile<Computed>;
  /** Addresses whose loaders are on the stack now: who asks for one of them would wait for himself. */
  readonly onStack: Set<string>;
  /** Addresses whose load has just failed: what can stand in does so for a moment, without another attempt. */
  readonly paused: LRUCache<string, { readonly error: unknown }>;
  /** Notes that loading has failed where something stands in. It is told once, however many callers have shared the load. */
  pause(request: { readonly address: string; readonly key: string }, error: unknown): void;
  tellServed(found: Found, key: string): void;
  tellMissed(key: string, isAvailable: boolean): void;
  tellStored(key: string): void;
  tellUnstorable(key: string, refusal: { readonly cause: unknown }): void;
}

/** What one data cache works with. */
export interface DataState extends SharedState {
  readonly codec: Codec;
  readonly values: Values;
}

const PAUSE_MS = 1_000;
const MAX_PAUSED = 10_000;

const shared = new WeakMap<Backend, SharedState>();

/** The state of a data cache on a backend. */
export function stateOn(backend: Backend, codec: Codec, values: Values): DataState {
  const state = shared.get(backend) ?? createState(backend);
  shared.set(backend, state);
  return { ...state, codec, values };
}

function createState({ store, tier, leases, events, place, dataStatistics }: Backend): SharedState {
  const paused = createBounded<string, { readonly error: unknown }>(MAX_PAUSED, { ttl: PAUSE_MS });
  const tell = (
    counted: Counted,
    event: 'cache:hit' | 'cache:miss' | 'cache:stale' | 'cache:bypass' | 'cache:store',
    key: string,
  ): void => {
    dataStatistics.count('data', counted);
    if (events.listenerCount(event) > 0) events.tell(event, { route: 'data', key });
  };
  return {
    store,
    tier,
    leases,
    events,
    counters: countersOf(place),
    flights: createFlights(store.register),
    parties: new WeakMap(),
    turnstile: createTurnstile(),
    onStack: new Set(),
    paused,
    pause({ address, key }, error) {
      if (paused.get(address)?.error === error) return;
      paused.set(address, { error });
      events.tell('cache:error', {
        operation: `load "${key}"`,
        error: error instanceof Error ? error : new Error(String(error)),
      });
    },
    tellServed(found, key) {
      if (found.state === 'fresh') tell('hits', 'cache:hit', key);
      else tell('stale', 'cache:stale', key);
    },
    tellMissed(key, isAvailable) {
      if (!isAvailable) dataStatistics.count('data', 'errors');
      tell(isAvailable ? 'misses' : 'bypasses', isAvailable ? 'cache:miss' : 'cache:bypass', key);
    },
    tellStored: (key) => tell('stores', 'cache:store', key),
    tellUnstorable(key, { cause }) {
      const error = new TypeError(
        `"${key}": what was loaded cannot be stored (a function, a promise, a cycle): it is loaded anew every time.`,
        { cause },
      );
      events.tell('cache:error', { operation: `store "${key}"`, error });
    },
  };
}
