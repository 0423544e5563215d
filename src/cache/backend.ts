import type { EventBus } from '../core/events.ts';
import { type Place, REGISTERED_PLACE_OPTIONS, placeOf, type RegisteredPlaceOptions } from '../register/place.ts';
import { createLeases, type Leases } from './leases.ts';
import { createMemoryStore } from './memory-store.ts';
import { createMemoryTier, type MemoryTier } from './memory-tier.ts';
import { createRedisStore } from './redis-store.ts';
import { createStatistics, type Statistics } from './statistics.ts';
import type { CacheStore } from './store.ts';
import { createTieredStore } from './tiered-store.ts';

/** Where a cache lives. The same in every factory; parts with the same connection and prefix share one cache. */
export type BackendOptions = RegisteredPlaceOptions;

/** Names of {@link BackendOptions}, for checking. */
export const BACKEND_OPTIONS = REGISTERED_PLACE_OPTIONS;

/** One cache: what all parts on one connection and prefix share. */
export interface Backend {
  readonly kind: 'redis' | 'memory';
  readonly place: Place;
  readonly store: CacheStore;
  /** Copies in this process of what is in Redis. Absent unless asked for by `memory`. */
  readonly tier: MemoryTier | undefined;
  /** Absent where there is one process only. */
  readonly leases: Leases | undefined;
  readonly events: EventBus;
  readonly httpStatistics: Statistics;
  readonly dataStatistics: Statistics;
  /** One of its users needs it no more. With the last of them what was opened for it is closed. */
  close(): void;
}

const backends = new WeakMap<Place, Backend>();

/**
 * The cache of a connection and prefix, with one user more; without a connection, the one of this process and prefix.
 *
 * @throws {ConfigError} When an option is wrong, or contradicts what another part said about the same cache.
 */
export function backendOf(options: BackendOptions): Backend {
  const place = placeOf(options);
  const existing = backends.get(place);
  existing?.leases?.open();
  if (existing !== undefined) return existing;
  const { connection, keys, events } = place;
  const leases = connection && createLeases(connection, keys);
  if (leases !== undefined) place.onClose(leases.close);
  const tier = connection && place.memoryBytes > 0 ? createMemoryTier(place.memoryBytes) : undefined;
  const backend: Backend = {
    kind: connection === undefined ? 'memory' : 'redis',
    place,
    store: storeOf(place, tier),
    tier,
    leases,
    events,
    httpStatistics: createStatistics(),
    dataStatistics: createStatistics(),
    close: place.close,
  };
  backends.set(place, backend);
  return backend;
}

function storeOf({ connection, keys, register, ...place }: Place, tier: MemoryTier | undefined): CacheStore {
  if (connection === undefined) return createMemoryStore(register, place.memoryBytes);
  if (tier === undefined) return createRedisStore(connection, keys, register);
  const redis = createRedisStore(connection, keys, register, (address) => {
    const since = tier.now();
    return (bytes) => tier.keep(address, bytes, since);
  });
  return createTieredStore({ redis, tier, ...place });
}
