import { afterAll } from '@jest/globals';
import { backendOf } from '../../src/cache/backend.ts';
import type { CacheStore } from '../../src/cache/store.ts';
import type { Bytes } from '../../src/core/bytes.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import type { CacheStoreAdapter } from '../../src/testing/testing.ts';
import { uniquePrefix } from '../support/connections.ts';

/** The Redis store on connections that `connect` makes: one for each of the two processes. */
export function redisStores(
  connect: () => RedisClient,
  { maxStalenessMs = 0, memory }: { readonly maxStalenessMs?: number; readonly memory?: Bytes } = {},
): CacheStoreAdapter {
  const one = connect();
  const other = connect();
  const opened: { close(): void }[] = [];
  afterAll(() => {
    for (const backend of opened) backend.close();
  });

  function open(redis: RedisClient, prefix: string): CacheStore {
    // Patient: this is about what is found, on machines that may be busy.
    const backend = backendOf({ redis, prefix, maxStaleness: maxStalenessMs, deadline: '5s', memory });
    opened.push(backend);
    return backend.store;
  }

  return {
    maxStalenessMs,
    openStore: () => open(one, uniquePrefix()),
    openPair() {
      const prefix = uniquePrefix();
      return [open(one, prefix), open(other, prefix)];
    },
  };
}
