import { afterAll, afterEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { createKeys } from '../../src/redis/keys.ts';
import type { Suite } from '../../src/suite.ts';
import { closedLater, testRedis, testRedisUrl, uniquePrefix } from '../support/connections.ts';
import { eventually } from '../support/outages.ts';
import { BACKENDS, heldLoad, openSuite, SHARED_BACKENDS } from './backends.ts';

const rejections: unknown[] = [];
const onRejection = (reason: unknown): void => void rejections.push(reason);
process.on('unhandledRejection', onRejection);
afterAll(() => void process.off('unhandledRejection', onRejection));

describe.each(BACKENDS)('a call that ends by a signal on %s', (_name, connect, place) => {
  it('ends while the value is looked up, and loads nothing after that', async () => {
    const { data } = openSuite(connect(), place);
    const controller = new AbortController();
    const held = heldLoad<string>();
    const call = data.getOrSet('k', held.load, { signal: controller.signal });
    controller.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    held.end('late');
    await sleep(20);
    expect(await data.getOrSet('k', () => 'mine')).toMatch(/mine|late/);
  });
});

describe.each(BACKENDS)('a call that ends by a signal on %s', (_name, connect, place) => {
  const past = { ttl: '30ms', jitter: 0, coalesce: 'process' } as const;

  it('loads nothing in the place of a load that it may not share', async () => {
    const { data } = openSuite(connect(), place);
    const held = heldLoad<string>();
    const first = data.getOrSet('k', held.load);
    await held.begun;
    await data.delete('k');
    const controller = new AbortController();
    let loads = 0;
    const call = data.getOrSet('k', () => ++loads, { signal: controller.signal });
    controller.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    held.end('old');
    await first;
    expect(loads).toBe(0);
  });

  it('does not stop what is loaded anew behind for others', async () => {
    const { data } = openSuite(connect(), place);
    await data.getOrSet('k', () => 'old', { ...past, staleWhileRevalidate: '1m' });
    await sleep(60);
    const held = heldLoad<string>();
    let refresh: AbortSignal | undefined;
    const load = ({ signal }: { readonly signal: AbortSignal }): Promise<string> => {
      refresh = signal;
      return held.load();
    };
    expect(await data.getOrSet('k', load, { ...past, staleWhileRevalidate: '1m' })).toBe('old');
    await held.begun;
    const controller = new AbortController();
    const call = data.getOrSet('k', load, { ...past, signal: controller.signal });
    await sleep(20);
    controller.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    expect([held.calls(), refresh?.aborted]).toEqual([1, false]);
    held.end('new');
  });
});

describe.each(SHARED_BACKENDS)('a load on %s', (_name, connect, place) => {
  const client = connect();

  it.each(['process', 'cluster'] as const)(
    'is not stored over a delete that Redis remembers no more (%s)',
    async (coalesce) => {
      const prefix = uniquePrefix();
      const { data } = openSuite(client, { prefix, ...place });
      const held = heldLoad<string>();
      const first = data.getOrSet('k', held.load, { coalesce });
      await held.begun;
      await data.delete('k');
      await client?.del(createKeys(prefix).tombstone('d:k'));
      held.end('old');
      await first;
      await sleep(20);
      expect(await data.get('k')).toBeUndefined();
    },
  );

  it('that is stored leaves nothing beside its value', async () => {
    const prefix = uniquePrefix();
    const { data, events } = openSuite(client, { prefix, ...place });
    const stored = new Promise((resolve) => events.on('cache:store', resolve));
    await data.getOrSet('k', () => 1);
    await stored;
    const keys = createKeys(prefix);
    for (const key of [keys.tombstone('d:k'), keys.lease('d:k', '')]) {
      expect(await eventually(key, async () => (await client?.exists(key)) === 0 || undefined)).toBe(true);
    }
  });

  it('whose value is not to be stored keeps nobody waiting', async () => {
    const prefix = uniquePrefix();
    const [one, other] = [openSuite(client, { prefix, ...place }), openSuite(connect(), { prefix, ...place })];
    expect(await one.data.getOrSet('k', ({ skip }) => (skip(), 'mine'))).toBe('mine');
    expect(await other.data.getOrSet('k', () => 'other')).toBe('other');
  });

  it('that another process makes holds up no others of a batch', async () => {
    const prefix = uniquePrefix();
    const [one, other] = [openSuite(client, { prefix, ...place }), openSuite(connect(), { prefix, ...place })];
    const held = heldLoad<string>();
    const first = one.data.getOrSet('a', held.load);
    await held.begun;
    const rest = heldLoad<string[]>();
    const call = other.data.getOrSetMany(['a', 'b'], rest.load);
    await rest.begun;
    rest.end(['b']);
    held.end('a');
    expect([await first, await call]).toEqual(['a', ['a', 'b']]);
  });

  it('that fails behind a stale value is not made once more by another process', async () => {
    const prefix = uniquePrefix();
    const [one, other] = [openSuite(client, { prefix, ...place }), openSuite(connect(), { prefix, ...place })];
    const options = { ttl: '30ms', jitter: 0, staleWhileRevalidate: '1m' } as const;
    await one.data.getOrSet('k', () => 'old', options);
    await sleep(60);
    const held = heldLoad<string>();
    expect(await one.data.getOrSet('k', held.load, options)).toBe('old');
    await held.begun;
    let loads = 0;
    expect(await other.data.getOrSet('k', () => String(++loads), options)).toBe('old');
    await sleep(30);
    held.fail(new Error('no database'));
    await sleep(150); // Longer than whoever waits takes to ask again.
    expect(loads).toBe(0);
  });
});

describe.each(BACKENDS)('a load whose tags are known at its end only, on %s', (_name, connect, place) => {
  it('is not given to who asked after one of them was invalidated', async () => {
    const { data, invalidate } = openSuite(connect(), place);
    const held = heldLoad<string>();
    const first = data.getOrSet('k', ({ tag }) => {
      tag('t');
      return held.load();
    });
    await held.begun;
    await invalidate(['t']);
    const second = data.getOrSet('k', () => 'new');
    await sleep(20);
    held.end('old');
    expect([await first, await second]).toEqual(['old', 'new']);
  });
});

describe.each(SHARED_BACKENDS)('a call that waits for another process on %s', (_name, connect, place) => {
  it('loads nothing once its signal has ended it', async () => {
    const prefix = uniquePrefix();
    const [one, other] = [openSuite(connect(), { prefix, ...place }), openSuite(connect(), { prefix, ...place })];
    const held = heldLoad<string>();
    const failing = one.data.getOrSet('k', held.load);
    await held.begun;
    const controller = new AbortController();
    let loads = 0;
    const call = other.data.getOrSet('k', () => ++loads, { signal: controller.signal });
    await sleep(30);
    controller.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    held.fail(new Error('no database'));
    await expect(failing).rejects.toThrow('no database');
    await sleep(150); // Longer than whoever waits takes to ask again.
    expect(loads).toBe(0);
    expect(await one.data.getOrSet('k', () => 'free')).toBe('free'); // Nobody holds it.
  });
});

describe.each(SHARED_BACKENDS)('a call that waits on %s while something is invalidated', (_name, connect, place) => {
  it('loads what can be stored', async () => {
    const prefix = uniquePrefix();
    const [one, other] = [openSuite(connect(), { prefix, ...place }), openSuite(connect(), { prefix, ...place })];
    const held = heldLoad<string>();
    const first = one.data.getOrSet('k', held.load, { tags: ['t'] });
    await held.begun;
    const call = other.data.getOrSet('k', () => 'new', { tags: ['t'] });
    await sleep(30);
    await other.invalidate(['t']);
    expect(await call).toBe('new');
    await sleep(20);
    expect(await one.data.get('k')).toBe('new');
    held.end('old');
    expect(await first).toBe('old');
    await sleep(20);
    expect(await one.data.get('k')).not.toBe('old');
  });
});

describe.each(SHARED_BACKENDS)('a load on %s that took the place of an invalidated one', (_name, connect, place) => {
  it('is stored though that ends first', async () => {
    const prefix = uniquePrefix();
    const [one, other] = [openSuite(connect(), { prefix, ...place }), openSuite(connect(), { prefix, ...place })];
    const [old, fresh] = [heldLoad<string>(), heldLoad<string>()];
    const first = one.data.getOrSet('k', old.load, { tags: ['t'] });
    await old.begun;
    await other.invalidate(['t']);
    const call = other.data.getOrSet('k', fresh.load, { tags: ['t'] });
    await fresh.begun;
    old.end('old');
    await first;
    await sleep(20);
    const stored = new Promise((resolve) => other.events.on('cache:store', resolve));
    fresh.end('new');
    expect(await call).toBe('new');
    await stored;
    expect(await one.data.get('k')).toBe('new');
  });
});

describe('what Redis refuses to store', () => {
  it('is not left beside its place', async () => {
    const [prefix, client] = [uniquePrefix(), testRedis()];
    const { data } = openSuite(client, { prefix });
    const held = heldLoad<string>();
    const first = data.getOrSet('k', held.load);
    await held.begun;
    await data.set('k', 'mine');
    held.end('old');
    await first;
    await Promise.all([1, 2, 3].map((n) => data.setIfAbsent('l', n)));
    await sleep(20);
    expect(await client.keys(`${prefix}:f:*`)).toEqual([]);
  });
});

describe('a load that all have left who waited for it', () => {
  it('is not shared with who came while they left', async () => {
    const { data } = openSuite(undefined);
    const controller = new AbortController();
    const first = data.getOrSet(
      'k',
      ({ signal }) =>
        new Promise<string>((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('told to stop')));
        }),
      { signal: controller.signal },
    );
    await sleep(5);
    const second = data.getOrSet('k', () => 'mine');
    controller.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    expect(await second).toBe('mine');
  });
});

