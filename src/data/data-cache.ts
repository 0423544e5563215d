import type { Duration, Ttl } from '../core/duration.ts';
import type { StandardSchema } from './schema.ts';
import type { TypedKey } from './typed-key.ts';

/** How one value is kept. */
export interface DataEntryOptions {
  /** How long it is fresh. Default: the cache's `defaultTtl`. */
  readonly ttl?: Ttl | undefined;
  /** What it depends on: `invalidate(['user:7'])` drops it. */
  readonly tags?: readonly string[] | undefined;
  /** So long after its `ttl` it is still returned while it is loaded anew behind. Default: 0. */
  readonly staleWhileRevalidate?: Duration | undefined;
  /** So long after its `ttl` it is still returned when its loader fails. Default: 0. */
  readonly failSafe?: Duration | undefined;
  /** Part of the `ttl` that is taken off at random, 0 to 1, so that values stored together do not end together. Default: 0.1 for what is loaded, 0 for what is set. */
  readonly jitter?: number | undefined;
  /** How long `null` and `undefined` are kept, and not beyond that as stale ones. Default: like any value; `undefined` that was loaded not at all. */
  readonly negativeTtl?: Ttl | undefined;
}

/** How one value is read. */
export interface DataReadOptions<T = unknown> {
  /** Checks what is read: a value that does not pass counts as not there. Any Standard Schema (zod, valibot, arktype). */
  readonly schema?: StandardSchema<T> | undefined;
}

/** How one value is read, and loaded when it is not there. */
export interface LoadOptions<T = unknown> extends Omit<DataEntryOptions, 'tags'>, DataReadOptions<T> {
  /** What it depends on, known before or from the loaded value. */
  readonly tags?: readonly string[] | ((value: T) => readonly string[]) | undefined;
  /**
   * Loads a fresh value anew behind before it ends: once this part of its lifetime has passed (0 to 1), or at random, the sooner the longer loading takes (`xfetch`).
   * Default: not.
   */
  readonly refreshAhead?: number | 'xfetch' | undefined;
  /** After so long a stale value is returned in place of the load, which goes on. Default: not. */
  readonly softTimeout?: Duration | undefined;
  /** After so long a call is rejected, or answered with a stale value (`failSafe`). The load goes on, and what it loads is stored. Default: not. */
  readonly hardTimeout?: Duration | undefined;
  /** Ends the wait of this call. The loader's own signal follows once nobody waits any more. */
  readonly signal?: AbortSignal | undefined;
  /** Whether one computation at a time is made over all processes, or one in each. Default: `cluster`. */
  readonly coalesce?: 'process' | 'cluster' | undefined;
  /** Loads and stores it, whatever is there. Default: false. */
  readonly fresh?: boolean | undefined;
}

/** What was stored before and may not be returned as it is. */
export interface StaleValue<T> {
  readonly value: T;
  /** What the loader called its version of it. */
  readonly validator: string | undefined;
  readonly ageMs: number;
}

/** What a loader is given. */
export interface LoadContext<T = unknown> {
  /** As the caller spelled it. */
  readonly key: string;
  /** Aborted when nobody waits for the value any more, or it has taken so long that it would not be stored. */
  readonly signal: AbortSignal;
  /** For asking whether it has changed. Absent when there is none, or an invalidation has hit it. */
  readonly stale: StaleValue<T> | undefined;
  /** Adds tags: they hold for invalidations since the load began too. */
  tag(...tags: readonly string[]): void;
  /** Overrides how long it is fresh, `negativeTtl` too. */
  ttl(ttl: Ttl): void;
  /** Has the value returned as it is to all who wait for it in this process, and not stored. */
  skip(): void;
  /** Names this version of the value, for the next load's `stale.validator`. */
  validator(text: string): void;
  /** To be returned when `stale` is still right: its value, kept as it was stored for another lifetime, with its tags and validator. */
  notModified(): T;
}

/** Makes the value of a key. */
export type Loader<T> = (context: LoadContext<T>) => T | Promise<T>;

/** What a loader of many is given. */
export type LoadManyContext = Pick<LoadContext, 'signal'>;

/** Makes the values of the keys that are missing: a Map by key, or an array with an item for each in their order. What a Map leaves out, or is `undefined`, is not stored. */
export type LoaderOfMany<T> = (keys: readonly string[], context: LoadManyContext) => Loaded<T> | Promise<Loaded<T>>;

type Loaded<T> = ReadonlyMap<string, T> | readonly (T | undefined)[];

/** How many are loaded. Values are loaded together, so what depends on one value's past is left out. */
export type LoadManyOptions<T = unknown> = Omit<LoadOptions<T>, 'refreshAhead' | 'softTimeout'>;

/** A key: a text, or one made by `keys()`, which brings along lifetime and tags. */
export type CacheKey = string | TypedKey;

/**
 * Values by key. What comes back is what was stored, types included (Date, Map, Set, BigInt, Buffer and so on). Reads answer within the deadline; when Redis is away they find nothing,
 * writes are dropped and loaders run.
 */
