import { describe, expect, it } from '@jest/globals';
import express from 'express';
import type { RedisClient } from '../../src/redis/client.ts';
import type { Suite, SuiteOptions } from '../../src/suite.ts';
import { definePlan, type WarmItem, type WarmProgress } from '../../src/warm/warm.ts';
import { BACKENDS, heldLoad, openSuite } from '../data/backends.ts';
import { eventually } from '../support/outages.ts';
import { all, items, last } from './plans.ts';

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
