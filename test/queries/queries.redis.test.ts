import { beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, QueryRefusedError, RedisError } from '../../src/core/errors.ts';
import { cachedPg } from '../../src/queries/cached-pg.ts';
import type { LoadOptions } from '../../src/data/data-cache.ts';
import { createQueries, type Queries, type QueriesOptions, type RunOptions } from '../../src/queries/queries.ts';
import type { Query } from '../../src/queries/query-key.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { closedLater, uniquePrefix } from '../support/connections.ts';
import { eventually } from '../support/outages.ts';
import { BACKENDS, heldLoad, openSuite, SHARED_BACKENDS } from '../data/backends.ts';

const orders = { sql: 'SELECT * FROM orders', tables: ['orders'] };
const items = { sql: 'SELECT * FROM orders JOIN items USING (id)', tables: ['orders', 'items'] };

/** A database that says how often it was asked. */
function counting(queries: Pick<Queries, 'run'>): (query?: Query, options?: RunOptions<number>) => Promise<number> {
  let asked = 0;
  return (query = orders, options = {}) => queries.run(query, () => ++asked, options);
}

describe.each(BACKENDS)('queries on %s', (_name, connect) => {
  let connection: RedisClient | undefined;
  const open = (options: QueriesOptions = {}): Queries =>
    openSuite((connection ??= connect()), { queries: options }).queries;

  // The first write on a server brings its script along, which takes a second trip: a read right behind it would come first.
  beforeAll(async () => {
    const { queries, events } = openSuite((connection ??= connect()));
    let stored = 0;
    events.on('cache:store', () => stored++);
    await Promise.all(Array.from({ length: 40 }, (_, i) => queries.run({ ...orders, params: [i] }, () => i)));
    await eventually('what was stored', () => (stored === 40 ? true : undefined));
  });

  it('asks the database once, however the statement is spelled', async () => {
    const ask = counting(open({ dialect: 'postgres' }));
    expect([await ask(), await ask({ ...orders, sql: 'select *\n from Orders -- all' })]).toEqual([1, 1]);
    expect(await ask({ ...orders, params: [1] })).toBe(2);
    expect(await ask({ ...orders, params: ['1'] })).toBe(3);
  });

  it('asks anew once a table has changed, and for no other table', async () => {
    const queries = open();
    const ask = counting(queries);
    expect([await ask(), await ask(items)]).toEqual([1, 2]);
    await queries.changed('items');
    expect([await ask(), await ask(items)]).toEqual([1, 3]);
    await queries.changed(['ORDERS', 'others']);
    expect([await ask(), await ask(items)]).toEqual([4, 5]);
  });

  it('keeps tenants apart: a change of one drops its results and those over all tenants', async () => {
    const queries = open();
    const ask = counting(queries);
    const of = (tenant?: string): Promise<number> => ask({ ...orders, tenant });
    expect([await of('a'), await of('b'), await of()]).toEqual([1, 2, 3]);
    await queries.changed('orders', { tenant: 'a' });
    expect([await of('b'), await of('a'), await of()]).toEqual([2, 4, 5]);
    await queries.changed('orders');
    expect([await of('a'), await of('b'), await of()]).toEqual([6, 7, 8]);
  });

  it('does not take a tenant for another one, however it is spelled', async () => {
    const queries = open();
    const ask = counting(queries);
    const tenants = ['a', 'a:table:orders', 'a%3A', 'A', 'ä', ':', '*'];
    for (const tenant of tenants) await ask({ ...orders, tenant });
    for (const tenant of tenants.slice(1)) await queries.changed('orders', { tenant });
    expect(await ask({ ...orders, tenant: 'a' })).toBe(1);
    const odd = { ...orders, tables: ['x:table:y'], tenant: 'a' };
    const asked = await ask(odd);
    await queries.changed('y', { tenant: 'a:table:x' });
    expect(await ask(odd)).toBe(asked);
  });

  it('does not keep what was being read while its table changed', async () => {
    const queries = open();
    const held = heldLoad<string>();
    const first = queries.run(orders, held.load);
    await held.begun;
    await queries.changed('orders');
    held.end('old');
    expect(await first).toBe('old');
    expect(await queries.run(orders, () => 'new')).toBe('new');
  });

  it('goes past the cache with skipCache', async () => {
    const ask = counting(open());
    expect([await ask(orders, { skipCache: true }), await ask(), await ask(orders, { skipCache: true })]).toEqual([
      1, 2, 3,
    ]);
    expect(await ask()).toBe(2);
    expect(await ask({ ...orders, sql: 'SELECT now()' }, { skipCache: true })).toBe(4);
  });

  it('refuses what is no pure read before anything runs, unless it is forced', async () => {
    const ask = counting(open());
    const random = { ...orders, sql: 'SELECT random() FROM orders' };
    const refused = ask(random);
    await expect(refused).rejects.toThrow(QueryRefusedError);
    await expect(refused).rejects.toMatchObject({ code: 'ERR_QUERY_REFUSED', message: /RANDOM\(\).*force: true/ });
    await expect(ask({ ...orders, sql: 'DELETE FROM orders' })).rejects.toThrow(QueryRefusedError);
    expect([await ask(random, { force: true }), await ask(random, { force: true })]).toEqual([1, 1]);
  });

  it('takes operations that are not SQL', async () => {
    const ask = counting(open());
    const findMany = { operation: 'Order.findMany', params: { where: { id: 1 }, take: 5 }, tables: ['Order'] };
    expect([await ask(findMany), await ask({ ...findMany, params: { take: 5, where: { id: 1 } } })]).toEqual([1, 1]);
  });

  it('passes errors of the database on, and keeps none', async () => {
    const queries = open();
    const error = new Error('relation does not exist');
    await expect(queries.run(orders, () => Promise.reject(error))).rejects.toBe(error);
    expect(await queries.run(orders, () => 1)).toBe(1);
  });

  it('ends with its ttl and its own tags, too', async () => {
    const suite = openSuite((connection ??= connect()));
    const ask = counting(suite.queries);
    expect([await ask(orders, { tags: ['report'] }), await ask()]).toEqual([1, 1]);
    await suite.invalidate('report');
    await expect(ask(orders, { tags: 'report' as never })).rejects.toThrow('tags must be an array');
    expect(await ask(orders, { ttl: '60ms' })).toBe(2);
    await sleep(90);
    expect(await ask()).toBe(3);
  });

  it('refuses what is not named', async () => {
    const queries = open();
    const ask = counting(queries);
    await expect(ask({ sql: 'SELECT 1' } as unknown as Query)).rejects.toThrow('name the tables');
    await expect(queries.changed([''])).rejects.toThrow(ConfigError);
    await expect(queries.changed('orders', { tenant: '' })).rejects.toThrow(ConfigError);
    await expect(queries.changed('orders', { settle: 'soon' as '1s' })).rejects.toThrow(ConfigError);
    await expect(queries.changed('orders', { settle: '25d' })).rejects.toThrow('a timer takes at most');
    const misspelt = { tenent: 'a' } as object;
    await expect(queries.transaction((tx) => tx.changed('orders', misspelt))).rejects.toThrow(ConfigError);
    expect(await ask({ sql: 'SELECT 1', tables: [] })).toBe(1);
  });

  describe('in a transaction', () => {
    it('drop what has changed once it is committed, and not before', async () => {
      const queries = open();
      const ask = counting(queries);
      await ask();
      const result = await queries.transaction(async (tx) => {
        tx.changed('orders');
        tx.changed(['items', 'orders']);
        expect(await ask()).toBe(1);
        return 'committed';
      });
      expect([result, await ask()]).toEqual(['committed', 2]);
    });

    it('drop nothing when it fails, and pass its error on', async () => {
      const queries = open();
      const ask = counting(queries);
      await ask();
      const error = new Error('rolled back');
      const failed = queries.transaction((tx) => {
        tx.changed('orders');
        throw error;
      });
      await expect(failed).rejects.toBe(error);
      expect(await ask()).toBe(1);
    });

    it('read past the cache, and leave nothing there that may be rolled back', async () => {
      const queries = open();
      await queries.run(orders, () => 'committed');
      await queries.transaction(async (tx) => {
        expect(await tx.run(orders, () => 'mine')).toBe('mine');
        expect(await tx.run(items, () => 'mine')).toBe('mine');
      });
      expect(await queries.run(orders, () => 'anew')).toBe('committed');
      expect(await queries.run(items, () => 'anew')).toBe('anew');
    });

    it('heed what inner ones noted with the outer one, also where they failed', async () => {
      const queries = open();
      const ask = counting(queries);
      expect([await ask(), await ask(items), await ask({ sql: 'SELECT 1', tables: ['log'] })]).toEqual([1, 2, 3]);
      await queries.transaction(async (outer) => {
        await outer.transaction((inner) => inner.changed('items'));
        await outer
          .transaction((inner) => {
            inner.changed('log');
            throw new Error('to the savepoint');
          })
          .catch(() => undefined);
        expect(await ask(items)).toBe(2);
      });
      expect([await ask(), await ask(items), await ask({ sql: 'SELECT 1', tables: ['log'] })]).toEqual([1, 4, 5]);
    });

    it('take no changes any more when they are over', async () => {
      const queries = open();
      const late = await queries.transaction((tx) => tx);
      expect(() => late.changed('orders')).toThrow('the transaction has ended');
    });

    it('narrow what they drop to a tenant', async () => {
      const queries = open();
      const ask = counting(queries);
      expect([await ask({ ...orders, tenant: 'a' }), await ask({ ...orders, tenant: 'b' })]).toEqual([1, 2]);
      await queries.transaction((tx) => tx.changed('orders', { tenant: 'b' }));
      expect([await ask({ ...orders, tenant: 'a' }), await ask({ ...orders, tenant: 'b' })]).toEqual([1, 3]);
    });
  });

  it('purge once more after the time that replicas take', async () => {
    const queries = open({ settle: '150ms' });
    let replica = 'old';
    await queries.run(orders, () => replica);
    const read = (): Promise<string> => queries.run(orders, () => replica);
    await queries.transaction((tx) => tx.changed('orders'));
    expect(await read()).toBe('old'); // From a replica that lags behind.
    replica = 'new';
    expect(await eventually('the new rows', async () => ((await read()) === 'new' ? true : undefined))).toBe(true);
  });
});

