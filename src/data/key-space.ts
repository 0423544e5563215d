import type { CacheKey } from './data-cache.ts';
import { ConfigError } from '../core/errors.ts';
import { entryKey } from '../cache/tags.ts';
import { textOf } from './typed-key.ts';

/** The keys of a data cache or of a namespace in it. */
export interface KeySpace {
  /** What all of its keys begin with, as the register knows them. */
  readonly prefix: string;
  /** A key as the register knows it. */
  full(key: CacheKey): string;
  /** The keys of a namespace in this one. */
  within(name: string): KeySpace;
}

/** Creates the keys that begin with a prefix. */
export function createKeySpace(prefix: string): KeySpace {
  return {
    prefix,
    full(key) {
      return prefix + textOf(key);
    },
    within(name) {
      if (typeof name !== 'string' || name === '') throw new ConfigError("namespace: give it a name such as 'users'.");
      return createKeySpace(`${prefix}${name}:`);
    },
  };
}

/** Where the entry of a key is. */
export function addressOf(key: string): string {
  return entryKey('d', key);
}
