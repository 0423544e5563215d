import { readEnvironment } from '../core/environment.ts';
import { toTtlMs, type Ttl } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import type { Bytes } from '../core/bytes.ts';
import { BACKEND_OPTIONS, type Backend, backendOf, type BackendOptions } from '../cache/backend.ts';
import { toTags } from '../cache/tags.ts';
import { createCodec, type Serializer } from '../codec/codec.ts';
import type { CacheKey, DataCache, NamespaceOptions } from './data-cache.ts';
import { explain } from './explain.ts';
import { addressOf, createKeySpace, type KeySpace } from './key-space.ts';
import { LoadCall } from './load.ts';
import { loadMany } from './load-many.ts';
import { createOperations } from './operations.ts';
import { answer } from './read-through.ts';
import { createSettings, NAMESPACE_OPTIONS, type SettingsOf } from './settings.ts';
import { type DataState, stateOn } from './state.ts';
import { withKeyOptions } from './typed-key.ts';
import type { ValueMode } from './keepsakes.ts';
import { createValues } from './values.ts';
import { wrap, type Wrapped, type WrapOptions } from './wrap.ts';
import { createWriters, type Writers } from '../writing/writers.ts';

export type { Serializer } from '../codec/codec.ts';
export type {
  CacheKey,
  DataCache,
  DataEntryOptions,
  DataReadOptions,
  Explanation,
  LoadContext,
  Loader,
  LoaderOfMany,
  LoadManyContext,
  LoadManyOptions,
  LoadOptions,
  NamespaceOptions,
  StaleValue,
} from './data-cache.ts';
export {
  type CacheableOptions,
  type CacheEvictOptions,
  type CachePutOptions,
  createDecorators,
  type DecoratedSuite,
  type Decorators,
} from './decorators.ts';
export type { StandardSchema } from './schema.ts';
export type { TypedKey } from './typed-key.ts';
export { key, type KeyBuilder, type KeyOptions, keys } from './typed-keys.ts';
export { wrap, type Wrapped, type WrapOptions } from './wrap.ts';
export type {
  DeadLetter,
  WriteBehind,
  WriteBehindOptions,
  WriteBehindRecord,
  WriteContext,
  WriteCounts,
} from '../writing/write-behind.ts';
export type { WriteThrough, WriteThroughOptions } from '../writing/write-through.ts';
export type { Writers } from '../writing/writers.ts';

/** A data cache, functions whose results it keeps, and what writes to where its values belong. */
export interface RootDataCache extends DataCache, Writers {
  /** {@link wrap} on this cache: the same function, asked once for each key. */
  wrap<This, Args extends readonly unknown[], Result>(
    fn: (this: This, ...args: Args) => Result | Promise<Result>,
    options: WrapOptions<This, Args, Result>,
  ): Wrapped<This, Args, Result>;
}

/** What a data cache does, beside where it lives: what calls do not say, and how values are written down. */
export interface DataOptions extends NamespaceOptions {
  /** Writes values down in another way. Default: JSON that keeps types. */
  readonly serializer?: Serializer | undefined;
  /** Values that take more bytes are stored compressed: a number of bytes, or `'4kb'`. Default: `never`. */
  readonly compressAbove?: Bytes | 'never' | undefined;
  /**
   * `copies`: every caller gets a value of his own. Of values that are plain JSON and often read in the memory of this process an original is kept there, which is copied instead of parsing; it
   * counts as part of that memory, and takes at most a quarter of it. `frozen`: values that are plain JSON are deeply frozen and, where they are in the memory of this process, the same for all callers,
   * which spares copying and parsing them; that counts too. What would exceed the bound is parsed each time. Default: `copies`.
   */
  readonly values?: ValueMode | undefined;
}

/** Options of {@link createDataCache}. */
export interface DataCacheOptions extends DataOptions, BackendOptions {
  /** Lifetime of values stored without one. Default: the variable CACHE_DEFAULT_TTL, else 5 minutes. */
  readonly defaultTtl?: Ttl | undefined;
}

const DATA_OPTIONS = [...NAMESPACE_OPTIONS, 'serializer', 'compressAbove', 'values'];

/**
 * Creates the data cache of a connection and prefix.
 *
 * @throws {ConfigError} When an option is wrong.
 */
