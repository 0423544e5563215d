import type { Ttl } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import type { ValueCache } from './value-cache.ts';
import { createCacheSide } from './write-cache-side.ts';
import { checkTags, checkTtl } from './write-behind-options.ts';
import { createKeyQueue } from './write-recorder.ts';
import { checkKey } from './write-values.ts';

/** Options of `writeThrough()`. */
export interface WriteThroughOptions<T> {
  /** Writes a value to where it belongs. It is done when it resolves. */
  readonly write: (key: string, value: T) => unknown;
  /** Deletes it there. Default: `delete` is refused. */
  readonly remove?: ((key: string) => unknown) | undefined;
  /** Lifetime of the cached value. Default: the cache's. */
  readonly ttl?: Ttl | undefined;
  /** What the cached value depends on. */
  readonly tags?: readonly string[] | ((value: T, key: string) => readonly string[]) | undefined;
}

/** Values that are written to where they belong, then cached. */
export interface WriteThrough<T> {
  /**
   * Writes a value, then caches it. What `write` throws passes unchanged; the cached value is dropped then, because a writer that fails may have written all the same (a commit whose
   * answer was lost). A cache that fails does not fail the write: its former value is dropped as soon as Redis can be reached. A value that cannot be cached, or a mistake in `tags`, is
   * told as `cache:error` and as a process warning.
   */
  set(key: string, value: T): Promise<void>;
  /**
   * Removes a value, then from the cache. Fails as `set` does.
   *
   * @throws {ConfigError} When there is no `remove`.
   */
  delete(key: string): Promise<void>;
}

/**
 * Creates a write-through in front of a data cache. Changes of one key are made one after the other in this process.
 *
 * @throws {ConfigError} When an option is wrong.
 */
export function createWriteThrough<T>(
  cache: Pick<ValueCache, 'set' | 'delete'>,
  options: WriteThroughOptions<T>,
  report: (error: unknown) => void,
): WriteThrough<T> {
  checkOptions('writeThrough', options, ['write', 'remove', 'ttl', 'tags']);
  const { write, remove, ttl, tags } = options;
  if (typeof write !== 'function') throw new ConfigError('write: pass a function that writes a value.');
  if (remove !== undefined && typeof remove !== 'function') throw new ConfigError('remove: pass a function of a key.');
  const { remember, forget } = createCacheSide<T>(cache, { ttl: checkTtl(ttl), tags: checkTags(tags) }, report);
  const inOrder = createKeyQueue();

  /** Whatever the outcome, what was cached before does not stay. */
  async function changed(key: string, work: () => unknown): Promise<void> {
    try {
      await work();
    } catch (error) {
      await forget(key);
      throw error;
    }
  }

  return {
    async set(key, value) {
      await inOrder(checkKey(key), async () => {
        await changed(key, () => write(key, value));
        await remember({ key, value, at: new Date() });
      });
    },
    async delete(key) {
      if (remove === undefined)
        throw new ConfigError('writeThrough: pass remove, which deletes a key where it is kept.');
      await inOrder(checkKey(key), async () => {
        await changed(key, () => remove(key));
        await forget(key);
      });
    },
  };
}
