import { afterAll } from '@jest/globals';
import { type Backend, backendOf } from '../../src/cache/backend.ts';
import { createData, type DataCache } from '../../src/data/data.ts';
import {
  createWriteBehind,
  type WriteBehind,
  type WriteBehindOptions,
  type WriteBehindRecord,
} from '../../src/writing/write-behind.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { uniquePrefix } from '../support/connections.ts';

const closers: (() => Promise<void>)[] = [];

afterAll(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

/** A write-behind with what it stands on. */
export interface Opened<T> {
  readonly behind: WriteBehind<T>;
  readonly backend: Backend;
  readonly cache: DataCache;
  readonly prefix: string;
}

export interface OpenOptions {
  readonly prefix?: string;
  readonly deadline?: '100ms' | '5s';
  /** What the write-behind is told is the cache. */
  readonly cacheOf?: (cache: DataCache) => Pick<DataCache, 'get' | 'set' | 'delete'>;
}

/** A write-behind named `test`, closed after the test file. It writes nothing by itself before a minute has passed, unless told otherwise. */
export function openBehind<T = unknown>(
  redis: RedisClient | undefined,
  options: WriteBehindOptions<T>,
  { prefix = uniquePrefix(), deadline = '5s', cacheOf = (cache) => cache }: OpenOptions = {},
): Opened<T> {
  const backend = backendOf(redis === undefined ? { backend: 'memory', prefix } : { redis, prefix, deadline });
  const cache = createData(backend, 60_000);
  const quick = { flushInterval: '1m', backoff: '5ms', closeTimeout: '200ms', ...options } as const;
  const behind = createWriteBehind<T>(backend, cacheOf(cache), 'test', quick);
  closers.push(async () => {
    await behind.close();
    backend.close();
  });
  return { behind, backend, cache, prefix };
}

/** What has been written, and how. */
export interface Sink<T> {
  readonly batches: (readonly WriteBehindRecord<T>[])[];
  /** Key and value of everything, in order. */
  readonly all: () => (readonly [string, T | undefined])[];
  readonly write: WriteBehindOptions<T>['write'];
}

/** A storage that keeps what it gets, unless `refuse` says what is wrong with it. */
export function createSink<T>(
  refuse: (batch: readonly WriteBehindRecord<T>[]) => string | undefined = () => undefined,
): Sink<T> {
  const batches: (readonly WriteBehindRecord<T>[])[] = [];
  return {
    batches,
    all: () => batches.flat().map(({ key, value }) => [key, value] as const),
    write(batch) {
      const reason = refuse(batch);
      if (reason !== undefined) throw new Error(reason);
      batches.push(batch);
    },
  };
}

/** All of them, as an array. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
