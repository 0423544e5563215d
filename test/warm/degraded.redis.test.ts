import { afterAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WarmItem, WarmProgress } from '../../src/warm/warm.ts';
import { heldLoad, openSuite } from '../data/backends.ts';
import { closedLater, testRedis, uniquePrefix } from '../support/connections.ts';
import { type RedisProcess, reservePort, startRedis } from '../support/redis-server.ts';
import { all, items, last } from './plans.ts';

let server: RedisProcess | undefined;
const late: RedisProcess[] = [];

afterAll(() => Promise.all([server, ...late].map(async (each) => each?.stop())));

describe('warming', () => {
  it('stops when Redis goes away, and when it is away already', async () => {
    const redis = testRedis();
    const suite = openSuite(redis, { deadline: '200ms' });
    let end: WarmProgress | undefined;
    for await (const progress of suite.warm(items(500), { concurrency: 1, perSecond: 200 })) {
      end = progress;
      if (progress.done === 3) redis.disconnect();
    }
    expect(end?.state).toBe('degraded');
    expect(end?.done).toBeLessThan(100);
    expect((await all(suite.warm(items(5)))).map(({ state }) => state)).toEqual(['degraded']);
  });

  it.each([false, true])('begins as soon as its connection is there (lazily: %s)', async (lazyConnect) => {
    const port = await reservePort();
    const redis = closedLater(new Redis({ port, retryStrategy: () => 50, lazyConnect }));
    const suite = openSuite(redis, { deadline: '100ms' });
    const told = last(suite.warm(items(5)));
    await sleep(400);
    late.push(await startRedis([], port));
    expect(await told).toMatchObject({ state: 'done', done: 5 });
  });

  it('does not begin any more when it is stopped before there is a connection', async () => {
    const redis = closedLater(new Redis({ port: await reservePort(), retryStrategy: () => 50 }));
    const suite = openSuite(redis, { deadline: '100ms' });
    const stopping = new AbortController();
    const loaded: string[] = [];
    const told = ['a', 'b'].map((name, i) =>
      last(suite.warm(items(5, loaded), { name, ...(i === 0 && { signal: stopping.signal }) })),
    );
    await sleep(200);
    stopping.abort();
    expect(await told[0]).toMatchObject({ state: 'aborted', done: 0 });
    await suite.close();
    expect(await told[1]).toMatchObject({ state: 'aborted', done: 0 });
    expect(loaded).toEqual([]);
  });

  it('stops when its lock is another’s', async () => {
    const redis = testRedis();
    const prefix = uniquePrefix();
    const suite = openSuite(redis, { prefix });
    const held = heldLoad<number>();
    const told = all(suite.warm([{ key: 'slow', load: held.load }, ...items(5)], { concurrency: 1 }));
    await held.begun;
    await redis.set(`${prefix}:lk:{warm:default}`, 'another');
    await new Promise((resolve) => setTimeout(resolve, 5_400));
    held.end(1);
    expect((await told).at(-1)).toMatchObject({ state: 'degraded', done: 1 });
  });

  it('stops when Redis takes nothing any more, and goes on with what was under way when it does', async () => {
    server = await startRedis();
    const redis = closedLater(new Redis(server.port, server.host));
    const suite = openSuite(redis);
    let isFilling = true;
    async function* plan(): AsyncGenerator<WarmItem> {
      for (const [i, item] of items(50).entries()) {
        if (i === 3 && isFilling) await redis.config('SET', 'maxmemory', '1');
        yield item;
      }
    }
    const end = await last(suite.warm({ items: plan }, { concurrency: 1 }));
    expect(end).toMatchObject({ state: 'degraded', done: 3, failed: 0 });
    isFilling = false;
    await redis.config('SET', 'maxmemory', '0');
    expect(await last(suite.warm({ items: plan }))).toMatchObject({ state: 'done', done: 50 });
    const keys = new Set<string>();
    for await (const key of suite.data.keys()) keys.add(key);
    expect(keys.size).toBe(50);
  });
});
