import { toMs, toTtlMs } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { toTags } from '../cache/tags.ts';
import type { DataEntryOptions, DataReadOptions, LoadOptions, NamespaceOptions } from './data-cache.ts';
import type { StandardSchema } from './schema.ts';

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
  keep(options: DataEntryOptions | undefined): KeepSettings;
  load<T>(options: LoadOptions<T> | undefined): LoadSettings<T>;
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
  const unsaid = { keep: toKeep({}, 0), load: toLoad({}) };

  function toKeep(options: DataEntryOptions, jitter: number): KeepSettings {
    const { ttl, negativeTtl, staleWhileRevalidate, failSafe, ...rest } = { ...defaults, ...given(options) };
    return {
      freshMs: ttl === undefined ? defaultTtlMs : toTtlMs(ttl, 'ttl'),
      tags: tagsOf(options.tags),
      revalidateMs: toMs(staleWhileRevalidate ?? 0, 'staleWhileRevalidate'),
      failSafeMs: toMs(failSafe ?? 0, 'failSafe'),
      jitter: toPart(rest.jitter ?? jitter, 'jitter'),
      negativeMs: negativeTtl === undefined ? undefined : toTtlMs(negativeTtl, 'negativeTtl'),
    };
  }

  function tagsOf(tags: unknown): readonly string[] {
    const own = tags === undefined ? [] : toTags(tags, 'tags');
    return defaults.tags === undefined ? own : toTags([...defaults.tags, ...own], 'tags');
  }

  function toLoad<T>(options: LoadOptions<T>): LoadSettings<T> {
    const { tags, ...rest } = options;
    const { softTimeout, hardTimeout, refreshAhead, coalesce = 'cluster' } = { ...defaults, ...given(rest) };
    if (!['process', 'cluster'].includes(coalesce)) throw new ConfigError("coalesce is 'process' or 'cluster'.");
    return {
      ...toKeep(typeof tags === 'function' ? rest : { ...rest, tags }, LOADED_JITTER),
      tagsOf: typeof tags === 'function' ? tags : undefined,
      refreshAhead:
        refreshAhead === 'xfetch' || refreshAhead === undefined ? refreshAhead : toPart(refreshAhead, 'refreshAhead'),
      softMs: toLimit(softTimeout, 'softTimeout'),
      hardMs: toLimit(hardTimeout, 'hardTimeout'),
      signal: options.signal,
      coalesce,
      fresh: options.fresh === true,
      schema: options.schema,
    };
  }

  return {
    defaults,
    keep(options) {
      if (options === undefined) return unsaid.keep;
      checkOptions('set', options, KEEP_OPTIONS);
      return toKeep(options, 0);
    },
    load<T>(options: LoadOptions<T> | undefined) {
      if (options === undefined) return unsaid.load;
      checkOptions('getOrSet', options, LOAD_OPTIONS);
      return toLoad(options);
    },
  };
}

/** Checks the options of a read. */
export function schemaOf(options: DataReadOptions | undefined): StandardSchema | undefined {
  if (options === undefined) return undefined;
  checkOptions('get', options, ['schema']);
  return options.schema;
}

/** `undefined` means not given: it does not hide a default. */
function given<T extends object>(options: T): Partial<T> {
  for (const name in options) {
    if (options[name] === undefined) {
      return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
    }
  }
  return options;
}

function toLimit(value: Parameters<typeof toMs>[0] | undefined, option: string): number {
  const ms = value === undefined ? Infinity : toMs(value, option);
  return ms > MAX_TIMER_MS ? Infinity : ms;
}

function toPart(value: unknown, option: string): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value;
  throw new ConfigError(`${option}: ${JSON.stringify(value)} is not a part of a lifetime. Write a number from 0 to 1.`);
}
