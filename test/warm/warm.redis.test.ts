import { describe, expect, it } from '@jest/globals';
import express from 'express';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../../src/core/errors.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import type { Suite, SuiteOptions } from '../../src/suite.ts';
import { createWarmer, definePlan, type ValueItem, type WarmItem, type WarmProgress } from '../../src/warm/warm.ts';
import { backendOf } from '../../src/cache/backend.ts';
import { BACKENDS, heldLoad, openSuite, SHARED_BACKENDS } from '../data/backends.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { eventually } from '../support/outages.ts';

async function all(progress: AsyncIterable<WarmProgress>): Promise<WarmProgress[]> {
  const told: WarmProgress[] = [];
  for await (const each of progress) told.push(each);
  return told;
}

async function last(progress: AsyncIterable<WarmProgress>): Promise<WarmProgress> {
  return (await all(progress)).at(-1) as WarmProgress;
}

/** Items that note when they are loaded. */
function items(count: number, loaded: string[] = []): ValueItem[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `k${i}`,
    load: async () => {
      loaded.push(`k${i}`);
      return i;
    },
  }));
}

describe.each(BACKENDS)('warming on %s', (_name, connect) => {
  let connection: RedisClient | undefined;
  const open = (options: SuiteOptions = {}): Suite => openSuite((connection ??= connect()), options);

  it('loads what is missing, leaves what is there, and tells how far it is', async () => {
    const suite = open();
    const loaded: string[] = [];
    await suite.data.set('k3', 'there');
    const told = await all(suite.warm(items(20, loaded)));
    expect(told[0]).toMatchObject({ state: 'running', done: 0, failed: 0, total: 20, resumedFrom: 0 });
    expect(told.at(-1)).toMatchObject({ state: 'done', done: 20, failed: 0, total: 20, errors: [] });
    expect(told.at(-1)?.rate).toBeGreaterThan(0);
    expect(told.some(({ etaMs, done }) => done > 0 && done < 20 && etaMs !== undefined)).toBe(true);
    expect(loaded.toSorted()).toEqual(
      items(20)
        .map(({ key }) => key)
        .filter((key) => key !== 'k3')
        .toSorted(),
    );
    expect([await suite.data.get('k7'), await suite.data.get('k3')]).toEqual([7, 'there']);
  });

  it('goes on when items fail, counts them and shows the latest', async () => {
    const suite = open();
    const plan: WarmItem[] = items(20).map(({ key, load }, i) => ({
      key,
      load: i % 2 === 0 ? load : () => Promise.reject(new Error(`no ${i}`)),
    }));
    const end = await last(suite.warm(plan, { concurrency: 1 }));
    expect(end).toMatchObject({ state: 'done', done: 10, failed: 10 });
    expect(end.errors.map(({ item, error }) => `${item} ${error.message}`)).toEqual(
      [11, 13, 15, 17, 19].map((i) => `k${i} no ${i}`),
    );
  });

  it('loads so many at a time, and no more', async () => {
    const suite = open();
    let running = 0;
    let most = 0;
    const plan = items(30).map(({ key }) => ({
      key,
      load: async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
        return key;
      },
    }));
    await last(suite.warm(plan, { concurrency: 3 }));
    expect(most).toBe(3);
  });

  it('begins no more per second than it may', async () => {
    const startedAt = performance.now();
    await last(open().warm(items(11), { perSecond: 25 }));
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(395);
  });

  it('takes plans of any kind, and stops with the error of one that throws', async () => {
    const suite = open();
    async function* generate(): AsyncGenerator<WarmItem> {
      yield* items(3);
    }
    expect(await last(suite.warm(generate()))).toMatchObject({ state: 'done', done: 3 });
    expect(await last(suite.warm(definePlan({ items: generate, total: 3 })))).toMatchObject({ done: 3, total: 3 });
    expect(await last(suite.warm([]))).toMatchObject({ state: 'done', done: 0, total: 0 });
    const broken = new Error('broken');
    const throwing = function* (): Generator<WarmItem> {
      yield* items(2);
      throw broken;
    };
    await expect(all(suite.warm(throwing(), { concurrency: 4 }))).rejects.toBe(broken);
    await expect(all(suite.warm([{ kay: 1 } as never]))).rejects.toThrow('{ key, load }');
    expect((await last(suite.warm(items(1)))).state).toBe('done');
  });

  it('is done once at a time for a name, and then again', async () => {
    const suite = open();
    const held = heldLoad<number>();
    const first = all(suite.warm([{ key: 'slow', load: held.load }], { name: 'one' }));
    await held.begun;
    expect(await all(suite.warm(items(1), { name: 'one' }))).toEqual([
      expect.objectContaining({ state: 'skipped', done: 0 }),
    ]);
    expect((await last(suite.warm(items(1), { name: 'two' }))).state).toBe('done');
    held.end(1);
    expect((await first).at(-1)?.state).toBe('done');
    expect((await last(suite.warm(items(1), { name: 'one' }))).state).toBe('done');
  });

  it('stops at the signal, and when the suite is closed, and begins nothing after that', async () => {
    for (const how of ['signal', 'close'] as const) {
      const suite = open();
      const controller = new AbortController();
      const loaded: string[] = [];
      let end: WarmProgress | undefined;
      let count = Infinity;
      for await (const progress of suite.warm(items(100, loaded), {
        concurrency: 1,
        perSecond: 20,
        signal: controller.signal,
      })) {
        end = progress;
        if (progress.done !== 3) continue;
        count = loaded.length;
        await (how === 'signal' ? controller.abort() : suite.close());
      }
      expect(end?.state).toBe('aborted');
      expect(count).toBeLessThan(20);
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(loaded).toHaveLength(count);
    }
  });

  it('has the items close what they hold open, however it ends', async () => {
    const suite = open();
    let opened = 0;
    const controller = new AbortController();
    async function* generate(): AsyncGenerator<WarmItem> {
      opened++;
      try {
        yield* items(100);
      } finally {
        opened--;
      }
    }
    const slow = definePlan({ items: generate, perSecond: 50, name: 'slow' });
    for await (const { done } of suite.warm(slow)) if (done > 2) break;
    expect(opened).toBe(0);
    for await (const { done } of suite.warm(slow, { signal: controller.signal })) if (done > 4) controller.abort();
    expect(opened).toBe(0);
    expect((await last(suite.warm({ items: generate }, { name: 'all' }))).state).toBe('done');
    expect(opened).toBe(0);
  });

  it('has ended when the suite is closed, also where nobody asks for its progress any more', async () => {
    const suite = open();
    let isOpen = false;
    async function* generate(): AsyncGenerator<WarmItem> {
      isOpen = true;
      try {
        yield* items(100);
      } finally {
        isOpen = false;
      }
    }
    const progress = suite.warm(generate(), { perSecond: 50 })[Symbol.asyncIterator]();
    await progress.next();
    await progress.next();
    expect(isOpen).toBe(true);
    await suite.close();
    expect(isOpen).toBe(false);
  });

  it('warms the responses of an application, one variant each', async () => {
    const suite = open();
    const origins: string[] = [];
    const app = express();
    app.get('/p/:id', suite.cache({ ttl: '1m', vary: ['accept-language'] }), (req, res) => {
      origins.push(`${req.protocol}://${req.hostname}`);
      if (req.params['id'] === '9') res.status(404).end();
      else res.send(`${req.protocol} ${req.hostname} ${req.get('accept-language')} ${String(req.params['id'])}`);
    });
    const plan = definePlan({
      app,
      baseUrl: 'https://shop.example',
      items: [
        { url: '/p/1', headers: { 'Accept-Language': 'de' } },
        { url: '/p/1', headers: { 'Accept-Language': 'en' } },
        { url: 'http://other.example/p/1' },
        { url: '/p/9' },
      ],
    });
    expect(await last(suite.warm(plan))).toMatchObject({ done: 3, failed: 1, errors: [{ item: '/p/9' }] });
    const shop = 'https://shop.example';
    expect(origins.toSorted()).toEqual(['http://other.example', shop, shop, shop]);
    await eventually('the responses to be stored', () => (suite.stats().cache.stores >= 3 ? true : undefined));
    await last(suite.warm(plan, { resume: 'restart' }));
    expect(suite.stats().cache.hits).toBe(3);
  });
});

