import { toBytes, type Bytes } from '../core/bytes.ts';
import { type Duration, toMs } from '../core/duration.ts';
import { readEnvironment } from '../core/environment.ts';
import { ConfigError } from '../core/errors.ts';
import { EventBus } from '../core/events.ts';
import type { Logger } from '../core/logger.ts';
import { checkClient, keyPrefixOf, type RedisClient } from '../redis/client.ts';
import { type Connection, connectionOf } from '../redis/connection.ts';
import { createKeys, type Keys } from '../redis/keys.ts';
import { createMemoryRegister } from './memory-register.ts';
import { createRedisRegister } from './redis-register.ts';
import type { Register } from './register.ts';

/** Where things live. The same in every factory; parts with the same connection and prefix share what they keep there. */
export interface PlaceOptions {
  /** Your ioredis connection. Without it everything lives in this process. */
  readonly redis?: RedisClient | undefined;
  /** First part of every key. Default: `suite`. */
  readonly prefix?: string | undefined;
  /** `memory` asks for the embedded backend by name, and is refused together with `redis`. Default: `redis` when there is a connection. */
  readonly backend?: 'redis' | 'memory' | undefined;
  /** Bound of the embedded backend: of its cache, and of its sessions. Default: `64mb`. */
  readonly memory?: Bytes | undefined;
  /** How far behind an invalidation a read may be. Default: 0, not at all. */
  readonly maxStaleness?: Duration | undefined;
  /** How long one call to Redis may take. Default: 100 ms. The same for all parts on one connection. */
  readonly deadline?: Duration | undefined;
  /** Where the few lines go that an operator should see. Default: `console`. */
  readonly logger?: Logger | undefined;
}

/** Names of {@link PlaceOptions}, for checking. */
export const PLACE_OPTIONS = ['redis', 'prefix', 'backend', 'memory', 'maxStaleness', 'deadline', 'logger'] as const;

/** One connection and prefix: what all parts on them share. */
export interface Place {
  /** Absent on the embedded backend. */
  readonly connection: Connection | undefined;
  readonly keys: Keys;
  readonly register: Register;
  readonly events: EventBus;
  /** Bound of each thing that is kept in this process' memory. */
  readonly memoryBytes: number;
  /** Has `close` called with the last user. */
  onClose(close: () => void): void;
  /** One of its users needs it no more. With the last of them what was opened for it is closed. */
  close(): void;
}

interface Shared {
  readonly place: Place;
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
export function placeOf(options: PlaceOptions): Place {
  const { redis, prefix = 'suite', backend = redis === undefined ? 'memory' : 'redis' } = options;
  if (!['redis', 'memory'].includes(backend)) throw new ConfigError("backend is 'redis' or 'memory'.");
  if (redis !== undefined) checkClient(redis);
  if ((backend === 'redis') !== (redis !== undefined)) {
    throw new ConfigError(
      redis === undefined
        ? "backend: 'redis' needs a connection. Pass redis: createRedis()."
        : "backend: 'memory' and a redis connection exclude each other. Leave one out.",
    );
  }
  const shelf = redis === undefined ? inMemory : shelfOf(redis);
  const existing = shelf.get(prefix);
  if (existing !== undefined) checkSame(options, existing, prefix);
  const shared = existing ?? (redis === undefined ? openMemory(options, prefix) : openRedis(options, redis, prefix));
  shelf.set(prefix, shared);
  shared.open();
  return shared.place;
}

function shelfOf(redis: RedisClient): Map<string, Shared> {
  const shelf = onRedis.get(redis) ?? new Map<string, Shared>();
  onRedis.set(redis, shelf);
  return shelf;
}

function settingsOf({ maxStaleness, memory }: PlaceOptions): Record<string, number> {
  return { maxStaleness: toMs(maxStaleness ?? 0, 'maxStaleness'), memory: toBytes(memory ?? '64mb', 'memory') };
}

function checkSame(options: PlaceOptions, existing: Shared, prefix: string): void {
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

function openMemory(options: PlaceOptions, prefix: string): Shared {
  checkEmbedded(options);
  const keys = createKeys(prefix); // Same rules for names, so that moving to Redis later is one option.
  const parts = { connection: undefined, keys, register: createMemoryRegister(), events: new EventBus() };
  return share(settingsOf(options), parts, () => void inMemory.delete(prefix));
}

function checkEmbedded({ backend, logger = console }: PlaceOptions): void {
  if (backend === 'memory') return;
  const { isProduction, redisEnabled } = readEnvironment();
  if (isProduction && redisEnabled) {
    throw new ConfigError(
      "Production without Redis. Pass redis: createRedis(), or ask for the embedded backend with backend: 'memory' or REDIS_ENABLED=false.",
    );
  }
  logger.info('express-redis-suite: no Redis connection, caching in the memory of this process.');
}

function openRedis(options: PlaceOptions, redis: RedisClient, prefix: string): Shared {
  const { deadline } = options;
  const settings = settingsOf(options);
  const connection = connectionOf(redis, deadline === undefined ? undefined : toMs(deadline, 'deadline'));
  const keys = createKeys(prefix, keyPrefixOf(redis));
  const register = createRedisRegister({ connection, keys, maxStalenessMs: settings['maxStaleness'] ?? 0 });
  const events = new EventBus();
  for (const name of ['redis:degraded', 'redis:recovered'] as const) {
    connection.events.on(name, (incident) => events.tell(name, incident));
  }
  connection.events.on('cache:error', (failure) => events.tell('cache:error', failure));
  return share(settings, { connection, keys, register, events });
}

/** Opens with the first user and closes with the last. */
function share(
  settings: Shared['settings'],
  parts: Pick<Place, 'connection' | 'keys' | 'register' | 'events'>,
  forget: () => void = () => undefined,
): Shared {
  let users = 0;
  const closers = [forget, parts.register.close];
  const place: Place = {
    ...parts,
    memoryBytes: settings['memory'] ?? 0,
    onClose: (close) => closers.push(close),
    close() {
      users--;
      if (users === 0) for (const close of closers) close();
    },
  };
  return {
    settings,
    place,
    open() {
      users++;
      if (users === 1) parts.register.open();
    },
  };
}
