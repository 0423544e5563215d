import { toTags } from '../cache/tags.ts';
import type { Ttl } from '../core/duration.ts';

/** A key that brings along how what it stands for is kept. Made by {@link keys}; an object of your own does as well. */
export interface TypedKey {
  readonly key: string;
  /** Default: what the call says, else the cache's `defaultTtl`. */
  readonly ttl?: Ttl | undefined;
  /** Added to those of the call. */
  readonly tags?: readonly string[] | undefined;
}

/** The part of the options of a call that a key may bring along. */
interface KeptOptions {
  readonly ttl?: Ttl | undefined;
  readonly tags?: TagsOf<never>;
}

/** Tags, or how a value tells them. */
type TagsOf<T> = readonly string[] | ((value: T) => readonly string[]) | undefined;

/**
 * The text of a key.
 *
 * @throws {TypeError} When it is neither a string nor a typed key.
 */
export function textOf(key: unknown, where = 'A cache key'): string {
  if (typeof key === 'string') return key;
  const text = typeof key === 'object' && key !== null ? (key as { key?: unknown }).key : undefined;
  if (typeof text !== 'string') {
    throw new TypeError(`${where} must be a string or a typed key, not ${key === null ? 'null' : typeof key}.`);
  }
  return text;
}

/** What a call says about an entry, completed by what its key brings along: the call's `ttl` goes first, tags add up. */
export function withKeyOptions<Options extends KeptOptions>(key: string | TypedKey, options: Options): Options {
  if (typeof key === 'string' || (key.ttl === undefined && key.tags === undefined)) return options;
  return { ...options, ttl: options.ttl ?? key.ttl, tags: bothTags(key.tags ?? [], options.tags) };
}

/** A text in place of a list is refused: taken apart, its letters would be tags that nobody invalidates. */
export function bothTags<T>(own: readonly string[], given: TagsOf<T>): TagsOf<T> {
  const before = toTags(own, 'tags');
  if (given === undefined) return before;
  if (typeof given === 'function') return (value) => [...before, ...toTags(given(value), 'tags')];
  return [...before, ...toTags(given, 'tags')];
}
