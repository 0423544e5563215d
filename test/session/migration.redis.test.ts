import { describe, expect, it } from '@jest/globals';
import { RedisStore } from 'connect-redis';
import type { Store } from 'express-session';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSessionStore, type SessionPlaceOptions } from '../../src/index.ts';
import { handleOf } from '../../src/session/handle.ts';
import { create, destroy, openKnown, prepare, regenerate, save, show, touch } from '../../src/testing/session-steps.ts';
import { until } from '../support/waiting.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';
import { holdScript } from './support.ts';

type Phase = 'old' | 'one' | 'two' | 'done';

const PHASES: Record<Exclude<Phase, 'old'>, SessionPlaceOptions> = {
  one: { format: 'json' },
  two: { migrate: true },
  done: {},
};

describe.each([
  ['Redis', () => testRedis()],
  ['Cluster', () => testCluster()],
] as const)('moving from connect-redis 8.1 on %s', (_name, connect) => {
  const redis = connect();
  const other = connect();

  /** Processes of several phases on one place. */
  function processes(phases: readonly Phase[], options: SessionPlaceOptions = {}): Store[] {
    const { prefix = uniquePrefix() } = options;
    const connectRedisPrefix = `${prefix}:old:`;
    return phases.map((phase, i) => {
      const client = i % 2 === 0 ? redis : other;
      if (phase === 'old') return prepare(new RedisStore({ client, prefix: connectRedisPrefix }));
      return prepare(
        createSessionStore({
          redis: client,
          prefix: `${prefix}${i}`,
          deadline: '5s',
          connectRedisPrefix,
          ...PHASES[phase],
          ...options,
        }),
      );
    });
  }

  /** The same, with one prefix: two processes whose hashes are the same place need two connections. */
  function pair(first: Phase, second: Phase): [Store, Store] {
    const prefix = uniquePrefix();
    const options = { deadline: '5s', prefix, connectRedisPrefix: `${prefix}:old:` } as const;
    const open = (client: typeof redis, phase: Phase): Store =>
      prepare(
        phase === 'old'
          ? new RedisStore({ client, prefix: options.connectRedisPrefix })
          : createSessionStore({ redis: client, ...options, ...PHASES[phase] }),
      );
    return [open(redis, first), open(other, second)];
  }

  it('phase one reads what connect-redis wrote, and connect-redis reads what phase one writes', async () => {
    const [old, one] = processes(['old', 'one']) as [Store, Store];
    const id = await create(old, { user: 'ada' });
    const session = await openKnown(one, id);
    session['views'] = 1;
    await save(one, session);
    expect(await show(old, id)).toMatchObject({ user: 'ada', views: 1 });
    const theirs = await openKnown(old, id);
    theirs['views'] = 2;
    await save(old, theirs);
    expect(await show(one, id)).toEqual({ user: 'ada', views: 2 });
    const own = await create(one, { user: 'bob' });
    expect(await show(old, own)).toMatchObject({ user: 'bob' });
    await touch(one, await openKnown(one, own));
    await destroy(old, own);
    expect(await show(one, own)).toBeUndefined();
  });

  it.each(['one', 'two'] as const)('phase %s begins the absolute timeout of what is only read, once', async (phase) => {
    const prefix = uniquePrefix();
    const options = { prefix, absoluteTimeout: '1m', touchInterval: 0 } as const;
    const [old, ours, next] = processes(['old', phase, 'two'], options) as [Store, Store, Store];
    const id = await create(old, { user: 'ada' });
    await touch(ours, await openKnown(ours, id));
    await sleep(300);
    const session = await openKnown(ours, id);
    await touch(ours, session);
    expect(await redis.pttl(`${prefix}:old:${id}`)).toBeLessThan(59_750);
    const moved = await openKnown(next, id);
    moved['views'] = 1;
    await save(next, moved);
    const left = await redis.pttl(`${prefix}:sess:${handleOf(id)}`);
    expect([left > 0, left < 59_750]).toEqual([true, true]);
  });

  it('phase one does not bring back what connect-redis has ended', async () => {
    const [old, one] = processes(['old', 'one']) as [Store, Store];
    const id = await create(old, { user: 'ada' });
    const slow = await openKnown(one, id);
    await destroy(old, id);
    slow['views'] = 1;
    await save(one, slow);
    expect([await show(old, id), await show(one, id)]).toEqual([undefined, undefined]);
  });

  it('phase two moves a session when it changes, and phase one goes on with it', async () => {
    const [one, two] = pair('one', 'two');
    const id = await create(one, { user: 'ada' });
    const [slow, moved] = [await openKnown(one, id), await openKnown(two, id)];
    moved['views'] = 1;
    await save(two, moved);
    slow['cart'] = [1];
    await save(one, slow);
    const all = { user: 'ada', views: 1, cart: [1] };
    expect([await show(one, id), await show(two, id)]).toEqual([all, all]);
    const ends = await openKnown(two, id);
    await regenerate(await openKnown(one, id));
    ends['views'] = 2;
    await save(two, ends);
    expect([await show(one, id), await show(two, id)]).toEqual([undefined, undefined]);
  });

  it('loses no change and brings nothing back when many move a session at once', async () => {
    const [one, two] = pair('one', 'two');
    for (let round = 0; round < 10; round++) {
      const id = await create(one, { user: 'ada' });
      const stores = [two, one, two, two, one, two];
      const sessions = await Promise.all(stores.map((store) => openKnown(store, id)));
      const doomed = round % 2 === 1;
      await Promise.all([
        ...sessions.map((session, i) => {
          session[`p${i}`] = i;
          return save(stores[i] ?? one, session);
        }),
        ...(doomed ? [destroy(round % 4 === 1 ? one : two, id)] : []),
      ]);
      const expected = { user: 'ada', ...Object.fromEntries(stores.map((_store, i) => [`p${i}`, i])) };
      expect([await show(one, id), await show(two, id)]).toEqual(
        doomed ? [undefined, undefined] : [expected, expected],
      );
    }
  });

  it('keeps what a request changes that has read a session before another moved it', async () => {
    const [old, second] = pair('old', 'two');
    const known = await create(old, { user: 'ada' });
    const [first, late] = [await openKnown(second, known), await openKnown(second, known)];
    first['a'] = 1;
    await save(second, first);
    late['b'] = 2;
    await save(second, late);
    expect(await show(second, known)).toEqual({ user: 'ada', a: 1, b: 2 });
  });

  it('leaves no id in any key once it is done, and the last phase reads what was moved', async () => {
    const [old, two] = pair('old', 'two');
    const [, done] = pair('old', 'done');
    const id = await create(old, { user: 'ada' });
    const session = await openKnown(two, id);
    session['views'] = 1;
    await save(two, session);
    expect(await show(old, id)).toBeUndefined();
    expect(await show(done, id)).toBeUndefined();
    expect(await show(two, id)).toEqual({ user: 'ada', views: 1 });
  });
});

