import { describe, expect, it } from '@jest/globals';
import { MemoryStore, type Options, rateLimit, type Store } from 'express-rate-limit';
import request from 'supertest';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, rateLimitStore, type RateLimitStoreOptions, RedisError } from '../../src/index.ts';
import { closedLater, testRedis, uniquePrefix } from '../support/connections.ts';
import { eventually } from '../support/outages.ts';
import { reservePort, startRedis } from '../support/redis-server.ts';
import { appOf, statusesOf, suiteOf, visit } from './support.ts';

const redis = testRedis();

function opened(algorithm: 'sliding-window' | 'fixed-window', windowMs = 60_000, limit = 10): Store {
  const store = rateLimitStore({ redis, deadline: '2s', prefix: uniquePrefix(), algorithm });
  void store.init?.({ windowMs, limit } as Options);
  return store;
}

describe.each(['sliding-window', 'fixed-window'] as const)('the %s store of express-rate-limit', (algorithm) => {
  it('counts hits by key, and says when they are forgotten', async () => {
    const store = opened(algorithm);
    expect([await store.increment('a'), await store.increment('a')].map(({ totalHits }) => totalHits)).toEqual([1, 2]);
    const { totalHits, resetTime } = await store.increment('b');
    expect(totalHits).toBe(1);
    expect(Math.abs((resetTime?.getTime() ?? 0) - Date.now() - 60_000)).toBeLessThan(1_500);
  });

  it('decrements, resets and gets', async () => {
    const store = opened(algorithm);
    for (let i = 0; i < 3; i++) await store.increment('a');
    await store.decrement('a');
    expect((await store.get?.('a'))?.totalHits).toBe(2);
    await store.resetKey('a');
    expect((await store.increment('a')).totalHits).toBe(1);
  });

  it('gets nothing of a key that is not there, as numbers and dates', async () => {
    const info = await opened(algorithm).get?.('nobody');
    expect(info?.totalHits).toBe(0);
    expect(Number.isNaN(info?.resetTime?.getTime())).toBe(false);
  });

  it('forgets after the window, and leaves no key when what has expired is decremented', async () => {
    const prefix = uniquePrefix();
    const store = rateLimitStore({ redis, deadline: '2s', prefix, algorithm });
    void store.init?.({ windowMs: 50, limit: 10 } as Options);
    await store.increment('a');
    await sleep(80);
    await store.decrement('a');
    expect(await redis.keys(`${prefix}*`)).toEqual([]);
    expect((await store.increment('a')).totalHits).toBe(1);
  });

  it('limits with express-rate-limit, skips failed requests too', async () => {
    const store = suiteOf({ redis, prefix: uniquePrefix() }).rateLimitStore({ algorithm });
    const app = appOf(rateLimit({ limit: 2, store, skipFailedRequests: true }), (req, res, next) =>
      req.query['fail'] === undefined ? next() : void res.sendStatus(500),
    );
    await request(app).get('/?fail');
    await eventually('the refund', async () => ((await store.get?.('127.0.0.1'))?.totalHits === 0 ? true : undefined));
    expect(statusesOf(await visit(app, 4))).toEqual([200, 200, 429, 429]);
  });

  it('works in memory without a connection', async () => {
    const app = appOf(rateLimit({ limit: 1, store: suiteOf().rateLimitStore({ algorithm }) }));
    expect(statusesOf(await visit(app, 2))).toEqual([200, 429]);
  });

  it('is used once Redis is there, when it was not at the start', async () => {
    const port = await reservePort();
    const client = closedLater(new Redis({ port, retryStrategy: () => 20, disconnectTimeout: 50 }));
    const store = rateLimitStore({ redis: client, prefix: 'late', algorithm });
    await store.init?.({ windowMs: 60_000, limit: 1_000 } as Options);
    await Promise.resolve(store.increment('a')).catch(() => undefined);
    const server = await startRedis([], port);
    try {
      const names = await eventually('a count in Redis', async () => {
        await Promise.resolve(store.increment('a')).catch(() => undefined);
        const found = await client.keys('late:rl*');
        return found.length > 0 ? found : undefined;
      });
      expect(names[0]).toContain('{default:a}');
    } finally {
      client.disconnect();
      await server.stop();
    }
  });
});

