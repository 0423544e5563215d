import { checkOptions } from '../core/options.ts';
import { ConfigError } from '../core/errors.ts';
import type { LoadOptions } from './data-cache.ts';
import { apply, type Call, createKeying, type TagFunction } from './keying.ts';
import { createSettings } from './settings.ts';
import { textOf, type TypedKey, withKeyOptions } from './typed-key.ts';

/** Options of {@link wrap}: those of `getOrSet`, and how the key of a call is made. */
export interface WrapOptions<This, Args extends readonly unknown[], Result> extends Omit<
  LoadOptions<Result>,
  'tags' | 'fresh' | 'signal'
> {
  /** Makes the key of the arguments. For a function without arguments a key will do. */
  readonly key?:
    ((this: This, ...args: Args) => string | TypedKey) | ([] extends Args ? string | TypedKey : never) | undefined;
  /** In place of `key`: what the arguments are written behind, types included. They may be plain data, Date, Map, Set, URL and bytes. */
  readonly name?: string | undefined;
  /** What it depends on. Tags of a typed key are added. */
  readonly tags?: readonly string[] | ((this: This, result: Result, ...args: Args) => readonly string[]) | undefined;
}

/** A function whose results are kept. */
export interface Wrapped<This, Args extends readonly unknown[], Result> {
  (this: This, ...args: Args): Promise<Result>;
  /** Calls the function whatever is there, and stores its result. */
  fresh(this: unknown, ...args: Args): Promise<Result>;
  /**
   * Drops the result for these arguments, also one that is being computed.
   *
   * @throws {RedisError} When that could not be confirmed; it is then tried again in the background.
   */
  invalidate(this: unknown, ...args: Args): Promise<void>;
  /** The key of these arguments. */
  keyOf(this: unknown, ...args: Args): string;
}

/** What of the data cache it takes to keep results. */
export interface LoadingCache {
  getOrSet(key: string, load: () => Promise<unknown>, options?: LoadOptions): Promise<unknown>;
  delete(key: string): Promise<void>;
}

/** {@link WrapOptions} of any function. */
export interface AnyWrapOptions extends Omit<LoadOptions<never>, 'tags' | 'fresh' | 'signal' | 'schema'> {
  readonly key?: string | TypedKey | ((this: never, ...args: never) => string | TypedKey) | undefined;
  readonly name?: string | undefined;
  readonly tags?: readonly string[] | TagFunction | undefined;
  readonly schema?: unknown;
}

const WRAP_OPTIONS = [
  'key',
  'name',
  'ttl',
  'tags',
  'staleWhileRevalidate',
  'failSafe',
  'jitter',
  'negativeTtl',
  'refreshAhead',
  'softTimeout',
  'hardTimeout',
  'coalesce',
  'schema',
];

/**
 * The same function, asked once for each key: `const findUser = wrap(suite.data, loadUser, { key: (id) => `user:${id}`, ttl: '1h' })`. Calls at the same time share one, `this` is kept, and errors pass through.
 *
 * @throws {ConfigError} When an option is wrong, or there is neither `key` nor `name`.
 */
export function wrap<This, Args extends readonly unknown[], Result>(
  data: LoadingCache,
  fn: (this: This, ...args: Args) => Result | Promise<Result>,
  options: WrapOptions<This, Args, Result>,
): Wrapped<This, Args, Result> {
  if (typeof fn !== 'function') throw new ConfigError('wrap takes a function.');
  const wrapped: unknown = wrapWith('wrap', () => data, { fn, options });
  return wrapped as Wrapped<This, Args, Result>;
}

/** What is wrong is told where it is written. */
const checkOnce = createSettings({}, 1_000);

/** {@link wrap} on a cache that is asked for at each call. */
export function wrapWith(
  where: string,
  dataOf: () => LoadingCache,
  { fn, options }: { readonly fn: (this: never, ...args: never) => unknown; readonly options: AnyWrapOptions },
): Wrapped<unknown, unknown[], unknown> {
  checkOptions(where, options, WRAP_OPTIONS);
  const { name, key, tags, ...kept } = options;
  checkOnce.load({ ...kept, tags: typeof tags === 'function' ? undefined : tags } as LoadOptions);
  const keying = createKeying(where, { name, key });

  async function load(call: Call, fresh: boolean): Promise<unknown> {
    const made = keying(call);
    const whole = { ...kept, tags: tagsFor(tags, call), ...(fresh && { fresh }) } as LoadOptions;
    return dataOf().getOrSet(textOf(made), async () => apply(fn, call), withKeyOptions(made, whole));
  }

  const wrapped = async function (this: unknown, ...args: unknown[]): Promise<unknown> {
    return load({ self: this, args }, false);
  };
  // As a method of the wrapped function `this` would be that function: it says nothing of the object.
  const selfOf = (self: unknown): unknown => (self === wrapped ? undefined : self);
  return Object.assign(wrapped, {
    async fresh(this: unknown, ...args: unknown[]) {
      return load({ self: selfOf(this), args }, true);
    },
    async invalidate(this: unknown, ...args: unknown[]) {
      await dataOf().delete(textOf(keying({ self: selfOf(this), args })));
    },
    keyOf(this: unknown, ...args: unknown[]) {
      return textOf(keying({ self: selfOf(this), args }));
    },
  });
}

/** Tags of a call's result. A list stays one: what is known before needs not to be asked for after. */
function tagsFor(tags: AnyWrapOptions['tags'], { self, args }: Call): LoadOptions['tags'] {
  if (typeof tags !== 'function') return tags;
  return (result) => apply(tags, { self, args: [result, ...args] });
}