describe('a load that never ends', () => {
  afterEach(() => void jest.useRealTimers());

  it('is replaced by one other after half a minute, for all who wait', async () => {
    const { data } = openSuite(undefined);
    jest.useFakeTimers({ now: Date.now() });
    let loads = 0;
    const load = (): Promise<number> | number => (++loads === 1 ? new Promise<number>(() => undefined) : loads);
    const calls = Array.from({ length: 5 }, () => data.getOrSet('k', load));
    await jest.advanceTimersByTimeAsync(29_000);
    expect(loads).toBe(1);
    await jest.advanceTimersByTimeAsync(2_000);
    expect(await Promise.all(calls.slice(1))).toEqual([2, 2, 2, 2]);
    expect(await data.get('k')).toBe(2);
  });

  it('is told to stop after two minutes, but not one that has ended', async () => {
    const { data } = openSuite(undefined);
    jest.useFakeTimers({ now: Date.now() });
    const signals: AbortSignal[] = [];
    void data.getOrSet('endless', ({ signal }) => new Promise(() => signals.push(signal)));
    await data.getOrSet('ends', ({ signal }) => signals.push(signal));
    await jest.advanceTimersByTimeAsync(121_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });
});

describe.each(BACKENDS)('a shared load that fails on %s', (_name, connect, place) => {
  it('is told of once, however many get something older in its place', async () => {
    const suite = openSuite(connect(), place);
    const told: string[] = [];
    suite.events.on('cache:error', ({ operation, error }) => told.push(`${operation}: ${error.message}`));
    const options = { ttl: '30ms', jitter: 0, failSafe: '1m' } as const;
    await suite.data.getOrSet('k', () => 'old', options);
    await sleep(60);
    const held = heldLoad<string>();
    const calls = Array.from({ length: 10 }, () => suite.data.getOrSet('k', held.load, options));
    await held.begun;
    const late = suite.data.getOrSet('k', held.load, { ...options, softTimeout: '10ms' });
    expect(await late).toBe('old');
    held.fail(new Error('database is away'));
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['old']));
    expect([held.calls(), told]).toEqual([1, ['load "k": database is away']]);
  });
});