describe.each(SHARED_BACKENDS)('queries of two processes on %s', (_name, connect) => {
  it('share results, and heed each other’s changes', async () => {
    const prefix = uniquePrefix();
    const [one, other] = [openSuite(connect(), { prefix }), openSuite(connect(), { prefix })];
    expect(await one.queries.run(orders, () => 1)).toBe(1);
    expect(
      await eventually('what the other stored', async () => {
        const found = await other.queries.run(orders, () => 1, { ttl: '1m' });
        return found === 1 ? found : undefined;
      }),
    ).toBe(1);
    await other.queries.changed('orders');
    expect(await one.queries.run(orders, () => 2)).toBe(2);
  });
});

describe('a query cache', () => {
  it('runs queries while Redis is away, rejects changes, and does not say that a committed transaction has failed', async () => {
    const away = closedLater(new Redis({ port: 1, retryStrategy: () => 1_000 }));
    const { queries } = openSuite(away, { deadline: '50ms', queries: { settle: 1 } });
    expect([await queries.run(orders, () => 1), await queries.run(orders, () => 2)]).toEqual([1, 2]);
    await expect(queries.changed('orders')).rejects.toThrow(RedisError);
    const committed = queries.transaction((tx) => {
      tx.changed('orders');
      return 'committed';
    });
    expect(await committed).toBe('committed');
    await sleep(100); // The second purge fails as well, and nobody waits for it.
  });

  it('asks the data cache to load anew with noCache, and passes its options on', async () => {
    const asked: (LoadOptions | undefined)[] = [];
    const data = {
      getOrSet: async <T>(_key: string, load: () => T | Promise<T>, options?: LoadOptions<T>): Promise<T> => {
        asked.push(options as LoadOptions);
        return load();
      },
    };
    const ask = counting(createQueries(data, { invalidate: async () => undefined }));
    await ask(orders, { noCache: true, ttl: '1m', failSafe: '1h' });
    await ask(orders, { tags: (value) => [`count:${value}`] });
    expect(asked[0]).toMatchObject({
      fresh: true,
      ttl: '1m',
      failSafe: '1h',
      tags: ['table:orders', 'tenant::table:orders'],
    });
    const tags = asked[1]?.tags;
    expect(typeof tags === 'function' && tags(7)).toEqual(['table:orders', 'tenant::table:orders', 'count:7']);
    expect(asked[1]?.fresh).toBe(false);
  });

  it('ends a transaction once its changes are confirmed', async () => {
    const purge = heldLoad<void>();
    const queries = createQueries(openSuite(undefined).data, { invalidate: purge.load });
    let isOver = false;
    const committed = queries.transaction((tx) => tx.changed('orders')).then(() => (isOver = true));
    await purge.begun;
    await sleep(10);
    expect(isOver).toBe(false);
    purge.end();
    await committed;
  });

  it('refuses options that it does not have', () => {
    const { data, invalidate } = openSuite(undefined);
    for (const options of [{ dialect: 'oracle' }, { dialect: 'toString' }, { settle: -1 }, { tables: [] }]) {
      expect(() => createQueries(data, { invalidate }, options as QueriesOptions)).toThrow(ConfigError);
    }
  });

  it('stands before a client in the style of node-postgres where tables are named', async () => {
    let asked = 0;
    const client = { query: async (text: string, values?: unknown[]) => ({ rows: [{ n: ++asked, text, values }] }) };
    const { queries } = openSuite(undefined);
    const db = cachedPg(queries, client);
    const ask = async (values: unknown[], caching?: { tables: string[]; tenant?: string }): Promise<unknown> =>
      (await db.query<{ n: number }>('SELECT $1', values, caching)).rows[0]?.n;
    expect([await ask([1]), await ask([1])]).toEqual([1, 2]);
    const tables = ['orders'];
    expect([await ask([1], { tables }), await ask([1], { tables }), await ask([2], { tables })]).toEqual([3, 3, 4]);
    expect([await ask([1], { tables, tenant: 'a' }), await ask([1], { tables, tenant: 'b' })]).toEqual([5, 6]);
    const count = queries.run({ sql: 'SELECT $1', params: [1], tables }, () => 'not rows');
    expect(await count).toBe('not rows');
  });
});