describe.each(SHARED_BACKENDS)('an interrupted run on %s', (_name, connect) => {
  const redis = connect() as RedisClient;

  /** Warms until so many are done. */
  async function interrupt(suite: Suite, plan: Parameters<Suite['warm']>[0], after: number): Promise<void> {
    for await (const { done } of suite.warm(plan, { concurrency: 1 })) if (done >= after) break;
  }

  it('is gone on with by the next one, in another process too', async () => {
    const prefix = uniquePrefix();
    const loaded: string[] = [];
    await interrupt(openSuite(redis, { prefix }), items(50, loaded), 20);
    const before = loaded.length;
    expect(before).toBeGreaterThanOrEqual(20);
    const suite = openSuite(redis, { prefix });
    await suite.invalidate({ all: true, reclaim: 'off' }); // What is loaded again shows where it goes on.
    const end = await last(suite.warm(items(50, loaded)));
    expect(end).toMatchObject({ state: 'done', done: 50, resumedFrom: before, total: 50 });
    expect(loaded).toHaveLength(50);
    expect(new Set(loaded).size).toBe(50);
    expect(await last(suite.warm(items(50)))).toMatchObject({ resumedFrom: 0, done: 50 });
    await sleep(1_100); // Nothing is saved any more.
    expect(await last(suite.warm(items(50)))).toMatchObject({ resumedFrom: 0, done: 50 });
    expect(suite.events.listenerCount('redis:degraded')).toBe(0);
  });

  it('can be gone on with at once when its suite is closed, whether anybody hears of that or not', async () => {
    const prefix = uniquePrefix();
    const suite = openSuite(redis, { prefix });
    const progress = suite.warm(items(50), { perSecond: 50 })[Symbol.asyncIterator]();
    for (;;) {
      const { value } = (await progress.next()) as IteratorResult<WarmProgress, WarmProgress>;
      if (value.done > 2) break;
    }
    await suite.close();
    const end = await last(openSuite(redis, { prefix }).warm(items(50)));
    expect(end).toMatchObject({ state: 'done', done: 50 });
    expect(end.resumedFrom).toBeGreaterThan(2);
  });

  it('begins anew when the plan is another, when it is told to, and when it cannot be gone through again', async () => {
    for (const next of [
      { plan: items(50).slice(1), options: {} },
      { plan: items(2), options: {} },
      { plan: items(50), options: { resume: 'restart' as const } },
      { plan: items(50).values(), options: {} },
    ]) {
      const suite = openSuite(redis);
      await interrupt(suite, items(50), 10);
      expect(await last(suite.warm(next.plan, next.options))).toMatchObject({ state: 'done', resumedFrom: 0 });
    }
    const suite = openSuite(redis);
    await interrupt(suite, items(50), 10);
    let opened = 0;
    function* cursor(): Generator<ValueItem> {
      opened++;
      try {
        yield* items(50).slice(1);
      } finally {
        opened--;
      }
    }
    await last(suite.warm({ items: cursor }));
    expect(opened).toBe(0); // What was gone through in vain is closed too.
  });

  it('stops also where it is still looking for its place, and closes the items', async () => {
    const prefix = uniquePrefix();
    await interrupt(openSuite(redis, { prefix }), items(50), 20);
    const saved = await redis.get(`${prefix}:wm:{default}`);
    for (const how of ['signal', 'close'] as const) {
      const suite = openSuite(redis, { prefix });
      const controller = new AbortController();
      let state = 'not begun';
      let asked = 0;
      let go: () => void = () => undefined;
      async function* generate(): AsyncGenerator<WarmItem> {
        state = 'open';
        try {
          for (const item of items(50)) {
            if (++asked === 5) await new Promise<void>((resolve) => (go = resolve));
            yield item;
          }
        } finally {
          state = 'closed';
        }
      }
      const end = last(suite.warm({ items: generate }, { signal: controller.signal }));
      await eventually('it to look for its place', () => (asked === 5 ? true : undefined));
      const stopped = how === 'signal' ? controller.abort() : suite.close();
      go();
      await stopped;
      expect((await end).state).toBe('aborted');
      expect([how, state, asked]).toEqual([how, 'closed', 5]);
    }
    expect(await redis.getdel(`${prefix}:wm:{default}`)).toBe(saved);
    await new Promise((resolve) => setTimeout(resolve, 1_200)); // Progress is saved every second.
    expect(await redis.get(`${prefix}:wm:{default}`)).toBeNull();
  });

  it('leaves out nothing that was under way beside what had been finished', async () => {
    const prefix = uniquePrefix();
    const suite = openSuite(redis, { prefix });
    const held = heldLoad<number>();
    const plan = items(30);
    const slow = plan.map(({ key, load }, i) => ({ key, load: i === 2 ? held.load : load }));
    const controller = new AbortController();
    for await (const { done } of suite.warm(slow, { concurrency: 2, signal: controller.signal })) {
      if (done < 10 || controller.signal.aborted) continue;
      controller.abort();
      held.fail(new Error('interrupted'));
    }
    const end = await last(suite.warm(plan));
    expect(end.done + end.failed).toBe(30);
    expect(end.resumedFrom).toBeGreaterThanOrEqual(10);
  });
});

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

  it('loads batches by one call, each key counted', async () => {
    const backend = backendOf({ backend: 'memory', prefix: uniquePrefix() });
    const calls: unknown[] = [];
    const data = {
      getOrSet: () => Promise.reject(new Error('not asked')),
      getOrSetMany: async (keys: readonly string[], _load: unknown, options: unknown) => {
        calls.push([keys, options]);
        return [];
      },
    };
    const plan = [{ keys: ['a', 'b', 'c'], loadMany: () => [1, 2, 3], ttl: '1h' as const }];
    expect(await last(createWarmer(backend, data).warm(plan))).toMatchObject({ done: 3, total: 3 });
    expect(calls).toEqual([[['a', 'b', 'c'], { jitter: 0.1, ttl: '1h' }]]);
    backend.close();
  });

  it('asks a server where it is given no application, and says whose paths it needs', async () => {
    const suite = openSuite(undefined);
    expect(await last(suite.warm([{ url: '/p' }]))).toMatchObject({ failed: 1, errors: [{ item: '/p' }] });
    const app = express().get('/p', (_req, res) => void res.send('p'));
    const server = app.listen(0);
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const plan = definePlan({ baseUrl: `http://localhost:${port}`, items: [{ url: '/p' }, { url: '/none' }] });
    expect(await last(suite.warm(plan))).toMatchObject({ done: 1, failed: 1 });
    server.close();
    server.closeAllConnections();
  });

  it('takes no path for a way to another host', async () => {
    const app = express().use((_req, res) => void res.send('p'));
    for (const url of ['//evil.example/p', '/\\evil.example/p', '/\t/evil.example/p']) {
      const { errors } = await last(openSuite(undefined).warm([{ url }], { app, baseUrl: 'https://shop.example' }));
      expect(errors.map(({ error }) => error.message)).toEqual([expect.stringContaining('leads to evil.example')]);
    }
    const other = [{ url: 'https://other.example/p' }];
    expect(await last(openSuite(undefined).warm(other, { app }))).toMatchObject({ done: 1, errors: [] });
  });

  it('refuses what is wrong', () => {
    const { warm } = openSuite(undefined);
    for (const [plan, options] of [
      [[], { concurrency: 0 }],
      [[], { perSecond: 0 }],
      [[], { jitter: 2 }],
      [[], { resume: true }],
      [[], { baseUrl: '/p' }],
      [[], { rate: 1 }],
      [[], { timeout: '25d' }],
      [{ itmes: [] }, {}],
      [{ items: 7 }, {}],
    ] as [never, never][]) {
      expect(() => warm(plan, options)).toThrow(ConfigError);
    }
  });
});
