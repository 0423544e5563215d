import { readEnvironment } from '../core/environment.ts';
import { toTtlMs, type Ttl } from '../core/duration.ts';
import { checkOptions } from '../core/options.ts';
import { BACKEND_OPTIONS, type Backend, backendOf, type BackendOptions } from '../cache/backend.ts';
import type { EntryDraft } from '../cache/entry.ts';
import { createReadThrough } from '../cache/read-through.ts';
import type { Found } from '../cache/store.ts';
import { entryKey, keyPurge, toTags } from '../cache/tags.ts';
import type { Stamp } from '../register/mirror.ts';
import { fromJson, toJson } from './json.ts';

/** How one value is kept. */
export interface DataEntryOptions {
  /** How long. Default: the cache's `defaultTtl`. */
  readonly ttl?: Ttl | undefined;
  /** What it depends on: `invalidate(['user:7'])` drops it. */
  readonly tags?: readonly string[] | undefined;
}

/** Options of {@link createDataCache}. */
export interface DataCacheOptions extends BackendOptions {
  /** Lifetime of values stored without one. Default: the variable CACHE_DEFAULT_TTL, else 5 minutes. */
  readonly defaultTtl?: Ttl | undefined;
}

/**
 * Values by key, as JSON: what comes back is what `JSON.parse` makes of it. Reads answer within the deadline; when Redis is away they find nothing, writes are
 * dropped and loaders run.
 */
export interface DataCache {
  /** The value, or `undefined` when there is none. */
  get<T>(key: string): Promise<T | undefined>;
  /**
   * Stores a value. A `getOrSet` of this key that is being computed anywhere will not replace it. Resolves false when it was not stored; the former value is then
   * dropped as soon as Redis can be reached.
   *
   * @throws {TypeError} When the value has no JSON form.
   * @throws {ConfigError} When the ttl is not a lifetime.
   */
  set(key: string, value: unknown, options?: DataEntryOptions): Promise<boolean>;
  /**
   * Deletes a value, also one that is being computed anywhere.
   *
   * @throws {RedisError} When that could not be confirmed; it is then tried again in the background.
   */
  delete(key: string): Promise<void>;
  /**
   * The value; loaded and stored when there is none. Callers that miss at the same time share one load, unless something it depends on was invalidated after it
   * began. A softly purged value is returned and reloaded behind. Errors of `load` pass through and nothing is stored; `undefined` is not stored either,
   * nor what took longer than two minutes to load.
   */
  getOrSet<T>(key: string, load: () => T | Promise<T>, options?: DataEntryOptions): Promise<T>;
}

/** What is known of an entry before its value. */
type Plan = Pick<EntryDraft, 'key' | 'tags' | 'freshMs'>;

/** Creates the data cache of a connection and prefix. */
export function createDataCache(options: DataCacheOptions = {}): DataCache {
  checkOptions('createDataCache', options, [...BACKEND_OPTIONS, 'defaultTtl']);
  const defaultTtlMs = toDefaultTtlMs(options.defaultTtl);
  return createData(backendOf(options), defaultTtlMs);
}

/** Lifetime of values stored without one, from the option or the environment. */
export function toDefaultTtlMs(defaultTtl: Ttl | undefined): number {
  return defaultTtl === undefined ? (readEnvironment().defaultTtlMs ?? 300_000) : toTtlMs(defaultTtl, 'defaultTtl');
}

/** {@link createDataCache} on a backend that is already there. */
export function createData({ store, dataStatistics, events }: Backend, defaultTtlMs: number): DataCache {
  const { register } = store;
  const readThrough = createReadThrough(store);
  const count = (what: Parameters<typeof dataStatistics.count>[1]): void => dataStatistics.count('data', what);

  /** Checks what the caller wants, before anything is loaded or stored. */
  function planOf(key: string, { ttl, tags = [] }: DataEntryOptions): Plan {
    return {
      key: entryKey('d', key),
      tags: toTags(tags, `"${key}"`),
      freshMs: ttl === undefined ? defaultTtlMs : toTtlMs(ttl, 'ttl'),
    };
  }

  async function counted(write: Promise<boolean>, key: string): Promise<boolean> {
    const isStored = await write;
    if (isStored) {
      count('stores');
      events.tell('cache:store', { route: 'data', key });
    }
    return isStored;
  }

  function served(found: Found, key: string): void {
    count(found.state === 'fresh' ? 'hits' : 'stale');
    events.tell(found.state === 'fresh' ? 'cache:hit' : 'cache:stale', { route: 'data', key });
  }

  function missed(key: string, isAvailable: boolean): void {
    count(isAvailable ? 'misses' : 'bypasses');
    if (!isAvailable) count('errors');
    events.tell(isAvailable ? 'cache:miss' : 'cache:bypass', { route: 'data', key });
  }

  return {
    async get<T>(key: string) {
      const { found, stamp } = await store.read(addressOf(key));
      if (found === undefined) {
        missed(key, stamp !== undefined);
        return undefined;
      }
      served(found, key);
      return fromJson(found.entry.body) as T | undefined;
    },
    async set(key, value, options = {}) {
      const address = addressOf(key);
      const plan = planOf(key, options);
      const json = toJson(value);
      if (json === undefined) throw new TypeError(`"${key}": the value has no JSON form.`);
      const stamp = (await register.refresh()) ? register.stamp() : undefined;
      const isStored = stamp !== undefined && (await counted(store.put(address, draftOf(plan, json, stamp, 0)), key));
      if (!isStored) register.owe([keyPurge('d', key)]); // The former value must not outlive it.
      return isStored;
    },
    async delete(key) {
      const address = addressOf(key);
      try {
        await store.remove(address);
      } catch (error) {
        register.owe([keyPurge('d', key)]);
        throw error;
      }
    },
    async getOrSet<T>(key: string, load: () => T | Promise<T>, options: DataEntryOptions = {}) {
      const address = addressOf(key);
      const plan = planOf(key, options);
      return readThrough<T>({
        address,
        dependencies: plan,
        load,
        toDraft(value, stamp, computeMs) {
          const json = toJson(value);
          return json === undefined ? undefined : draftOf(plan, json, stamp, computeMs);
        },
        fromBody: (body) => fromJson(body) as T | undefined,
        write: (draft, version) => counted(store.write(address, draft, version), key),
        onServed: (found) => served(found, key),
        onMissed: (isAvailable) => missed(key, isAvailable),
      });
    },
  };
}

function draftOf(plan: Plan, json: string, stamp: Stamp, computeMs: number): EntryDraft {
  return { ...plan, stamp, flags: 0, staleMs: 0, computeMs, metadata: '', body: Buffer.from(json) };
}

function addressOf(key: unknown): string {
  if (typeof key !== 'string') throw new TypeError(`A cache key must be a string, not ${typeof key}.`);
  return entryKey('d', key);
}
