import { toBytes, type Bytes } from '../core/bytes.ts';
import { type Duration, toMs } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import type { EventBus } from '../core/events.ts';
import { keyPrefixOf, type RedisClient } from '../redis/client.ts';
import { type Connection, connectionOf } from '../redis/connection.ts';
import { createKeys, type Keys } from '../redis/keys.ts';
import {
  checkEmbedded,
  checkPlace,
  createShelf,
  dropEvents,
  eventsOf,
  PLACE_OPTIONS,
  type PlaceOptions,
} from '../redis/place.ts';
import { createMemoryRegister } from './memory-register.ts';
import { createRedisRegister } from './redis-register.ts';
import type { Register } from './register.ts';

/** Where things live that heed invalidations. The same in every factory; parts with the same connection and prefix share what they keep there. */
export interface RegisteredPlaceOptions extends PlaceOptions {
  /**
   * Without Redis the bound of the embedded backend: of its cache, and of its sessions; `64mb` unless said. With Redis the bound of copies that are kept in this process of what was
   * lately read; none unless said.
   */
  readonly memory?: Bytes | undefined;
  /** What becomes of a copy in this process while Redis is away and cannot say whether it is still right: `serve` returns it until it ends. Default: `bypass`. */
  readonly onUnverifiable?: 'bypass' | 'serve' | undefined;
  /** How far behind an invalidation a read may be. Default: 0, not at all. */
  readonly maxStaleness?: Duration | undefined;
}

/** Names of {@link RegisteredPlaceOptions}, for checking. */
export const REGISTERED_PLACE_OPTIONS = [...PLACE_OPTIONS, 'memory', 'maxStaleness', 'onUnverifiable'] as const;

/** One connection and prefix: what all parts on them share. */
export interface Place {
  /** Absent on the embedded backend. */
  readonly connection: Connection | undefined;
  readonly keys: Keys;
  readonly register: Register;
  readonly events: EventBus;
  /** Bound of each thing that is kept in this process' memory; 0 for none. */
  readonly memoryBytes: number;
  /** How far behind an invalidation a read may be. */
  readonly maxStalenessMs: number;
  readonly onUnverifiable: 'bypass' | 'serve';
  /** Has `close` called with the last user. */
  onClose(close: () => void): void;
  /** One of its users needs it no more. With the last of them what was opened for it is closed. */
  close(): void;
}

interface Settings {
  readonly maxStaleness: number;
  readonly memory: number;
  readonly onUnverifiable: 'bypass' | 'serve';
}

interface Shared {
  readonly place: Place;
  readonly open: () => void;
  readonly settings: Settings;
}

const shelf = createShelf<Shared>();

/**
 * The cache of a connection and prefix, with one user more; without a connection, the one of this process and prefix.
 *
 * @throws {ConfigError} When an option is wrong, or contradicts what another part said about the same cache.
 */
export function placeOf(options: RegisteredPlaceOptions): Place {
  const { redis, prefix = 'suite' } = options;
  checkPlace(options);
  const shared = shelf.take(redis, prefix, () =>
    redis === undefined ? openMemory(options, prefix) : openRedis(options, redis, prefix),
  );
  checkSame(options, shared, prefix);
  shared.open();
  return shared.place;
}

function settingsOf({ maxStaleness, memory, redis, onUnverifiable = 'bypass' }: RegisteredPlaceOptions): Settings {
  if (!['bypass', 'serve'].includes(onUnverifiable)) throw new ConfigError("onUnverifiable is 'bypass' or 'serve'.");
  const defaultMemory = redis === undefined ? toBytes('64mb', 'memory') : 0;
  return {
    maxStaleness: toMs(maxStaleness ?? 0, 'maxStaleness'),
    memory: memory === undefined ? defaultMemory : toBytes(memory, 'memory'),
    onUnverifiable,
  };
}

function checkSame(options: RegisteredPlaceOptions, existing: Shared, prefix: string): void {
  const wanted = settingsOf(options);
  for (const name of ['maxStaleness', 'memory', 'onUnverifiable'] as const) {
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

function openMemory(options: RegisteredPlaceOptions, prefix: string): Shared {
  checkEmbedded(options, 'caching');
  const keys = createKeys(prefix); // Same rules for names, so that moving to Redis later is one option.
  const parts = { connection: undefined, keys, register: createMemoryRegister(), events: eventsOf(undefined, prefix) };
  return share(settingsOf(options), parts, () => {
    shelf.drop(undefined, prefix);
    dropEvents(prefix);
  });
}

function openRedis(options: RegisteredPlaceOptions, redis: RedisClient, prefix: string): Shared {
  const { deadline } = options;
  const settings = settingsOf(options);
  const connection = connectionOf(redis, deadline === undefined ? undefined : toMs(deadline, 'deadline'));
  const keys = createKeys(prefix, keyPrefixOf(redis));
  const register = createRedisRegister({ connection, keys, maxStalenessMs: settings.maxStaleness });
  return share(settings, { connection, keys, register, events: eventsOf(redis, prefix) });
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
    memoryBytes: settings.memory,
    maxStalenessMs: settings.maxStaleness,
    onUnverifiable: settings.onUnverifiable,
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
