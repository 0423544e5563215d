import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { hashKey, QueryClient } from '@tanstack/query-core';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { ConfigError } from '../../src/core/errors.ts';
import { createQueryOptions, keyPrefixOf, type QueryKey } from '../../src/queries/tanstack.ts';
import { createKeys } from '../../src/redis/keys.ts';
import type { Suite } from '../../src/suite.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { openSuite } from '../data/backends.ts';

const json = fc.jsonValue({ maxDepth: 2 });

describe('the cache key of a queryKey', () => {
  it('is one where TanStack Query takes them for one query', () => {
    const part = fc.oneof(
      json,
      fc.constantFrom<unknown>(undefined, new Date(0), new Date(0).toISOString(), 1, 12, '1'),
    );
    const similar = fc.constantFrom<[QueryKey, QueryKey]>(
      [[{ a: 1, b: 2 }], [{ b: 2, a: 1 }]],
      [[{ a: undefined }], [{}]],
      [[undefined], [null]],
      [[Object.assign(Object.create(null) as object, { b: 1, a: 1 })], [{ a: 1, b: 1 }]],
    );
    const keys = fc.array(part, { maxLength: 3 });
    fc.assert(
      fc.property(fc.oneof(fc.tuple(keys, keys), similar), ([one, other]) => {
        expect(keyPrefixOf(one) === keyPrefixOf(other)).toBe(hashKey(one) === hashKey(other));
      }),
    );
  });

  it('begins with that of every shorter one, and with no other', () => {
    fc.assert(
      fc.property(fc.array(json, { maxLength: 3 }), fc.array(json, { maxLength: 3 }), (key, other) => {
        const isBeginning = hashKey(key.slice(0, other.length)) === hashKey(other);
        expect(keyPrefixOf(key).startsWith(keyPrefixOf(other))).toBe(isBeginning);
      }),
    );
    expect(keyPrefixOf(['orders', 12]).startsWith(keyPrefixOf(['orders', 1]))).toBe(false);
    expect(keyPrefixOf(['orders2']).startsWith(keyPrefixOf(['orders']))).toBe(false);
  });

  it('is apart for each user', () => {
    const keys = [{}, { user: 'a' }, { user: 'a",' }, { user: 'user:"a",' }].map((scope) => keyPrefixOf(['me'], scope));
    expect(new Set(keys).size).toBe(4);
    for (const key of keys) expect(keys.filter((other) => other.startsWith(key))).toEqual([key]);
  });

  it('is refused for what is no list, and for a user without a name', () => {
    expect(() => keyPrefixOf('orders' as unknown as QueryKey)).toThrow(ConfigError);
    expect(() => keyPrefixOf(['orders'], { user: '' })).toThrow(ConfigError);
    expect(() => keyPrefixOf(['orders'], { users: 'a' } as object)).toThrow(ConfigError);
  });

  it('is refused for what JSON cannot tell from others, because all share it', () => {
    for (const element of [
      new Map([['tenant', 'a']]),
      new Set([1]),
      () => 1,
      1n,
      { filter: /a/ },
      NaN,
      { page: -Infinity },
    ]) {
      expect(() => keyPrefixOf(['orders', element])).toThrow(ConfigError);
    }
    expect(keyPrefixOf(['orders', { since: new Date(0), to: undefined }])).toContain('1970');
  });
});

