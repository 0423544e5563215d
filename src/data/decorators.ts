import { decorate, type Decorating, type Method } from '../core/decorate.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import type { DataEntryOptions } from './data-cache.ts';
import { createEvictor, type DecoratedSuite, quietly } from './evict.ts';
import { apply, type Call, createKeying, type KeyFunction, type TagFunction } from './keying.ts';
import type { Asked, CheckedDecorator } from './method-decorator.ts';
import { createSettings } from './settings.ts';
import { textOf, type TypedKey, withKeyOptions } from './typed-key.ts';
import { type AnyWrapOptions, wrapWith } from './wrap.ts';

export type { DecoratedSuite } from './evict.ts';

type AnyKey = string | TypedKey | KeyFunction | undefined;
type AnyTags = readonly string[] | TagFunction | undefined;

/** Options of `@cacheable`: those of {@link wrap}. Types of parameters are written down, and compared with the method's. */
export type CacheableOptions<Key, Tags> = Omit<AnyWrapOptions, 'key' | 'tags'> & {
  /** Makes the key of the arguments. `this` is the object. For a method without arguments a key will do. */
  readonly key?: Key;
  /** What the result depends on: a list, or a function of the result and the arguments. */
  readonly tags?: Tags;
};

/** Options of `@cachePut`: how the result is kept. */
export type CachePutOptions<Key, Tags> = Omit<DataEntryOptions, 'tags'> & {
  /** Makes the key of the arguments. */
  readonly key: Key;
  /** What the result depends on: a list, or a function of the result and the arguments. */
  readonly tags?: Tags;
};

/** Options of `@cacheEvict`: what is dropped. Several add up. */
export interface CacheEvictOptions<Key, Tags> {
  /** Makes the key of the arguments. */
  readonly key?: Key;
  /** Everything with one of these tags, responses too: a list, or a function of the result and the arguments. */
  readonly tags?: Tags;
  /** Everything under this name: keys that begin with it and a colon. */
  readonly all?: string | undefined;
  /** Once the method has succeeded, or before it runs, whatever becomes of it. Default: `after`. */
  readonly when?: 'after' | 'before' | undefined;
}

/** Decorators of methods, standard or `experimentalDecorators`. */
export interface Decorators {
  /** Keeps what the method resolves, by {@link wrap}. Objects share what has the same key: where they differ, let `key` say so (`this`). */
  cacheable<const Key extends AnyKey = undefined, const Tags extends AnyTags = undefined>(
    options: CacheableOptions<Key, Tags>,
  ): CheckedDecorator<{ key: Key; tags: Tags }>;
  /** Runs the method always, and stores what it resolves; `undefined`, and what cannot be stored, drops what was stored. */
  cachePut<const Key extends AnyKey, const Tags extends AnyTags = undefined>(
    options: CachePutOptions<Key, Tags>,
  ): CheckedDecorator<{ key: Key; tags: Tags }>;
  /** Drops what the method makes outdated. When Redis does not confirm it, this process heeds it at once and Redis is told as soon as it can be reached. */
  cacheEvict<const Key extends AnyKey = undefined, const Tags extends AnyTags = undefined>(
    options: CacheEvictOptions<Key, Tags>,
  ): CheckedDecorator<{ key: Key; tags: Tags }>;
}

/** Creates decorators for the methods of classes. The suite is asked for when a method is called, so classes may be declared before it exists. */
export function createDecorators(suiteOf: () => DecoratedSuite): Decorators {
  if (typeof suiteOf !== 'function') throw new ConfigError('createDecorators takes a function: () => suite.');
  const dataOf = (): DecoratedSuite['data'] => suiteOf().data;
  return {
    cacheable(options) {
      return decorator('cacheable', (method) => wrapWith('@cacheable', dataOf, { fn: method, options }));
    },
    cachePut(options) {
      const put = createPut(suiteOf, options);
      return decorator('cachePut', (method) => around(method, put));
    },
    cacheEvict(options) {
      const evictor = createEvictor('@cacheEvict', suiteOf, options);
      return decorator('cacheEvict', (method) =>
        around(method, async (call, run) => {
          const evict = evictor.prepare(call);
          if (evictor.when === 'before') await evict();
          const result = await run();
          if (evictor.when === 'after') await evict(result);
          return result;
        }),
      );
    },
  };
}

/** Runs a method, and does something about its result. */
type Advice = (call: Call, run: () => Promise<unknown>) => Promise<unknown>;

function around(method: Method, advice: Advice): (this: unknown, ...args: never) => Promise<unknown> {
  return async function (this: unknown, ...args: readonly unknown[]) {
    const call = { self: this, args };
    return advice(call, async () => apply(method, call));
  };
}

function decorator<Options extends Asked>(
  name: string,
  replace: (method: Method) => (this: unknown, ...args: never) => unknown,
): CheckedDecorator<Options> {
  return ((...call: Decorating) => decorate({ decorator: name, replace }, call)) as CheckedDecorator<Options>;
}

const PUT_OPTIONS = ['key', 'ttl', 'tags', 'staleWhileRevalidate', 'failSafe', 'jitter', 'negativeTtl'];

function createPut(suiteOf: () => DecoratedSuite, options: CachePutOptions<AnyKey, AnyTags>): Advice {
  checkOptions('@cachePut', options, PUT_OPTIONS);
  const { key, tags, ...kept } = options;
  if (key === undefined) throw new ConfigError('@cachePut takes key: the key that the reading method has.');
  createSettings({}, 1_000).keep({ ...kept, tags: typeof tags === 'function' ? undefined : tags });
  const keying = createKeying('@cachePut', { key });

  return async (call, run) => {
    const made = keying(call); // What is wrong with the key is told before anything is written.
    const value = await run();
    const suite = suiteOf();
    await quietly(suite, '@cachePut', async () =>
      replaceWith(suite.data, textOf(made), () => {
        if (value === undefined && kept.negativeTtl === undefined) return undefined;
        const named = typeof tags === 'function' ? apply(tags, { self: call.self, args: [value, ...call.args] }) : tags;
        return { value, options: withKeyOptions(made, { ...kept, tags: named }) };
      }),
    );
    return value;
  };
}

/** Stores a value or drops what was there: the former value must not outlive it. */
async function replaceWith(
  data: DecoratedSuite['data'],
  key: string,
  entryOf: () => { readonly value: unknown; readonly options: DataEntryOptions } | undefined,
): Promise<void> {
  try {
    const entry = entryOf();
    await (entry === undefined ? data.delete(key) : data.set(key, entry.value, entry.options));
  } catch (error) {
    await data.delete(key);
    throw error;
  }
}
