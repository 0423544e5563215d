import type { ValueCache } from './value-cache.ts';
import type { WriteBehindConfig, WriteBehindRecord } from './write-behind-options.ts';

/** The cached side of what is written: the cache may lose any of it, and fails no write. */
export interface CacheSide<T> {
  remember(record: WriteBehindRecord<T>): Promise<void>;
  forget(key: string): Promise<void>;
}

/** Creates the cached side of a write pattern. `report` is told of what cannot be cached, whose write has happened. */
export function createCacheSide<T>(
  cache: Pick<ValueCache, 'set' | 'delete'>,
  { ttl, tags = [] }: Pick<WriteBehindConfig<T>, 'ttl' | 'tags'>,
  report: (error: unknown) => void,
): CacheSide<T> {
  /** The cache itself sees to it that what could not be deleted now is dropped later. */
  async function forget(key: string): Promise<void> {
    await cache.delete(key).catch(() => undefined);
  }

  return {
    forget,
    async remember(record) {
      if (record.deleted === true) return forget(record.key);
      const { key, value } = record;
      try {
        await cache.set(key, value, { ttl, tags: typeof tags === 'function' ? tags(value, key) : tags });
      } catch (error) {
        await forget(key); // Its tags are wrong, or it cannot be cached: what was cached before may not stay.
        report(error);
      }
    },
  };
}
