import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DataCache } from '../../src/data/data.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import type { Suite, SuiteOptions } from '../../src/suite.ts';
import { eventually } from '../support/outages.ts';
import { BACKENDS, heldLoad, openSuite } from './backends.ts';

async function listed(data: DataCache, pattern?: string): Promise<string[]> {
  const keys = new Set<string>();
  for await (const key of data.keys(pattern)) keys.add(key);
  return [...keys].toSorted();
}

describe.each(BACKENDS)('operations on %s', (_name, connect, place) => {
  let connection: RedisClient | undefined;
  const open = (options: SuiteOptions = {}): Suite => openSuite((connection ??= connect()), { ...place, ...options });

  it('set, get and delete many', async () => {
    const { data } = open();
    const pairs = Array.from({ length: 300 }, (_, i) => [`k${i}`, i] as const);
    expect(await data.setMany(pairs)).toBe(true);
    expect(await data.setMany({ x: 'x', y: null })).toBe(true);
    expect(await data.getMany([...pairs.map(([key]) => key), 'missing', 'x', 'y', 'x'])).toEqual([
      ...pairs.map(([, value]) => value),
      undefined,
      'x',
      null,
      'x',
    ]);
    await data.deleteMany(['k0', 'x', 'never there']);
    expect(await data.getMany(['k0', 'k1', 'x'])).toEqual([undefined, 1, undefined]);
    expect(await data.getMany([])).toEqual([]);
  });

  it('store all of many or none when one cannot be stored', async () => {
    const { data } = open();
    await expect(data.setMany({ good: 1, bad: () => 1 })).rejects.toThrow(TypeError);
    expect(await data.has('good')).toBe(false);
  });

  it('store the last of those with the same key', async () => {
    const { data } = open({ data: { compressAbove: '1kb' } });
    await data.setMany([
      ['k', 'x'.repeat(1_000_000)], // Compressing it takes longer than storing the other.
      ['k', 'last'],
    ]);
    expect(await data.get('k')).toBe('last');
  });

  it('keep a value of 10 MB, at a key with braces', async () => {
    const { data } = open();
    const [key, large] = ['foo{}{bar}', 'x'.repeat(10_000_000)];
    expect(await data.set(key, large)).toBe(true);
    expect((await data.get<string>(key))?.length).toBe(10_000_000);
    expect(await data.getMany([key, '{bar}'])).toEqual([large, undefined]);
    expect(await data.setIfAbsent(key, 'other')).toBe(false);
    const loaded = await data.getOrSet(`${key}{}`, () => large);
    expect(loaded.length).toBe(10_000_000);
    await eventually('it to be stored', async () => ((await data.has(`${key}{}`)) ? true : undefined));
    await data.deleteMany([key, `${key}{}`]);
    expect([await data.has(key), await data.has(`${key}{}`)]).toEqual([false, false]);
  });

  it('say whether there is a value, and for how long', async () => {
    const { data } = open();
    expect([await data.has('k'), await data.ttl('k')]).toEqual([false, undefined]);
    await data.set('k', undefined, { ttl: '1m' });
    expect(await data.has('k')).toBe(true);
    const ttl = await data.ttl('k');
    expect(ttl).toBeGreaterThan(50_000);
    expect(ttl).toBeLessThanOrEqual(60_000);
  });

  it('give a value another lifetime, or begin it anew', async () => {
    const { data } = open();
    await data.set('k', { large: 'x'.repeat(10_000) }, { ttl: '1m' });
    expect(await data.expire('k', '1h')).toBe(true);
    expect(await data.ttl('k')).toBeGreaterThan(3_000_000);
    await data.set('short', 1, { ttl: '500ms' });
    expect(await data.expire('short', '1m')).toBe(true);
    expect(await data.expire('k', '20s')).toBe(true);
    await sleep(550);
    expect(await data.get('short')).toBe(1);
    const left = (await data.ttl('k')) ?? 0;
    expect(left).toBeLessThan(19_800);
    expect(await data.touch('k')).toBe(true);
    expect(await data.ttl('k')).toBeGreaterThan(left);
    expect(await data.get('k')).toEqual({ large: 'x'.repeat(10_000) });
    expect(await data.expire('k', '30ms')).toBe(true);
    await eventually('it to end', async () => ((await data.get('k')) === undefined ? true : undefined));
    expect([await data.expire('k', '1h'), await data.touch('k')]).toEqual([false, false]);
  });

  it('do not bring back what was invalidated', async () => {
    const suite = open();
    await suite.data.set('k', 1, { tags: ['t'] });
    await suite.invalidate(['t']);
    expect([await suite.data.expire('k', '1h'), await suite.data.get('k')]).toEqual([false, undefined]);
    expect(await suite.data.setIfAbsent('k', 2)).toBe(true);
  });

  it('store for one caller only if there is nothing', async () => {
    const { data } = open();
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => data.setIfAbsent('k', i)));
    expect(outcomes.filter(Boolean)).toHaveLength(1);
    expect(await data.get('k')).toBe(outcomes.indexOf(true));
    await data.set('short', 1, { ttl: '30ms' });
    await sleep(60);
    expect(await data.setIfAbsent('short', 2)).toBe(true);
  });

  it('count', async () => {
    const { data } = open();
    expect(await data.counter('visits')).toBe(0);
    await Promise.all(Array.from({ length: 50 }, () => data.increment('visits')));
    expect(await data.increment('visits', 5)).toBe(55);
    expect(await data.decrement('visits', 60)).toBe(-5);
    expect(await data.counter('visits')).toBe(-5);
    expect(await data.get('visits')).toBeUndefined();
    await data.clear();
    expect(await data.counter('visits')).toBe(-5);
    await data.delete('visits');
    expect(await data.counter('visits')).toBe(0);
    await expect(data.increment('visits', 0.5)).rejects.toThrow(TypeError);
    await expect(data.increment('visits', Number.MAX_VALUE)).rejects.toThrow(TypeError);
  });

  it('take the lifetime of a counter from its key, and refuse what they do not know', async () => {
    const { data } = open();
    const day = { key: 'today', ttl: '40ms', tags: ['t'] } as const;
    expect(await data.increment(day, 2)).toBe(2);
    await eventually('it to end', async () => ((await data.counter(day)) === 0 ? true : undefined));
    await expect(data.increment('k', 1, { tll: '1h' } as object)).rejects.toThrow('no option "tll"');
    await expect(data.decrement('k', 1, 60_000 as never)).rejects.toThrow('takes an object');
    expect(await data.counter('k')).toBe(0);
  });

  it('end a counter so long after it began, however often it is counted', async () => {
    const { data } = open();
    const count = (): Promise<number> => data.increment('k', 1, { ttl: '400ms' });
    expect([await count(), await count()]).toEqual([1, 2]);
    await eventually('its end', async () => ((await count()) === 1 ? true : undefined));
  });

  it('list the keys of values that are there', async () => {
    const suite = open();
    const { data } = suite;
    await data.setMany({ 'user:1': 1, 'user:2': 2, 'user:10': 3, 'job:1': 4, 'user:{x}': 5 });
    await data.set('user:dead', 1, { tags: ['t'] });
    await suite.invalidate(['t']);
    await data.delete('user:2');
    expect(await listed(data)).toEqual(['job:1', 'user:1', 'user:10', 'user:{x}']);
    expect(await listed(data, 'user:*')).toEqual(['user:1', 'user:10', 'user:{x}']);
    expect(await listed(data, 'user:?')).toEqual(['user:1']);
    expect(await listed(data, 'user:1')).toEqual(['user:1']);
    expect(await listed(data, String.raw`user:\*`)).toEqual([]);
    const tags = Array.from({ length: 1_000 }, (_, i) => `a tag that is not short ${i}`);
    await data.set('many tags', 1, { tags });
    await data.set(`long ${'x'.repeat(5_000)}`, 1);
    expect(await listed(data, '*o* *')).toEqual([`long ${'x'.repeat(5_000)}`]);
    expect(await listed(data, 'many*')).toEqual(['many tags']);
  });

  it('are stored by the thousand, none left out', async () => {
    const { data } = open();
    const keys = Array.from({ length: 1_001 }, (_, i) => `k${i}`);
    expect(await data.setMany(new Map(keys.map((key) => [key, key])))).toBe(true);
    expect(await data.getMany(keys)).toEqual(keys);
    await data.set('nothing', null, { ttl: '1h', negativeTtl: '1m' });
    expect(await data.ttl('nothing')).toBeLessThanOrEqual(60_000);
  });

  it('clear all values, those that are being loaded too', async () => {
    const { data } = open();
    await data.setMany({ a: 1, b: 2 });
    const held = heldLoad<string>();
    const call = data.getOrSet('c', held.load);
    await held.begun;
    await data.clear();
    held.end('old');
    await call;
    await sleep(20);
    expect(await data.getMany(['a', 'b', 'c'])).toEqual([undefined, undefined, undefined]);
    expect(await data.set('a', 3)).toBe(true);
    expect(await data.get('a')).toBe(3);
  });

  describe('in a namespace', () => {
    it('have keys and defaults of their own', async () => {
      const suite = open();
      const users = suite.data.namespace('users', { ttl: '1h', tags: ['users'] });
      const admins = users.namespace('admins', { tags: ['admins'] });
      await users.set('7', 'Ada');
      await admins.set('7', 'Grace');
      await suite.data.set('7', 'none');
      expect([await users.get('7'), await admins.get('7'), await suite.data.get('users:7')]).toEqual([
        'Ada',
        'Grace',
        'Ada',
      ]);
      expect(await users.ttl('7')).toBeGreaterThan(3_000_000);
      expect((await admins.explain('7')).tags).toEqual(['users', 'admins']);
      expect(await listed(users)).toEqual(['7', 'admins:7']);
      await suite.invalidate(['admins']);
      expect([await users.get('7'), await admins.get('7')]).toEqual(['Ada', undefined]);
      await users.clear();
      expect([await users.get('7'), await suite.data.get('7')]).toEqual([undefined, 'none']);
      expect(() => suite.data.namespace('')).toThrow('name');
      expect(() => suite.data.namespace('n', { tags: 'users' as never })).toThrow('tags must be an array');
      const none = users.namespace('none', { ttl: undefined });
      await none.set('7', 'Joan');
      expect(await none.ttl('7')).toBeGreaterThan(3_000_000);
    });

    it('are apart, whatever their names are', async () => {
      const { data } = open();
      const names = ['a', 'ab', 'a*', 'a?', '[a]', 'a\\', '{a}', '%', 'n'.repeat(600)];
      const spaces = names.map((name) => data.namespace(name));
      for (const space of spaces) await space.set('1', 1);
      for (const space of spaces) expect(await listed(space)).toEqual(['1']);
      for (const [i, space] of spaces.entries()) {
        await space.clear();
        const left = await Promise.all(spaces.map(async (each) => each.has('1')));
        expect(left).toEqual(spaces.map((_each, j) => j > i));
      }
    });
  });

  describe('that explain', () => {
    it('say what is known of a key', async () => {
      const suite = open();
      const { data } = suite;
      expect(await data.explain('k')).toMatchObject({ state: 'absent' });
      await data.set('k', 'value', { ttl: '1m', tags: ['a', 'b'] });
      expect(await data.explain('k')).toMatchObject({ state: 'fresh', tags: ['a', 'b'], bytes: 7, computeMs: 0 });
      await suite.invalidate({ tags: ['a'], mode: 'soft' });
      expect(await data.explain('k')).toMatchObject({ state: 'stale', invalidatedBy: ['tag a'] });
      await suite.invalidate({ prefix: 'k' });
      expect(await data.explain('k')).toMatchObject({ state: 'invalid', invalidatedBy: ['prefix d:k', 'tag a'] });
      await data.set('k', 'value', { ttl: '20ms', failSafe: '1m' });
      await sleep(40);
      const { state, ttlMs, reason } = await data.explain('k');
      expect([state, (ttlMs ?? 0) < 0, reason]).toEqual(['stale', true, expect.stringContaining('failSafe')]);
    });
  });

  describe('of many that are loaded', () => {
    it('end at once by a signal that was aborted before', async () => {
      const { data } = open();
      await data.set('k', 1);
      const signal = AbortSignal.abort(new Error('gone'));
      await expect(data.getOrSetMany(['k'], () => [2], { signal })).rejects.toThrow('gone');
    });

    it('load what is missing by one call, in the order of the keys', async () => {
      const { data } = open();
      await data.set('b', 'stored');
      const asked: (readonly string[])[] = [];
      const load = (keys: readonly string[]): Map<string, string> => {
        asked.push(keys);
        return new Map(keys.filter((key) => key !== 'none').map((key) => [key, `loaded ${key}`]));
      };
      const keys = ['a', 'b', 'none', 'c', 'a'];
      expect(await data.getOrSetMany(keys, load)).toEqual(['loaded a', 'stored', undefined, 'loaded c', 'loaded a']);
      expect(asked).toEqual([['a', 'none', 'c']]);
      await sleep(20);
      expect(await data.getOrSetMany(keys, load)).toEqual(['loaded a', 'stored', undefined, 'loaded c', 'loaded a']);
      expect(asked[1]).toEqual(['none']);
      expect(await data.getOrSetMany([], load)).toEqual([]);
    });

    it('take an array in the order of the keys, and know them without their namespace', async () => {
      const users = open().data.namespace('users');
      expect(await users.getOrSetMany(['1', '2'], (ids) => ids.map((id) => Number(id) * 10))).toEqual([10, 20]);
      await sleep(20);
      expect(await users.get('2')).toBe(20);
    });

    it('wait for what others are loading, and load only the rest', async () => {
      const { data } = open();
      const held = heldLoad<string>();
      const single = data.getOrSet('b', held.load);
      await held.begun;
      const asked: (readonly string[])[] = [];
      const first = data.getOrSetMany(['a', 'b'], async (keys) => {
        asked.push(keys);
        await sleep(40);
        return keys.map((key) => `first ${key}`);
      });
      await sleep(15);
      const second = data.getOrSetMany(['a', 'b', 'c'], async (keys) => {
        asked.push(keys);
        return keys.map((key) => `second ${key}`);
      });
      await sleep(30);
      held.end('single b');
      expect(await single).toBe('single b');
      expect(await first).toEqual(['first a', 'single b']);
      expect(await second).toEqual(['first a', 'single b', 'second c']);
      expect(asked).toEqual([['a'], ['c']]);
    });

    it('refuse a list that says not of each key what it is', async () => {
      const { data } = open();
      const rows = data.getOrSetMany(['a', 'gone', 'c'], () => ['row of a', 'row of c']);
      await expect(rows).rejects.toThrow('3 keys, but 2 items');
      expect(await data.getMany(['a', 'gone', 'c'])).toEqual([undefined, undefined, undefined]);
      expect(await data.getOrSetMany(['a', 'gone'], () => ['row of a', undefined])).toEqual(['row of a', undefined]);
    });

    it('pass on the error of their loader', async () => {
      const { data } = open();
      await data.set('a', 1);
      const error = new Error('no database');
      await expect(data.getOrSetMany(['a', 'b', 'c'], () => Promise.reject(error))).rejects.toBe(error);
      await expect(data.getOrSetMany(['b'], (() => ({})) as never)).rejects.toThrow('Map by key');
    });

    it('take tags from each value', async () => {
      const suite = open();
      const load = (keys: readonly string[]): string[] => keys.map((key) => key.toUpperCase());
      await suite.data.getOrSetMany(['a', 'b'], load, { tags: (value) => [`tag ${value}`] });
      await sleep(20);
      await suite.invalidate(['tag A']);
      expect(await suite.data.getMany(['a', 'b'])).toEqual([undefined, 'B']);
    });
  });
});
