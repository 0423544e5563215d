import { toMs, toTtlMs } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { toTags } from '../cache/tags.ts';
import type { CacheKey, DataEntryOptions, DataReadOptions, LoadOptions, NamespaceOptions } from './data-cache.ts';
import type { StandardSchema } from './schema.ts';
import { withKeyOptions } from './typed-key.ts';

/** How a value is kept, resolved. */
export interface KeepSettings {
  readonly freshMs: number;
  readonly tags: readonly string[];
  readonly revalidateMs: number;
  readonly failSafeMs: number;
  readonly jitter: number;
  /** Absent: `null` is kept like any value, `undefined` not at all. */
  readonly negativeMs: number | undefined;
}

/** How a value is read and loaded, resolved. */
export interface LoadSettings<T = unknown> extends KeepSettings {
  readonly tagsOf: ((value: T) => readonly string[]) | undefined;
  readonly refreshAhead: number | 'xfetch' | undefined;
  readonly softMs: number;
  readonly hardMs: number;
  readonly signal: AbortSignal | undefined;
  readonly coalesce: 'process' | 'cluster';
  readonly fresh: boolean;
  readonly schema: StandardSchema | undefined;
}

/** Names of {@link DataEntryOptions}. */
const KEEP_OPTIONS = ['ttl', 'tags', 'staleWhileRevalidate', 'failSafe', 'jitter', 'negativeTtl'] as const;
/** Names of {@link NamespaceOptions}. */
export const NAMESPACE_OPTIONS = [...KEEP_OPTIONS, 'refreshAhead', 'softTimeout', 'hardTimeout', 'coalesce'] as const;
const LOAD_OPTIONS = [...NAMESPACE_OPTIONS, 'signal', 'fresh', 'schema'];
const LOADED_JITTER = 0.1;
/** Timers of Node hold no more: longer ones would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Turns the options of calls into settings, on top of what a cache or namespace says for all. */
export interface SettingsOf {
  keep(options: DataEntryOptions | undefined, key?: CacheKey): KeepSettings;
  load<T>(options: LoadOptions<T> | undefined, key?: CacheKey): LoadSettings<T>;
  /** The same with other defaults on top. */
  readonly defaults: NamespaceOptions;
}

/**
 * Resolves options.
 *
 * @throws {ConfigError} When one of the defaults is wrong.
 */
export function createSettings(defaults: NamespaceOptions, defaultTtlMs: number): SettingsOf {
  // What most calls say is nothing.
  const defaultTags = toTags(defaults.tags ?? [], 'tags');
  const unsaid = { keep: toKeep({}, undefined, 0), load: toLoad({}) };

  // Made at every call: without copies of the options, which would take longer than all the rest of a hit in memory.
  function toKeep(options: Omit<DataEntryOptions, 'tags'>, tags: unknown, jitter: number): KeepSettings {
    const ttl = said(options.ttl, defaults.ttl);
    const negativeTtl = said(options.negativeTtl, defaults.negativeTtl);
    return {
      freshMs: ttl === undefined ? defaultTtlMs : toTtlMs(ttl, 'ttl'),
      tags: tagsOf(tags),
      revalidateMs: toMs(
        said(options.staleWhileRevalidate, defaults.staleWhileRevalidate) ?? 0,
        'staleWhileRevalidate',
      ),
      failSafeMs: toMs(said(options.failSafe, defaults.failSafe) ?? 0, 'failSafe'),
      jitter: toPart(said(options.jitter, defaults.jitter) ?? jitter, 'jitter'),
      negativeMs: negativeTtl === undefined ? undefined : toTtlMs(negativeTtl, 'negativeTtl'),
    };
  }

  function tagsOf(tags: unknown): readonly string[] {
    if (tags === undefined) return defaultTags;
    const own = toTags(tags, 'tags');
    return defaultTags.length === 0 ? own : toTags([...defaultTags, ...own], 'tags');
  }

  function toLoad<T>(options: LoadOptions<T>): LoadSettings<T> {
    const { tags } = options;
    const coalesce = said(options.coalesce, defaults.coalesce) ?? 'cluster';
    if (!['process', 'cluster'].includes(coalesce)) throw new ConfigError("coalesce is 'process' or 'cluster'.");
    const isComputed = typeof tags === 'function';
    const keep = toKeep(options, isComputed ? undefined : tags, LOADED_JITTER);
    return {
      freshMs: keep.freshMs,
      tags: keep.tags,
      revalidateMs: keep.revalidateMs,
      failSafeMs: keep.failSafeMs,
      jitter: keep.jitter,
      negativeMs: keep.negativeMs,
      tagsOf: isComputed ? tags : undefined,
      refreshAhead: toRefreshAhead(said(options.refreshAhead, defaults.refreshAhead)),
      softMs: toLimit(said(options.softTimeout, defaults.softTimeout), 'softTimeout'),
      hardMs: toLimit(said(options.hardTimeout, defaults.hardTimeout), 'hardTimeout'),
      signal: options.signal,
      coalesce,
      fresh: options.fresh === true,
      schema: toSchema(options.schema),
    };
  }

  return {
    defaults,
    keep(options, key = '') {
      if (options === undefined && typeof key === 'string') return unsaid.keep;
      checkOptions('set', options ?? {}, KEEP_OPTIONS);
      const whole = withKeyOptions(key, options ?? {});
      return toKeep(whole, whole.tags, 0);
    },
    load<T>(options: LoadOptions<T> | undefined, key: CacheKey = '') {
      if (options === undefined && typeof key === 'string') return unsaid.load;
      checkOptions('getOrSet', options ?? {}, LOAD_OPTIONS);
      const whole = withKeyOptions(key, options ?? {});
      return toLoad(whole);
    },
  };
}

/** Checks the options of a read. */
export function schemaOf(options: DataReadOptions | undefined): StandardSchema | undefined {
  if (options === undefined) return undefined;
  checkOptions('get', options, ['schema']);
  return toSchema(options.schema);
}

function toSchema(schema: StandardSchema | undefined): StandardSchema | undefined {
  if (schema === undefined || typeof (schema as Partial<StandardSchema> | null)?.['~standard']?.validate === 'function')
    return schema;
  throw new ConfigError(
    'schema takes a Standard Schema, which has "~standard": of zod from 3.24, valibot from 1, arktype from 2.',
  );
}

/** What a call says goes first. `null` is not unsaid: it is refused. */
function said<T>(own: T | undefined, byDefault: T | undefined): T | undefined {
  return own === undefined ? byDefault : own;
}

function toRefreshAhead(value: LoadOptions['refreshAhead']): number | 'xfetch' | undefined {
  return value === undefined || value === 'xfetch' ? value : toPart(value, 'refreshAhead');
}

function toLimit(value: Parameters<typeof toMs>[0] | undefined, option: string): number {
  const ms = value === undefined ? Infinity : toMs(value, option);
  return ms > MAX_TIMER_MS ? Infinity : ms;
}

function toPart(value: unknown, option: string): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value;
  throw new ConfigError(`${option}: ${JSON.stringify(value)} is not a part of a lifetime. Write a number from 0 to 1.`);
}
