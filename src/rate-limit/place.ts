import { toMs } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import type { EventBus } from '../core/events.ts';
import { keyPrefixOf } from '../redis/client.ts';
import { type Connection, connectionOf } from '../redis/connection.ts';
import { createKeys, type Keys } from '../redis/keys.ts';
import { checkEmbedded, checkPlace, createShelf, eventsOf, type PlaceOptions } from '../redis/place.ts';
import { createDenyCache, type DenyCache } from './deny-cache.ts';
import type { Refusal } from './limit-result.ts';
import { createLiveSettings, createMemoryChanges, type LiveSettings } from './live-settings.ts';
import { createMemoryStore } from './memory-store.ts';
import { createRedisChanges, createRedisRefusedLog } from './redis-administration.ts';
import { createRedisStore } from './redis-store.ts';
import { createMemoryRefusedLog, type RefusedLog } from './refused-log.ts';
import { createLimitStatistics, type LimitStatistics } from './statistics.ts';
import type { LimitStore } from './store.ts';

/** What all limiters of one connection and prefix share. */
export interface LimitPlace {
  readonly events: EventBus;
  readonly keys: Keys;
  /** `undefined`: everything lives in this process. */
  readonly connection: Connection | undefined;
  readonly store: LimitStore;
  /** Decides while the store is away. */
  readonly fallback: LimitStore;
  /** What limiters of one name share. */
  limiter(name: string): SharedLimiter;
  /** Counters of every limiter, by name. */
  statistics(): Readonly<Record<string, ReturnType<LimitStatistics['read']>>>;
  /**
   * Takes the place of the limiter without a name. Returns what gives it up.
   *
   * @throws {ConfigError} When it is taken.
   */
  claimDefault(): () => void;
}

/** What limiters of one name share in this process. */
export interface SharedLimiter {
  readonly denials: DenyCache<Refusal>;
  readonly settings: LiveSettings;
  readonly refused: RefusedLog;
  readonly statistics: LimitStatistics;
}

const places = createShelf<LimitPlace>();

/**
 * The place of a connection and prefix.
 *
 * @throws {ConfigError} When an option is wrong, or production has no connection.
 */
export function limitPlaceOf(options: PlaceOptions): LimitPlace {
  const { redis, prefix = 'suite', deadline } = options;
  checkPlace(options);
  const deadlineMs = deadline === undefined ? undefined : toMs(deadline, 'deadline');
  const connection = redis === undefined ? undefined : connectionOf(redis, deadlineMs);
  return places.take(redis, prefix, () => {
    if (redis === undefined) checkEmbedded(options, 'limiting');
    const keys = createKeys(prefix, redis === undefined ? '' : keyPrefixOf(redis));
    return openPlace(keys, eventsOf(redis, prefix), connection);
  });
}

/** The embedded limits of a prefix are forgotten, when what they were for is closed. */
export function dropEmbeddedLimits(prefix: string): void {
  places.drop(undefined, prefix);
}

function openPlace(keys: Keys, events: EventBus, connection: Connection | undefined): LimitPlace {
  const limiters = new Map<string, SharedLimiter>();
  const fallback = createMemoryStore();
  let isDefaultTaken = false;
  return {
    events,
    keys,
    connection,
    fallback,
    store: connection === undefined ? fallback : createRedisStore(connection),
    limiter(name) {
      const shared = limiters.get(name) ?? openLimiter(name, keys, connection);
      limiters.set(name, shared);
      return shared;
    },
    statistics: () =>
      Object.fromEntries([...limiters].map(([name, { statistics }]) => [name, statistics.read()] as const)),
    claimDefault() {
      if (isDefaultTaken) {
        throw new ConfigError(
          "name: there is a limiter without a name already, and both would count together. Give this one a name, such as name: 'login'.",
        );
      }
      isDefaultTaken = true;
      return () => {
        isDefaultTaken = false;
      };
    },
  };
}

function openLimiter(name: string, keys: Keys, connection: Connection | undefined): SharedLimiter {
  const denials = createDenyCache<Refusal>();
  const changes = connection === undefined ? createMemoryChanges() : createRedisChanges(connection, keys, name);
  return {
    denials,
    settings: createLiveSettings(changes, () => denials.clear()),
    refused: connection === undefined ? createMemoryRefusedLog() : createRedisRefusedLog(connection, keys, name),
    statistics: createLimitStatistics(),
  };
}
