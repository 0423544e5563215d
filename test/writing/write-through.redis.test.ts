import { describe, expect, it } from '@jest/globals';
import { ConfigError } from '../../src/core/errors.ts';
import {
  createWriteThrough as create,
  type WriteThrough,
  type WriteThroughOptions,
} from '../../src/writing/write-through.ts';
import type { ValueCache } from '../../src/writing/value-cache.ts';
import { BACKENDS, heldLoad, openSuite } from '../data/backends.ts';

function createWriteThrough<T>(cache: ValueCache, options: WriteThroughOptions<T>): WriteThrough<T> {
  return create(cache, options, () => undefined);
}

describe.each(BACKENDS)('a write-through on %s', (_name, connect) => {
  const suite = openSuite(connect());
  const { data } = suite;
  const rows = new Map<string, unknown>();
  const write: WriteThroughOptions<unknown>['write'] = (key, value) => rows.set(key, value);

  it('writes, then caches', async () => {
    const users = createWriteThrough(data, {
      async write(key, value) {
        expect(await data.get(key)).toBeUndefined();
        rows.set(key, value);
      },
      remove: (key) => rows.delete(key),
    });
    await users.set('user:1', { name: 'Ann' });
    expect([rows.get('user:1'), await data.get('user:1')]).toEqual([{ name: 'Ann' }, { name: 'Ann' }]);
    await users.delete('user:1');
    expect([rows.has('user:1'), await data.get('user:1')]).toEqual([false, undefined]);
  });

  it('passes on what the writer throws, and caches nothing of which it is not sure', async () => {
    const failure = new Error('The connection broke during the commit');
    const failing = createWriteThrough(data, {
      write: () => Promise.reject(failure),
      remove() {
        throw failure;
      },
    });
    for (const change of [() => failing.set('k', 'new'), () => failing.delete('k')]) {
      await data.set('k', 'old');
      await data.set('other', 'stays');
      await expect(change()).rejects.toBe(failure);
      expect([await data.get('k'), await data.get('other')]).toEqual([undefined, 'stays']);
    }
  });

  it('is not undone by a load that began before', async () => {
    const through = createWriteThrough(data, { write });
    const old = heldLoad<string>();
    const loading = data.getOrSet('loaded', old.load);
    await old.begun;
    await through.set('loaded', 'new');
    old.end('old');
    await loading;
    expect(await data.get('loaded')).toBe('new');
  });

  it('makes the changes of a key in the order of the calls', async () => {
    const delays = [30, 1, 10];
    const slow = createWriteThrough<number>(data, {
      async write(key, value) {
        await new Promise((resolve) => setTimeout(resolve, delays[value]));
        rows.set(key, value);
      },
    });
    await Promise.all([0, 1, 2].map((n) => slow.set('ordered', n)));
    expect([rows.get('ordered'), await data.get('ordered')]).toEqual([2, 2]);
  });

  it('gives the cached value its tags', async () => {
    const tagged = createWriteThrough<{ team: string }>(data, { write, tags: ({ team }, key) => [team, key] });
    await tagged.set('t', { team: 'red' });
    await suite.invalidate(['red']);
    expect(await data.get('t')).toBeUndefined();
  });

  it('is not failed by its cache, which keeps no former value', async () => {
    const odd = createWriteThrough<unknown>(data, { write });
    await data.set('odd', 'old');
    await odd.set('odd', () => 'a function cannot be cached');
    expect([typeof rows.get('odd'), await data.get('odd')]).toEqual(['function', undefined]);
  });

  it('tells of what cannot be cached, whose write has happened', async () => {
    const told: string[] = [];
    suite.events.on('cache:error', ({ operation, error }) => told.push(`${operation}: ${error.message}`));
    const mistaken = data.writeThrough<{ team: string[] }>({ write, tags: ({ team }) => team.flat().concat('') });
    await data.set('m', 'old');
    await mistaken.set('m', { team: ['red'] });
    expect([rows.get('m'), await data.get('m')]).toEqual([{ team: ['red'] }, undefined]);
    expect(told).toEqual([expect.stringMatching(/^writeThrough: .*tags/)]);
  });

  it('refuses options that it does not have, and to delete without being told how', async () => {
    const wrong = { write, remvoe: () => undefined };
    expect(() => createWriteThrough(data, wrong)).toThrow(ConfigError);
    expect(() => createWriteThrough(data, { write: 'x' as never })).toThrow(ConfigError);
    await expect(createWriteThrough(data, { write }).delete('k')).rejects.toThrow(ConfigError);
  });
});
