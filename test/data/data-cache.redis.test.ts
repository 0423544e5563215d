import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../../src/core/errors.ts';
import type { Ttl } from '../../src/core/duration.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import type { Suite, SuiteOptions } from '../../src/suite.ts';
import { BACKENDS, heldLoad, openSuite } from './backends.ts';

const never = (): never => {
  throw new Error('must not be loaded');
};

describe.each(BACKENDS)('data cache on %s', (_name, connect, place) => {
  let connection: RedisClient | undefined;
  const open = (options: SuiteOptions = {}): Suite => openSuite((connection ??= connect()), { ...place, ...options });

  describe('get and set', () => {
    it('gives back what was set, first thing in a process', async () => {
      const { data } = open();
      expect(await data.set('user:7', { name: 'Ada' })).toBe(true);
      expect(await data.get('user:7')).toEqual({ name: 'Ada' });
    });

    it('gives undefined for what was never set', async () => {
      expect(await open().data.get('nothing')).toBeUndefined();
    });

    it.each([
      ['an object', { a: [1, { b: null }], c: 'é€😀' }],
      ['null', null],
      ['false', false],
      ['zero', 0],
      ['an empty text', ''],
      ['an empty list', []],
      ['a large text', 'x'.repeat(200_000)],
    ])('keeps %s', async (_what, value) => {
      const { data } = open();
      await data.set('k', value);
      expect(await data.get('k')).toEqual(value);
      expect(await data.getOrSet('k', never)).toEqual(value);
    });

    it('gives back values with their types', async () => {
      const { data } = open();
      const value = { at: new Date(0), nothing: undefined, not: Number.NaN, ids: new Set([1n]), raw: Buffer.from('x') };
      await data.set('k', value);
      expect(await data.get('k')).toStrictEqual(value);
      expect(await data.getOrSet('k', never)).toStrictEqual(value);
    });

    it('gives everybody a value of their own', async () => {
      const { data } = open();
      const value = { list: [1] };
      await data.set('k', value);
      value.list.push(2);
      (await data.get<typeof value>('k'))?.list.push(3);
      expect(await data.get('k')).toEqual({ list: [1] });
    });

    it.each([
      ['a function', () => 1],
      ['a symbol', Symbol('s')],
      ['a cycle', cycle()],
    ])('refuses %s, which cannot be stored, and keeps what was there', async (_what, value) => {
      const { data } = open();
      await data.set('k', 'before');
      await expect(data.set('k', value)).rejects.toThrow(TypeError);
      expect(await data.get('k')).toBe('before');
    });

    it('replaces what was set before, and forgets what was deleted', async () => {
      const { data } = open();
      await data.set('k', 1);
      await data.set('k', 2);
      expect(await data.get('k')).toBe(2);
      await data.delete('k');
      expect(await data.get('k')).toBeUndefined();
      await data.delete('k');
      await data.set('k', 3);
      expect(await data.get('k')).toBe(3);
    });

    it.each([
      '',
      ' ',
      '{}',
      'foo{}{bar}',
      '%7B',
      'a*?[b]',
      'é€😀',
      '__proto__',
      'nul\u0000',
      'x'.repeat(300),
      'x'.repeat(5_000),
    ])('takes the key %j', async (key) => {
      const { data } = open();
      await data.set(key, 'mine');
      await data.set(`${key}x`, 'another');
      expect(await data.get(key)).toBe('mine');
      await data.delete(key);
      expect([await data.get(key), await data.get(`${key}x`)]).toEqual([undefined, 'another']);
    });

    it('refuses a key that is not a string', async () => {
      const { data } = open();
      for (const key of [7, undefined, null, {}] as unknown as string[]) {
        await expect(data.get(key)).rejects.toThrow(TypeError);
        await expect(data.set(key, 1)).rejects.toThrow(TypeError);
        await expect(data.delete(key)).rejects.toThrow(TypeError);
        await expect(data.getOrSet(key, never)).rejects.toThrow(TypeError);
      }
    });

    it('never gives an object another prototype', async () => {
      const { data } = open();
      await data.set('k', JSON.parse('{"a":1,"__proto__":{"isAdmin":true},"b":{"__proto__":{"c":1},"constructor":2}}'));
      const value = await data.get<Record<string, unknown>>('k');
      const copy = Object.assign({}, value) as { isAdmin?: boolean };
      expect(copy.isAdmin).toBeUndefined();
      expect(Object.hasOwn(value ?? {}, '__proto__')).toBe(false);
      expect(JSON.stringify(value)).toBe('{"a":1,"b":{"constructor":2}}');
      await data.set('text', { said: 'the word __proto__ in a text', '\u005f_proto': 1 });
      expect(await data.get('text')).toEqual({ said: 'the word __proto__ in a text', __proto: 1 });
    });
  });

  describe('lifetimes', () => {
    it('forgets a value when its time is over', async () => {
      const { data } = open();
      await data.set('short', 1, { ttl: '50ms' });
      await data.set('long', 1, { ttl: '1m' });
      await sleep(80);
      expect([await data.get('short'), await data.get('long')]).toEqual([undefined, 1]);
      expect(await data.getOrSet('short', () => 2)).toBe(2);
    });

    it('takes the default of the suite, else of CACHE_DEFAULT_TTL', async () => {
      const of = async (suite: Suite): Promise<unknown> => {
        await suite.data.set('k', 1);
        await sleep(80);
        return suite.data.get('k');
      };
      process.env['CACHE_DEFAULT_TTL'] = '40ms';
      try {
        const fromEnvironment = open();
        const fromOption = open({ defaultTtl: 'short' });
        expect(await Promise.all([of(fromEnvironment), of(fromOption)])).toEqual([undefined, 1]);
      } finally {
        delete process.env['CACHE_DEFAULT_TTL'];
      }
    });

    it.each<Ttl>(['short', 'medium', 'standard', 'long', 'veryLong', 'week', '250ms', '1.5h', 60_000])(
      'takes the ttl %j',
      async (ttl) => {
        expect(await open().data.set('k', 1, { ttl })).toBe(true);
      },
    );

    it.each([[60], [0], [-1], [Number.NaN], ['60'], ['5 minutes'], ['0ms'], ['forever'], ['toString'], [null]])(
      'refuses the ttl %j before anything is loaded or stored',
      async (bad) => {
        const { data } = open();
        const ttl = bad as Ttl;
        let loads = 0;
        await data.set('k', 'before');
        await expect(data.set('k', 1, { ttl })).rejects.toThrow(ConfigError);
        await expect(data.getOrSet('other', () => ++loads, { ttl })).rejects.toThrow(ConfigError);
        expect([await data.get('k'), loads]).toEqual(['before', 0]);
      },
    );
  });

  describe('getOrSet', () => {
    it('loads once and remembers', async () => {
      const { data } = open();
      await data.getOrSet('warm', () => 0);
      await sleep(20); // The first fill on a server brings its script along, which takes a second trip.
      let loads = 0;
      for (let i = 0; i < 3; i++) expect(await data.getOrSet('k', () => ++loads)).toBe(1);
      expect(await data.getOrSet('async', async () => 'value')).toBe('value');
      expect(await data.get('async')).toBe('value');
    });

    it('loads once for all who miss at the same time, and gives each a value of their own', async () => {
      const { data } = open();
      const held = heldLoad<{ list: number[] }>();
      const calls = Array.from({ length: 50 }, () => data.getOrSet('k', held.load));
      await held.begun;
      await sleep(20);
      held.end({ list: [1] });
      const values = await Promise.all(calls);
      expect(held.calls()).toBe(1);
      expect(values).toEqual(values.map(() => ({ list: [1] })));
      expect(new Set(values).size).toBe(50);
    });

    it('gives the error of a load, itself, to all who wait, and stores nothing', async () => {
      const { data } = open();
      const error = new Error('database away');
      const held = heldLoad<string>();
      const calls = Array.from({ length: 10 }, () => data.getOrSet('k', held.load).catch((caught: unknown) => caught));
      await held.begun;
      await sleep(20);
      held.fail(error);
      for (const caught of await Promise.all(calls)) expect(caught).toBe(error);
      expect(held.calls()).toBe(1);
      expect(await data.get('k')).toBeUndefined();
      expect(await data.getOrSet('k', () => 'now')).toBe('now');
    });

    it('passes on what a load throws at once, even when it is no error', async () => {
      const { data } = open();
      await expect(data.getOrSet('k', never)).rejects.toThrow('must not be loaded');
      await expect(data.getOrSet('k', () => Promise.reject('text'))).rejects.toBe('text');
      await expect(data.getOrSet('k', () => Promise.reject(undefined))).rejects.toBeUndefined();
    });

    it('does not store undefined', async () => {
      const { data } = open();
      let loads = 0;
      const load = (): undefined => {
        loads++;
        return undefined;
      };
      expect(await data.getOrSet('k', load)).toBeUndefined();
      expect(await data.getOrSet('k', load)).toBeUndefined();
      expect(loads).toBe(2);
    });

    it('gives values that cannot be stored to all who wait, and does not store them', async () => {
      const { data } = open();
      const held = heldLoad<() => number>();
      const calls = [data.getOrSet('k', held.load), data.getOrSet('k', held.load)];
      await held.begun;
      await sleep(20);
      const value = (): number => 1;
      held.end(value);
      expect(await Promise.all(calls)).toEqual([value, value]);
      expect(await data.get('k')).toBeUndefined();
    });

    it('refuses tags that are none, before it loads', async () => {
      const { data } = open();
      let loads = 0;
      for (const tags of ['user', [''], [7], null] as unknown as string[][]) {
        await expect(data.getOrSet('k', () => ++loads, { tags })).rejects.toThrow(TypeError);
        await expect(data.set('k', 1, { tags })).rejects.toThrow(TypeError);
      }
      expect([loads, await data.get('k')]).toEqual([0, undefined]);
    });
  });

  describe('invalidation', () => {
    it('forgets values by tag, key, prefix, pattern and altogether', async () => {
      const suite = open();
      const { data } = suite;
      for (const what of [
        ['user'],
        { keys: ['user:7'] },
        { prefix: 'user:' },
        { pattern: 'u*7' },
        { all: true },
        { tags: ['user', 'team'], match: 'all' },
      ] as const) {
        await data.set('user:7', 'old', { tags: ['user', 'team'] });
        expect(await data.get('user:7')).toBe('old');
        await suite.invalidate(what);
        expect(await data.get('user:7')).toBeUndefined();
      }
    });

    const changes: readonly (readonly [string, (suite: Suite) => Promise<unknown>])[] = [
      ['invalidate', (suite) => suite.invalidate(['user'])],
      ['delete', (suite) => suite.data.delete('k')],
      ['set', (suite) => suite.data.set('k', 'set')],
    ];

    it.each(changes)('never gives the value of a load begun before to who asks after %s', async (name, change) => {
      const suite = open();
      const old = heldLoad<string>();
      const first = suite.data.getOrSet('k', old.load, { tags: ['user'] });
      await old.begun;
      const joined = suite.data.getOrSet('k', () => 'new', { tags: ['user'] });
      await sleep(5);
      await change(suite);
      const after = suite.data.getOrSet('k', () => 'new', { tags: ['user'] });
      await sleep(5);
      old.end('old');
      expect(await first).toBe('old'); // It began before: either value would be right.
      await joined;
      expect(await after).toBe(name === 'set' ? 'set' : 'new');
      await sleep(5);
      expect(await suite.data.getOrSet('k', () => 'again')).toBe(name === 'set' ? 'set' : 'new');
    });

    it('gives a softly purged value once more to everybody, and reloads it once behind', async () => {
      const suite = open();
      await suite.data.set('k', 'old', { tags: ['user'] });
      await suite.invalidate({ tags: ['user'], mode: 'soft' });
      const held = heldLoad<string>();
      const values = await Promise.all(
        Array.from({ length: 20 }, () => suite.data.getOrSet('k', held.load, { tags: ['user'] })),
      );
      expect([...new Set(values)]).toEqual(['old']);
      await held.begun;
      await sleep(20);
      expect(held.calls()).toBe(1);
      held.end('new');
      await sleep(200);
      expect(await suite.data.getOrSet('k', never)).toBe('new');
      expect(suite.stats().data).toMatchObject({ stale: 20, hits: 1 });
    });

    it('goes on giving a softly purged value when reloading fails', async () => {
      const suite = open();
      await suite.data.set('k', 'old', { tags: ['user'] });
      await suite.invalidate({ tags: ['user'], mode: 'soft' });
      expect(await suite.data.getOrSet('k', never)).toBe('old');
      await sleep(10);
      expect(await suite.data.getOrSet('k', never)).toBe('old');
    });
  });

  describe('statistics and events', () => {
    it('counts and tells what happened', async () => {
      const suite = open();
      const told: string[] = [];
      for (const name of ['cache:hit', 'cache:miss', 'cache:stale', 'cache:bypass', 'cache:store'] as const) {
        suite.events.on(name, ({ route, key }) => told.push(`${name} ${route} ${key}`));
      }
      await suite.data.get('a');
      await suite.data.getOrSet('a', () => 1);
      await sleep(20);
      await suite.data.get('a');
      await suite.data.set('b', 2);
      await suite.invalidate({ keys: ['b'], mode: 'soft' });
      await suite.data.get('b');
      await suite.data.getOrSet('b', () => 3);
      expect(told).toEqual([
        'cache:miss data a',
        'cache:miss data a',
        'cache:store data a',
        'cache:hit data a',
        'cache:store data b',
        'cache:miss data b',
        'cache:stale data b',
      ]);
      expect(suite.stats().data).toEqual({
        hits: 1,
        misses: 3,
        stale: 1,
        bypasses: 0,
        stores: 2,
        errors: 0,
        hitRate: 0.4,
      });
      expect(suite.stats().cache.hits).toBe(0);
    });
  });
});

function cycle(): object {
  const value: { self?: object } = {};
  value.self = value;
  return value;
}