describe('a session that is on its way from one format to the other', () => {
  it('does not arrive when it is ended meanwhile, and who ends it waits for that', async () => {
    const [clientOne, clientTwo] = [testRedis(), testRedis()];
    const prefix = uniquePrefix();
    const place = { prefix, deadline: '5s', connectRedisPrefix: `${prefix}:old:` } as const;
    const one = prepare(createSessionStore({ redis: clientOne, ...place, format: 'json' }));
    const two = prepare(createSessionStore({ redis: clientTwo, ...place, migrate: true }));
    const id = await create(one, { user: 'ada' });
    const session = await openKnown(two, id);
    const script = holdScript(clientTwo, `${prefix}:sess:`);
    session['views'] = 1;
    const moved = save(two, session);
    await until(script.held);
    let hasEnded = false;
    const ended = destroy(one, id).then(() => (hasEnded = true));
    await sleep(100);
    expect(hasEnded).toBe(false);
    script.release();
    await ended;
    expect([await show(one, id), await show(two, id)]).toEqual([undefined, undefined]);
    await moved;
    expect([await show(one, id), await show(two, id)]).toEqual([undefined, undefined]);
  });

  it('does not arrive late either, when nobody waits for it any more', async () => {
    const redis = testRedis();
    const admin = testRedis();
    const prefix = uniquePrefix();
    const two = prepare(
      createSessionStore({ redis, prefix, deadline: '5s', connectRedisPrefix: `${prefix}:old:`, migrate: true }),
    );
    const old = prepare(new RedisStore({ client: admin, prefix: `${prefix}:old:` }));
    const id = await create(old, { user: 'ada' });
    const session = await openKnown(two, id);
    const script = holdScript(redis, `${prefix}:sess:`);
    session['views'] = 1;
    const moved = save(two, session);
    await until(script.held);
    await destroy(old, id);
    script.release();
    await moved;
    expect(await show(two, id)).toBeUndefined();
  });
});