export function createDataCache(options: DataCacheOptions = {}): RootDataCache {
  checkOptions('createDataCache', options, [...BACKEND_OPTIONS, ...DATA_OPTIONS, 'defaultTtl']);
  const { redis, prefix, backend, deadline, logger, memory, maxStaleness, onUnverifiable, defaultTtl, ...rest } =
    options;
  const place = { redis, prefix, backend, deadline, logger, memory, maxStaleness, onUnverifiable };
  const defaultTtlMs = toDefaultTtlMs(defaultTtl);
  checkDataOptions(rest);
  return createRootData(backendOf(place), defaultTtlMs, rest).data;
}

/** Lifetime of values stored without one, from the option or the environment. */
export function toDefaultTtlMs(defaultTtl: Ttl | undefined): number {
  return defaultTtl === undefined ? (readEnvironment().defaultTtlMs ?? 300_000) : toTtlMs(defaultTtl, 'defaultTtl');
}

/** Refuses what is wrong before anything is opened. */
export function checkDataOptions(options: DataOptions): void {
  checkOptions('data', options, DATA_OPTIONS);
  const { values = 'copies', serializer, compressAbove, ...defaults } = options;
  if (!['copies', 'frozen'].includes(values)) throw new ConfigError("values is 'copies' or 'frozen'.");
  createCodec({ serializer, compressAbove });
  createSettings(defaults, 1_000);
}

/** {@link createDataCache} on a backend that is already there, with options that were checked. `close` writes what waits to be written. */
export function createRootData(
  backend: Backend,
  defaultTtlMs: number,
  options: DataOptions,
): { readonly data: RootDataCache; close(): Promise<void> } {
  const cache = createData(backend, defaultTtlMs, options);
  const { close, ...writers } = createWriters(backend, cache);
  return { close, data: { ...cache, ...writers, wrap: (fn, wrapOptions) => wrap(cache, fn, wrapOptions) } };
}

/** The data cache of a backend. */
export function createData(backend: Backend, defaultTtlMs: number, options: DataOptions = {}): DataCache {
  const { serializer, compressAbove, values = 'copies', ...defaults } = options;
  const codec = createCodec({ serializer, compressAbove });
  const state = stateOn(backend, codec, createValues(codec, values, backend.events));
  return cacheOf(state, createKeySpace(''), { defaults, defaultTtlMs });
}

/** The data cache of some keys. */
function cacheOf(
  state: DataState,
  space: KeySpace,
  { defaults, defaultTtlMs }: { readonly defaults: NamespaceOptions; readonly defaultTtlMs: number },
): DataCache {
  const settingsOf: SettingsOf = createSettings(defaults, defaultTtlMs);
  return {
    ...createOperations(state, space, settingsOf),
    ...countersIn(state, space),
    async getOrSet(key, load, options) {
      const settings = settingsOf.load(options, key);
      settings.signal?.throwIfAborted();
      const full = space.full(key);
      const address = addressOf(full);
      if (state.onStack.has(address))
        throw new TypeError(`"${full}": its loader asks for it itself. Load it there, or use another key.`);
      const request = new LoadCall(full, address, settings, load);
      const lookup = state.store.read(address);
      return answer(state, request, lookup instanceof Promise ? await lookup : lookup);
    },
    async getOrSetMany(keys, load, options) {
      options?.signal?.throwIfAborted();
      const wanted = keys.map((key) => ({ key: space.full(key), settings: settingsOf.load(options, key) }));
      return loadMany(state, wanted, { load, nameOf: (key) => key.slice(space.prefix.length) });
    },
    namespace(name, options = {}) {
      checkOptions('namespace', options, NAMESPACE_OPTIONS);
      const tags = [...(defaults.tags ?? []), ...toTags(options.tags ?? [], 'tags')];
      const said = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
      return cacheOf(state, space.within(name), { defaults: { ...defaults, ...said, tags }, defaultTtlMs });
    },
    explain: async (key) => explain(state, space.full(key)),
  };
}

function countersIn({ counters }: DataState, space: KeySpace): Pick<DataCache, 'increment' | 'decrement' | 'counter'> {
  async function add(key: CacheKey, by: number, options: { readonly ttl?: Ttl | undefined } = {}): Promise<number> {
    const full = space.full(key);
    checkOptions('increment', options, ['ttl']);
    const { ttl } = withKeyOptions(key, options);
    if (!Number.isSafeInteger(by)) throw new TypeError(`"${full}": a counter counts in whole numbers.`);
    return counters.add(addressOf(full), by, ttl === undefined ? undefined : toTtlMs(ttl, 'ttl'));
  }
  return {
    increment: async (key, by = 1, options) => add(key, by, options),
    decrement: async (key, by = 1, options) => add(key, -by, options),
    counter: async (key) => counters.get(addressOf(space.full(key))),
  };
}