describe('a TanStack query on the data cache', () => {
  const prefix = uniquePrefix();
  const redis = testRedis();
  const clients: QueryClient[] = [];
  let suite: Suite;
  beforeAll(() => {
    suite = openSuite(redis, { prefix });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.clear();
  });

  /** Another request on the server, or another process: what they share is the data cache. */
  function client(): QueryClient {
    const created = new QueryClient({ defaultOptions: { queries: { retry: false } } });
    clients.push(created);
    return created;
  }

  /** How long a value is still fresh, as Redis itself knows it. */
  const ttl = async (key: string): Promise<number | undefined> => {
    const left = await redis.pttl(createKeys(prefix).entry(`d:${key}`));
    return left > 0 ? left : undefined;
  };
  const optionsFor = (load: () => string, queryKey: QueryKey = ['orders', { page: 1 }], user?: string) =>
    createQueryOptions({ getOrSet: suite.data.getOrSet, ttl }, { queryKey, load, user, ttl: '1m' });

  it('is loaded once for all clients', async () => {
    expect(await client().fetchQuery(optionsFor(() => 'first'))).toBe('first');
    expect(await client().fetchQuery(optionsFor(() => 'second'))).toBe('first');
  });

  it('is stale when the cached value is, and not asked for before', async () => {
    const queryClient = client();
    const options = optionsFor(() => 'value', ['fresh']);
    expect(options.staleTime()).toBe(0);
    await queryClient.prefetchQuery(options);
    expect(options.staleTime()).toBeGreaterThan(30_000);
    expect(options.staleTime()).toBeLessThanOrEqual(60_000);
    queryClient.setQueryData(['fresh'], 'of the client');
    expect(await queryClient.fetchQuery(options)).toBe('of the client');

    await redis.pexpire(createKeys(prefix).entry(`d:${keyPrefixOf(['fresh'])}`), 20_000);
    const later = optionsFor(() => 'anew', ['fresh']);
    await client().prefetchQuery(later);
    expect(later.staleTime()).toBeGreaterThan(0);
    expect(later.staleTime()).toBeLessThanOrEqual(20_000);
  });

  it('is stale at once when nothing is cached', async () => {
    const away = { getOrSet: async <T>(_key: string, load: () => T | Promise<T>): Promise<T> => load() };
    const options = createQueryOptions({ ...away, ttl: async () => undefined }, { queryKey: ['x'], load: () => 1 });
    expect(await client().fetchQuery(options)).toBe(1);
    expect(options.staleTime()).toBe(0);
  });

  it('is invalidated by the beginning of its key', async () => {
    for (const key of [
      ['shop', 'orders', 1],
      ['shop', 'orders', 12],
      ['shop', 'users'],
    ]) {
      await client().fetchQuery(optionsFor(() => 'old', key));
    }
    await suite.invalidate({ prefix: keyPrefixOf(['shop', 'orders', 1]) });
    const read = (key: QueryKey): Promise<string> => client().fetchQuery(optionsFor(() => 'new', key));
    expect(await read(['shop', 'orders', 1])).toBe('new');
    expect(await read(['shop', 'orders', 12])).toBe('old');
    await suite.invalidate({ prefix: keyPrefixOf(['shop', 'orders']) });
    expect(await read(['shop', 'orders', 12])).toBe('new');
    expect(await read(['shop', 'users'])).toBe('old');
  });

  it('is not shared by users, where it is said whose it is', async () => {
    expect(await client().fetchQuery(optionsFor(() => 'Ada', ['me'], 'ada'))).toBe('Ada');
    expect(await client().fetchQuery(optionsFor(() => 'Ben', ['me'], 'ben'))).toBe('Ben');
    expect(await client().fetchQuery(optionsFor(() => 'nobody', ['me'], 'ada'))).toBe('Ada');
    expect(keyPrefixOf(['b'], { user: 'a' })).not.toBe(keyPrefixOf([], { user: 'a,"b"' }));
  });

  it('takes off the time that a read has taken', async () => {
    const slow = {
      ttl: async () => 1_000,
      getOrSet: async <T>(_key: string, load: () => T | Promise<T>): Promise<T> => sleep(50, await load()),
    };
    const { queryFn, staleTime } = createQueryOptions(slow, { queryKey: ['slow'], load: () => 1 });
    await queryFn();
    expect(staleTime()).toBeLessThan(960);
  });

  it('fails with the error of its loader', async () => {
    const error = new Error('database away');
    const failing = optionsFor(() => {
      throw error;
    }, ['failing']);
    await expect(client().fetchQuery(failing)).rejects.toBe(error);
  });
});