describe('the fixed-window store while Redis is away', () => {
  function away(options: RateLimitStoreOptions): Store {
    const client = testRedis();
    const store = rateLimitStore({ redis: client, prefix: uniquePrefix(), algorithm: 'fixed-window', ...options });
    void store.init?.({ windowMs: 60_000, limit: 10 } as Options);
    client.disconnect();
    return store;
  }
  async function hits(store: Store, count: number): Promise<number[]> {
    const totals: number[] = [];
    for (let i = 0; i < count; i++) totals.push((await store.increment('a')).totalHits);
    return totals;
  }

  it.each([
    ['counts in this process', {}, [1, 2, 3]],
    ['counts each hit for as many as there are processes, but the first', { processes: 3 }, [1, 6, 9]],
    ['lets everything pass', { onRedisError: 'allow' }, [1, 1, 1]],
    ['refuses everything', { onRedisError: 'refuse' }, Array.from({ length: 3 }, () => Number.MAX_SAFE_INTEGER)],
  ] as const)('%s where told so', async (_what, options, expected) => {
    expect(await hits(away(options), 3)).toEqual(expected);
  });

  it('gives back where it counted, tells when the window ends, and forgets on demand at Redis too', async () => {
    const store = away({});
    expect(await hits(store, 2)).toEqual([1, 2]);
    await store.decrement('a');
    const { totalHits, resetTime } = (await store.get?.('a')) ?? { totalHits: Number.NaN, resetTime: undefined };
    expect(totalHits).toBe(1);
    expect(Math.abs((resetTime?.getTime() ?? 0) - Date.now() - 60_000)).toBeLessThan(2_000);
    await store.decrement('nobody');
    await expect(store.resetKey('a')).rejects.toBeInstanceOf(RedisError);
    expect((await store.get?.('a'))?.totalHits).toBe(0);
  });

  it('is told in the statistics', async () => {
    const client = testRedis();
    const suite = suiteOf({ redis: client });
    const store = suite.rateLimitStore({ name: 'f', algorithm: 'fixed-window' });
    await store.init?.({ windowMs: 60_000, limit: 10 } as Options);
    await store.increment('a');
    client.disconnect();
    await store.increment('a');
    expect(suite.stats().limits['f']?.withoutRedis).toBe(1);
  });
});

describe('rateLimitStore', () => {
  it('gives a success back although another request was refused meanwhile', async () => {
    const store = suiteOf({ redis, prefix: uniquePrefix() }).rateLimitStore();
    const app = appOf(rateLimit({ limit: 1, store, skipSuccessfulRequests: true }), async (_req, _res, next) => {
      expect(statusesOf(await visit(refusing, 1))).toEqual([429]);
      next();
    });
    const refusing = appOf(rateLimit({ limit: 1, store, skipSuccessfulRequests: true, validate: false }));
    expect(statusesOf(await visit(app, 1))).toEqual([200]);
    await eventually('the refund', async () => ((await store.get?.('127.0.0.1'))?.totalHits === 0 ? true : undefined));
  });

  it('remembers a bounded number of hits that could be given back', async () => {
    const store = suiteOf().rateLimitStore();
    void store.init?.({ windowMs: 3_600_000, limit: 1_000 } as Options);
    for (let i = 0; i <= 10_000; i++) await store.increment(`client ${Math.floor(i / 100)}`);
    await store.decrement('client 0');
    await store.decrement('client 99');
    expect((await store.get?.('client 0'))?.totalHits).toBe(100);
    expect((await store.get?.('client 99'))?.totalHits).toBe(99);
  });

  it('is the sliding window by default, and memory of express-rate-limit for fixed windows without Redis', () => {
    expect(suiteOf().rateLimitStore({ algorithm: 'fixed-window' })).toBeInstanceOf(MemoryStore);
  });

  it('refuses what it cannot do', async () => {
    const create = (options: object): unknown => suiteOf().rateLimitStore(options);
    expect(() => create({ algorithm: 'token-bucket' })).toThrow(ConfigError);
    expect(() => create({ limit: 5 })).toThrow('limit');
    expect(() => create({ algorithm: 'fixed-window', precision: 5 })).toThrow('fixed-window');
    const store = suiteOf().rateLimitStore();
    void store.init?.({ windowMs: 1_000, limit: () => 5 } as unknown as Options);
    await expect(Promise.resolve(store.increment('a'))).rejects.toThrow('limit that is a number');
  });
});
