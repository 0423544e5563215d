import { toBytes, type Bytes } from '../core/bytes.ts';
import { type Duration, toMs } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import type { EventBus } from '../core/events.ts';
import { keyPrefixOf, type RedisClient } from '../redis/client.ts';
import { connectionOf } from '../redis/connection.ts';
import { createKeys } from '../redis/keys.ts';
import { checkEmbedded, checkPlace, dropEvents, eventsOf, PLACE_OPTIONS, type PlaceOptions } from '../redis/place.ts';
import { createMemoryRegister } from '../register/memory-register.ts';
import { createRedisRegister } from '../register/redis-register.ts';
import { createMemoryStore } from './memory-store.ts';
import { createRedisStore } from './redis-store.ts';
import { createStatistics, type Statistics } from './statistics.ts';
import type { CacheStore } from './store.ts';

/** Where a cache lives. The same in every factory; parts with the same connection and prefix share one cache. */
export interface BackendOptions extends PlaceOptions {
  /** Bound of the embedded backend. Default: `64mb`. */
  readonly memory?: Bytes | undefined;
  /** How far behind an invalidation a read may be. Default: 0, not at all. */
  readonly maxStaleness?: Duration | undefined;
}

/** Names of {@link BackendOptions}, for checking. */
export const BACKEND_OPTIONS = [...PLACE_OPTIONS, 'memory', 'maxStaleness'] as const;

/** One cache: what all parts on one connection and prefix share. */
export interface Backend {
  readonly kind: 'redis' | 'memory';
  readonly store: CacheStore;
  readonly events: EventBus;
  readonly httpStatistics: Statistics;
  readonly dataStatistics: Statistics;
  /** One of its users needs it no more. With the last of them what was opened for it is closed. */
  close(): void;
}

interface Shared {
  readonly backend: Backend;
  readonly open: () => void;
  readonly settings: Readonly<Record<string, number>>;
}

const onRedis = new WeakMap<RedisClient, Map<string, Shared>>();
const inMemory = new Map<string, Shared>();

/**
 * The cache of a connection and prefix, with one user more; without a connection, the one of this process and prefix.
 *
 * @throws {ConfigError} When an option is wrong, or contradicts what another part said about the same cache.
 */
export function backendOf(options: BackendOptions): Backend {
  const { redis, prefix = 'suite' } = options;
  checkPlace(options);
  const shelf = redis === undefined ? inMemory : shelfOf(redis);
  const existing = shelf.get(prefix);
  if (existing !== undefined) checkSame(options, existing, prefix);
  const shared = existing ?? (redis === undefined ? openMemory(options, prefix) : openRedis(options, redis, prefix));
  shelf.set(prefix, shared);
  shared.open();
  return shared.backend;
}

function shelfOf(redis: RedisClient): Map<string, Shared> {
  const shelf = onRedis.get(redis) ?? new Map<string, Shared>();
  onRedis.set(redis, shelf);
  return shelf;
}

function settingsOf({ maxStaleness, memory }: BackendOptions): Record<string, number> {
  return { maxStaleness: toMs(maxStaleness ?? 0, 'maxStaleness'), memory: toBytes(memory ?? '64mb', 'memory') };
}

function checkSame(options: BackendOptions, existing: Shared, prefix: string): void {
  const wanted = settingsOf(options);
  for (const name of ['maxStaleness', 'memory'] as const) {
    if (options[name] !== undefined && wanted[name] !== existing.settings[name]) {
      throw new ConfigError(
        `${name}: the cache "${prefix}" is already in use with another value. Give it in one place only.`,
      );
    }
  }
  if (options.redis !== undefined && options.deadline !== undefined) {
    connectionOf(options.redis, toMs(options.deadline, 'deadline'));
  }
}

function openMemory(options: BackendOptions, prefix: string): Shared {
  checkEmbedded(options, 'caching');
  createKeys(prefix); // Same rules for names, so that moving to Redis later is one option.
  const settings = settingsOf(options);
  const register = createMemoryRegister();
  const store = createMemoryStore(register, settings['memory'] ?? 0);
  const close = (): void => {
    inMemory.delete(prefix);
    dropEvents(prefix);
  };
  return share(
    settings,
    { kind: 'memory', store, events: eventsOf(undefined, prefix) },
    { open: () => undefined, close },
  );
}

function openRedis(options: BackendOptions, redis: RedisClient, prefix: string): Shared {
  const { deadline } = options;
  const settings = settingsOf(options);
  const connection = connectionOf(redis, deadline === undefined ? undefined : toMs(deadline, 'deadline'));
  const keys = createKeys(prefix, keyPrefixOf(redis));
  const register = createRedisRegister({ connection, keys, maxStalenessMs: settings['maxStaleness'] ?? 0 });
  const store = createRedisStore(connection, keys, register);
  return share(settings, { kind: 'redis', store, events: eventsOf(redis, prefix) }, register);
}

/** Opens with the first user and closes with the last. */
function share(
  settings: Shared['settings'],
  parts: Pick<Backend, 'kind' | 'store' | 'events'>,
  { open, close }: { open(): void; close(): void },
): Shared {
  let users = 0;
  const backend: Backend = {
    ...parts,
    httpStatistics: createStatistics(),
    dataStatistics: createStatistics(),
    close() {
      users--;
      if (users === 0) close();
    },
  };
  return {
    settings,
    backend,
    open() {
      users++;
      if (users === 1) open();
    },
  };
}
