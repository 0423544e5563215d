import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisClient } from '../../src/redis/client.ts';
import type { Suite } from '../../src/suite.ts';
import type { ValueItem, WarmItem, WarmProgress } from '../../src/warm/warm.ts';
import { heldLoad, openSuite, SHARED_BACKENDS } from '../data/backends.ts';
import { uniquePrefix } from '../support/connections.ts';
import { eventually } from '../support/outages.ts';
import { items, last } from './plans.ts';

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
