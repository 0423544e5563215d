import { LRUCache } from 'lru-cache';
import type { Backend } from '../cache/backend.ts';
import { createFlights, type Flights } from '../cache/flights.ts';
import { readEnvironment } from '../core/environment.ts';
import { upTo } from '../core/up-to.ts';
import type { CacheConfig } from './options.ts';
import type { Recorded } from './recorded.ts';
import { createVariantReader, type VariantReader } from './vary.ts';

/** So long after a response that could not be stored, requests of its key do not queue up behind each other. */
const HIT_FOR_MISS_MS = 5_000;
const MAX_HIT_FOR_MISS = 10_000;
/** So long after a refresh that failed, stale responses are served without another. */
const REFRESH_PAUSE_MS = 1_000;

/** So long after a refresh that did not reach its cache, those of that route are made in the foreground: it may have been turned away for once, by a limit for example. */
const UNREACHABLE_MS = 60_000;
const MAX_UNREACHABLE = 1_000;

/** A response under way in this process, and where it is stored. */
export interface SharedResponse extends Recorded {
  readonly address: string;
}

/**
 * What becomes of a handler run that others wait for: its response; `again`, another process has stored one; `failed`, a stale response may be served; `refused`, it
 * cannot be shared.
 */
export type Outcome = SharedResponse | 'again' | 'failed' | 'refused';

/** A response that was just sent on its way to the store. */
interface Landed {
  readonly response: SharedResponse;
  readonly landedAt: number;
}

/** Lookups take less, and these together at most so many bytes. */
const LANDED_MS = 1_000;
const MAX_LANDED_BYTES = 8_388_608;

/** What all routes on one backend share: a key may be served by several. */
export interface HttpCacheState {
  readonly backend: Backend;
  readonly variants: VariantReader;
  readonly flights: Flights<Outcome>;
  /** By flight key. A lookup that was begun before the response was stored misses it, and would run the handler again: handlers may be faster than lookups. */
  readonly landed: LRUCache<string, Landed>;
  /** Keys whose last response could not be stored (hit-for-miss). */
  readonly uncacheable: LRUCache<string, true>;
  /** Keys whose refresh has just failed. */
  readonly refreshPaused: LRUCache<string, true>;
  /** Caches that a request made here does not reach: an application that the one it belongs to does not know of. */
  readonly unreachable: LRUCache<CacheConfig, true>;
  /** Keys that are being refreshed, also when nobody waits for that any more. */
  readonly refreshing: Set<string>;
  /** Whether to warn of what handlers read undeclared. */
  readonly isDevelopment: boolean;
}

const states = new WeakMap<Backend, HttpCacheState>();

export function stateOf(backend: Backend): HttpCacheState {
  let state = states.get(backend);
  if (state === undefined) {
    state = {
      backend,
      variants: createVariantReader(backend.store),
      flights: createFlights(backend.store.register),
      landed: new LRUCache({
        maxSize: MAX_LANDED_BYTES,
        ttl: LANDED_MS,
        sizeCalculation: ({ response }) => response.draft.body.length + response.draft.metadata.length + 1,
      }),
      uncacheable: new LRUCache({ ...upTo(MAX_HIT_FOR_MISS), ttl: HIT_FOR_MISS_MS }),
      refreshPaused: new LRUCache({ ...upTo(MAX_HIT_FOR_MISS), ttl: REFRESH_PAUSE_MS }),
      unreachable: new LRUCache({ max: MAX_UNREACHABLE, ttl: UNREACHABLE_MS }),
      refreshing: new Set(),
      isDevelopment: readEnvironment().isDevelopment,
    };
    states.set(backend, state);
  }
  return state;
}