export interface DataCache {
  /** The value while it is fresh, or `undefined` when there is none. */
  get<T>(key: CacheKey, options?: DataReadOptions<T>): Promise<T | undefined>;
  /** The values in the order of the keys, `undefined` where there is none. One round trip; on Cluster one to each node. */
  getMany<T>(keys: readonly CacheKey[], options?: DataReadOptions<T>): Promise<(T | undefined)[]>;
  /** Whether there is a fresh value. */
  has(key: CacheKey): Promise<boolean>;
  /**
   * Stores a value. A `getOrSet` of this key that is being computed anywhere will not replace it. Resolves false when it was not stored; the former value is then
   * dropped as soon as Redis can be reached.
   *
   * @throws {TypeError} When the value cannot be stored (a function, a promise, a cycle).
   * @throws {ConfigError} When an option is wrong.
   */
  set(key: CacheKey, value: unknown, options?: DataEntryOptions): Promise<boolean>;
  /** {@link DataCache.set} for many, in one round trip; on Cluster one to each node. In strong mode the register is asked before, once for all. Resolves whether all were stored. */
  setMany(
    entries: Iterable<readonly [key: CacheKey, value: unknown]> | Readonly<Record<string, unknown>>,
    options?: DataEntryOptions,
  ): Promise<boolean>;
  /**
   * Stores a value if there is no fresh one, and resolves whether it did: true for one caller only, over all processes.
   *
   * @throws {RedisError} When that could not be found out.
   */
  setIfAbsent(key: CacheKey, value: unknown, options?: DataEntryOptions): Promise<boolean>;
  /**
   * Deletes a value, also one that is being computed anywhere, and the counter of this key.
   *
   * @throws {RedisError} When that could not be confirmed; it is then tried again in the background.
   */
  delete(key: CacheKey): Promise<void>;
  /** {@link DataCache.delete} for many, in one round trip; on Cluster one to each node. */
  deleteMany(keys: readonly CacheKey[]): Promise<void>;
  /** Milliseconds for which the value is still fresh; `undefined` when there is none. */
  ttl(key: CacheKey): Promise<number | undefined>;
  /** Gives a fresh value another lifetime from now on. Resolves false when there is none. */
  expire(key: CacheKey, ttl: Ttl): Promise<boolean>;
  /** Begins the lifetime of a fresh value anew. Resolves false when there is none. */
  touch(key: CacheKey): Promise<boolean>;
  /**
   * Adds to the counter of a key and resolves its new value. Counters stand beside values: `get` does not see them, invalidations do not hit them. With a `ttl`, of the call or of
   * a typed key, a counter that begins ends after so long; those of the cache or namespace do not count. Exact up to 2^53.
   *
   * @throws {TypeError} When `by` is not a safe integer.
   * @throws {RedisError} When it could not be confirmed; it may have been counted.
   */
  increment(key: CacheKey, by?: number, options?: Pick<DataEntryOptions, 'ttl'>): Promise<number>;
  /** {@link DataCache.increment} the other way. */
  decrement(key: CacheKey, by?: number, options?: Pick<DataEntryOptions, 'ttl'>): Promise<number>;
  /**
   * The counter of a key, 0 when there is none.
   *
   * @throws {RedisError} When it could not be read.
   */
  counter(key: CacheKey): Promise<number>;
  /**
   * Drops all values of this cache (of a namespace: its own), in one round trip, however many. Counters stay.
   *
   * @throws {RedisError} When that could not be confirmed. This process heeds it all the same.
   */
  clear(): Promise<void>;
  /**
   * Keys of values that may be returned, stale ones included, and that match: `*` any run, `?` one character, `\` takes the next literally. Walks through all masters in bounded steps; a key may come twice, and what is stored
   * meanwhile may be missing. Default: all.
   *
   * @throws {RedisError} When Redis is away, or takes longer than five seconds for a step.
   */
  keys(pattern?: string): AsyncIterable<string>;
  /**
   * The value; loaded and stored when there is none. Callers that miss at the same time share one load, over all processes, unless something it depends on was invalidated, set or deleted after it
   * began. Errors of `load` pass through and nothing is stored; nor is `undefined` without `negativeTtl`, nor what took longer than two minutes.
   *
   * @throws {LoadTimeoutError} After the `hardTimeout`.
   */
  getOrSet<T>(key: CacheKey, load: Loader<T>, options?: LoadOptions<T>): Promise<T>;
  /** {@link DataCache.getOrSet} for many, in the order of the keys: only what is missing is loaded, by one call, and what others are loading is waited for. */
  getOrSetMany<T>(
    keys: readonly CacheKey[],
    load: LoaderOfMany<T>,
    options?: LoadManyOptions<T>,
  ): Promise<(T | undefined)[]>;
  /** A part of this cache: its keys begin with `<name>:`, and its options are what calls do not say. Namespaces nest. */
  namespace(name: string, options?: NamespaceOptions): DataCache;
  /** What is known about the value of a key, and why it is or is not returned. Reads everything, stores and counts nothing. */
  explain(key: CacheKey): Promise<Explanation>;
}

/** What calls of a namespace do not say. Tags add up. */
export interface NamespaceOptions
  extends DataEntryOptions, Omit<LoadOptions<never>, keyof DataEntryOptions | 'signal' | 'fresh' | 'schema'> {}

/** What is known about one key. */
export interface Explanation {
  /** `fresh`: returned. `stale`: past its lifetime or softly purged, returned only while, or in place of, a load. `invalid`: an invalidation has hit it. `unavailable`: Redis is away. */
  readonly state: 'fresh' | 'stale' | 'invalid' | 'absent' | 'unavailable';
  /** In words. */
  readonly reason: string;
  /** Where it is. */
  readonly tier: 'memory' | 'redis' | undefined;
  readonly ageMs?: number;
  /** How long it is still fresh; below 0 since when it is not. */
  readonly ttlMs?: number;
  readonly tags?: readonly string[];
  /** Bytes of the stored value. */
  readonly bytes?: number;
  /** How long loading it took; 0 where it was set. */
  readonly computeMs?: number;
  /** What its loader called this version of it. */
  readonly validator?: string | undefined;
  /** The invalidations that hit it: `tag product:7`. */
  readonly invalidatedBy?: readonly string[];
}