describe('on a Redis that answers reads and refuses everything else', () => {
  const user = uniquePrefix();
  const admin = testRedis();
  afterAll(async () => void (await admin.acl('DELUSER', user)));

  /** On a connection of somebody who may do everything yet. */
  async function openAs(username: string): Promise<Suite> {
    await admin.acl('SETUSER', username, 'on', '>secret', '~*', '&*', '+@all');
    return openSuite(closedLater(new Redis(testRedisUrl(), { username, password: 'secret' })));
  }

  it('those who come during a load share one other', async () => {
    const { data } = await openAs(user);
    await data.set('other', 1);
    await admin.acl('SETUSER', user, '-@write', '-@scripting');
    const held = heldLoad<string>();
    const first = data.getOrSet('k', held.load);
    await held.begun;
    let loads = 0;
    const load = async (): Promise<number> => sleep(30, ++loads);
    const values = await Promise.all(Array.from({ length: 50 }, () => data.getOrSet('k', load)));
    expect(Math.max(...values)).toBeLessThanOrEqual(2);
    expect(loads).toBeLessThanOrEqual(2);
    held.end('first');
    expect(await first).toBe('first');
  });

  it('a delete that it refuses is heeded all the same', async () => {
    const { data } = await openAs(user);
    await data.set('k', 1);
    await admin.acl('SETUSER', user, '-unlink');
    await expect(data.delete('k')).rejects.toThrow('NOPERM');
    expect(await data.get('k')).toBeUndefined();
  });

  it('nothing is stored by a load that nobody was asked about', async () => {
    const { data } = await openAs(user);
    await data.set('other', 1);
    await admin.acl('SETUSER', user, '-@scripting');
    const held = heldLoad<string>();
    const first = data.getOrSet('k', held.load);
    await held.begun;
    await data.delete('k');
    held.end('old');
    expect(await first).toBe('old');
    await sleep(20);
    expect(await data.get('k')).toBeUndefined();
  });
});

describe('all of that', () => {
  it('leaves no rejection unheeded', async () => {
    await sleep(20);
    expect(rejections).toEqual([]);
  });
});
