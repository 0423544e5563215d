import { ConfigError } from '../core/errors.ts';
import type { Duration } from '../core/duration.ts';
import { readEnvironment } from '../core/environment.ts';
import { EventBus } from '../core/events.ts';
import type { Logger } from '../core/logger.ts';
import { checkClient, type RedisClient } from './client.ts';
import { connectionOf } from './connection.ts';

/** Where parts live that share a connection and a prefix. */
export interface PlaceOptions {
  /** Your ioredis connection. Without it everything lives in this process. */
  readonly redis?: RedisClient | undefined;
  /** First part of every key. Default: `suite`. */
  readonly prefix?: string | undefined;
  /** `memory` asks for the embedded backend by name, and is refused together with `redis`. Default: `redis` when there is a connection. */
  readonly backend?: 'redis' | 'memory' | undefined;
  /** How long one call to Redis may take. Default: 100 ms. The same for all parts on one connection. */
  readonly deadline?: Duration | undefined;
  /** Where the few lines go that an operator should see. Default: `console`. */
  readonly logger?: Logger | undefined;
}

/** Names of {@link PlaceOptions}, for checking. */
export const PLACE_OPTIONS = ['redis', 'prefix', 'backend', 'deadline', 'logger'] as const;

/**
 * Checks that `redis` and `backend` agree.
 *
 * @throws {ConfigError} When they contradict each other, or the connection cannot be used.
 */
export function checkPlace({ redis, backend = redis === undefined ? 'memory' : 'redis' }: PlaceOptions): void {
  if (!['redis', 'memory'].includes(backend)) throw new ConfigError("backend is 'redis' or 'memory'.");
  if (redis !== undefined) checkClient(redis);
  if ((backend === 'redis') === (redis !== undefined)) return;
  throw new ConfigError(
    redis === undefined
      ? "backend: 'redis' needs a connection. Pass redis: createRedis()."
      : "backend: 'memory' and a redis connection exclude each other. Leave one out.",
  );
}

/**
 * Checks that living in this process is meant; one line says so where it was not asked for.
 *
 * @throws {ConfigError} In production, unless it was asked for.
 */
export function checkEmbedded({ backend, logger = console }: PlaceOptions, doing: string): void {
  if (backend === 'memory') return;
  const { isProduction, redisEnabled } = readEnvironment();
  if (isProduction && redisEnabled) {
    throw new ConfigError(
      "Production without Redis. Pass redis: createRedis(), or ask for the embedded backend with backend: 'memory' or REDIS_ENABLED=false.",
    );
  }
  logger.info(`express-redis-suite: no Redis connection, ${doing} in the memory of this process.`);
}

/** One thing per connection and prefix; without a connection, per process and prefix. */
export interface Shelf<Thing> {
  /** The thing that is there, or what `create` makes. */
  take(redis: RedisClient | undefined, prefix: string, create: () => Thing): Thing;
  /** Empties the place. */
  drop(redis: RedisClient | undefined, prefix: string): void;
}

/** Creates an empty shelf. Things on a connection live as long as it does. */
export function createShelf<Thing>(): Shelf<Thing> {
  const onRedis = new WeakMap<RedisClient, Map<string, Thing>>();
  const inMemory = new Map<string, Thing>();

  function boardOf(redis: RedisClient | undefined): Map<string, Thing> {
    if (redis === undefined) return inMemory;
    const board = onRedis.get(redis) ?? new Map<string, Thing>();
    onRedis.set(redis, board);
    return board;
  }

  return {
    take(redis, prefix, create) {
      const board = boardOf(redis);
      const found = board.get(prefix);
      if (found !== undefined) return found;
      const created = create();
      board.set(prefix, created);
      return created;
    },
    drop: (redis, prefix) => void boardOf(redis).delete(prefix),
  };
}

const buses = createShelf<EventBus>();

/** The events of a connection and prefix: all parts tell theirs there. */
export function eventsOf(redis: RedisClient | undefined, prefix: string): EventBus {
  return buses.take(redis, prefix, () => {
    const bus = new EventBus();
    if (redis === undefined) return bus;
    const { events } = connectionOf(redis, undefined);
    for (const name of ['redis:degraded', 'redis:recovered'] as const) {
      events.on(name, (incident) => bus.tell(name, incident));
    }
    for (const name of ['cache:error', 'limit:error'] as const) {
      events.on(name, (failure) => bus.tell(name, failure));
    }
    return bus;
  });
}

/** The embedded parts of a prefix are closed: who comes next begins with events of its own. */
export function dropEvents(prefix: string): void {
  buses.drop(undefined, prefix);
}
