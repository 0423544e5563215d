import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { backendOf } from '../../src/cache/backend.ts';
import type { ReclaimProgress } from '../../src/cache/reclaim.ts';
import { createReclaimer } from '../../src/invalidation/reclaim.ts';
import { isCluster, type RedisClient } from '../../src/redis/client.ts';
import { createKeys } from '../../src/redis/keys.ts';
import type { Suite } from '../../src/suite.ts';
import { openSuite, SHARED_BACKENDS } from '../data/backends.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { eventually } from '../support/outages.ts';

async function all(progress: AsyncIterable<ReclaimProgress>): Promise<ReclaimProgress[]> {
  const told: ReclaimProgress[] = [];
  for await (const each of progress) told.push(each);
  return told;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe.each(SHARED_BACKENDS)('reclaiming on %s', (_name, connect) => {
  let connection: RedisClient | undefined;

  async function open(
    count: number,
  ): Promise<{ suite: Suite; prefix: string; redis: RedisClient; kept(): Promise<string[]> }> {
    const redis = (connection ??= connect() as RedisClient);
    const prefix = uniquePrefix();
    const suite = openSuite(redis, { prefix });
    await Promise.all(
      range(count).map((i) => suite.data.set(`${i % 2 === 0 ? 'even' : 'odd'}:${i}`, i, { tags: [`t${i % 4}`] })),
    );
    const kept = async (): Promise<string[]> => {
      const found = await Promise.all(
        (isCluster(redis) ? redis.nodes('master') : [redis]).map((node) => node.keys(`${prefix}:e:*`)),
      );
      return found.flat();
    };
    return { suite, prefix, redis, kept };
  }

  const quietly = { reclaim: 'off' } as const;

  it('removes what was invalidated, whatever way, and nothing that may still be served', async () => {
    const { suite, kept } = await open(400);
    await suite.invalidate({ prefix: 'even:1', ...quietly });
    await suite.invalidate({ tags: ['t2'] });
    await suite.invalidate({ tags: ['t1'], mode: 'soft' });
    await suite.invalidate({ pattern: 'odd:*7', ...quietly });
    const gone = range(400).filter(
      (i) => (i % 2 === 0 && String(i).startsWith('1')) || i % 4 === 2 || (i % 2 === 1 && i % 10 === 7),
    );
    const told = await all(suite.reclaim({ pause: 0 }));
    expect(told.at(-1)).toEqual({ scanned: 400, removed: gone.length, state: 'done' });
    expect(told.length).toBeGreaterThan(3);
    expect(await kept()).toHaveLength(400 - gone.length);
    const states = await Promise.all(
      range(400).map(async (i) => (await suite.data.explain(`${i % 2 === 0 ? 'even' : 'odd'}:${i}`)).state),
    );
    expect(range(400).filter((i) => states[i] === 'absent')).toEqual(gone);
    expect(new Set(states)).toEqual(new Set(['absent', 'fresh', 'stale']));
  });

  it('removes entries of very long keys and of many tags', async () => {
    const { suite, kept } = await open(0);
    await suite.data.set('x'.repeat(100_000), 1);
    await suite.data.set('many', 'x'.repeat(10_000), { tags: range(1_000).map((i) => `${'t'.repeat(200)}${i}`) });
    await suite.invalidate({ all: true, ...quietly });
    expect((await all(suite.reclaim({ pause: 0 }))).at(-1)).toEqual({ scanned: 2, removed: 2, state: 'done' });
    expect(await kept()).toEqual([]);
  });

  it('leaves an entry that was stored at the place of an invalidated one while it was being looked at', async () => {
    const { suite, redis, kept } = await open(40);
    await suite.invalidate({ all: true, ...quietly });
    const refresh = backendStores(suite, redis);
    expect((await all(refresh.sweep)).at(-1)).toEqual({ scanned: 40, removed: 39, state: 'done' });
    expect(await suite.data.get('even:0')).toBe('new');
    expect(await kept()).toHaveLength(1);
  });

  /** A sweep during which an entry is stored anew, after it was judged and before it is removed. */
  function backendStores(suite: Suite, redis: RedisClient): { sweep: AsyncIterable<ReclaimProgress> } {
    const call = redis.call.bind(redis);
    let isStored = false;
    redis.call = (async (...args: Parameters<typeof call>) => {
      if (!isStored && String(args[3]).endsWith(':e:{d:even:0}')) {
        isStored = true;
        await suite.data.set('even:0', 'new');
        redis.call = call;
      }
      return call(...args);
    }) as typeof call;
    return { sweep: suite.reclaim({ pause: 0 }) };
  }

  it('is done behind when a namespace was cleared', async () => {
    const { suite, kept } = await open(10);
    const users = suite.data.namespace('users');
    await users.set('7', 1);
    const reclaimed = new Promise((resolve) => suite.events.once('cache:reclaimed', resolve));
    const cleared = new Promise((resolve) => suite.events.once('cache:cleared', resolve));
    await users.clear();
    expect(await cleared).toEqual({ prefix: 'users:' });
    expect(await reclaimed).toEqual({ scanned: 11, removed: 1 });
    expect(await kept()).toHaveLength(10);
  });

  it('leaves what it cannot read: other versions of this package may', async () => {
    const { suite, prefix, redis, kept } = await open(0);
    const keys = createKeys(prefix);
    await redis.set(keys.entry('d:foreign'), 'x'.repeat(2_000));
    await redis.set(keys.entry('d:short'), 'x');
    await suite.invalidate({ all: true, ...quietly });
    expect((await all(suite.reclaim())).at(-1)).toEqual({ scanned: 2, removed: 0, state: 'done' });
    expect(await kept()).toHaveLength(2);
  });

  it('finds entries whose tags and keys are long', async () => {
    const { suite, kept } = await open(0);
    const tags = range(50).map((i) => `${'long'.repeat(20)}${i}`);
    await suite.data.set('k'.repeat(3_000), 'x'.repeat(100_000), { tags });
    await suite.invalidate({ tags: [tags[49] as string] });
    expect((await all(suite.reclaim())).at(-1)).toMatchObject({ removed: 1, state: 'done' });
    expect(await kept()).toEqual([]);
  });

  it('is done by one process at a time, stops at a signal, and can be left', async () => {
    const { suite } = await open(250);
    await suite.invalidate({ all: true, ...quietly });
    const first = suite.reclaim({ pause: 0 })[Symbol.asyncIterator]();
    expect((await first.next()).value).toMatchObject({ state: 'running' });
    expect(await all(suite.reclaim())).toEqual([{ scanned: 0, removed: 0, state: 'skipped' }]);
    await first.return?.();
    const told = await all(suite.reclaim({ signal: AbortSignal.abort() }));
    expect(told).toEqual([{ scanned: 0, removed: 0, state: 'aborted' }]);
    expect((await all(suite.reclaim({ pause: 0 }))).at(-1)?.state).toBe('done');
  });

  it('is done behind once for many that ask, and told', async () => {
    const { suite, prefix, redis, kept } = await open(50);
    const backend = backendOf({ redis, prefix });
    const told: unknown[] = [];
    suite.events.on('cache:reclaimed', (progress) => told.push(progress));
    const call = redis.call.bind(redis);
    let taken = 0;
    redis.call = ((...args: Parameters<typeof call>) => {
      if (args[0] === 'evalsha' && String(args[3]).includes(':lk:')) taken++; // Not the EVAL where a node does not know it yet.
      return call(...args);
    }) as typeof call;
    const reclaimer = createReclaimer(backend, { delayMs: 20, restMs: 60_000 });
    await suite.invalidate({ prefix: 'even:', ...quietly });
    for (let i = 0; i < 5; i++) reclaimer.request();
    await eventually('memory to be reclaimed', () => told[0]);
    redis.call = call;
    expect(told).toEqual([{ scanned: 50, removed: 25 }]);
    expect(taken).toBe(2); // Its lock was taken once and given back.
    expect(await kept()).toHaveLength(25);
    backend.close();
  });

  it('follows an invalidation of many by itself, unless that says otherwise', async () => {
    const { suite, kept } = await open(20);
    await suite.invalidate({ prefix: 'even:', ...quietly });
    await sleep(1_300);
    expect(await kept()).toHaveLength(20);
    await suite.invalidate({ pattern: 'nothing*' });
    await eventually('memory to be reclaimed', async () => ((await kept()).length === 10 ? true : undefined));
  });
});

describe('reclaiming', () => {
  it('ends at once where entries are in this process’ memory', async () => {
    const suite = openSuite(undefined);
    await suite.data.set('a', 1);
    await suite.invalidate({ all: true });
    expect(await all(suite.reclaim())).toEqual([{ scanned: 0, removed: 0, state: 'done' }]);
  });

  it('stops when Redis is away, and says so', async () => {
    const redis = testRedis();
    const suite = openSuite(redis);
    await suite.data.set('a', 1);
    redis.disconnect();
    expect(await all(suite.reclaim())).toEqual([{ scanned: 0, removed: 0, state: 'degraded' }]);
  });

  it('refuses options it does not have', async () => {
    const suite = openSuite(undefined);
    expect(() => suite.reclaim({ paus: 1 } as never)).toThrow('reclaim has no option "paus"');
    await expect(suite.invalidate({ prefix: 'a', reclaim: 'on' as never })).rejects.toThrow("'background' or 'off'");
  });
});
