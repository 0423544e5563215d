import { describe, expect, it } from '@jest/globals';
import type { EntryDraft } from '../../src/cache/entry.ts';
import { createFlights } from '../../src/cache/flights.ts';
import { createMemoryStore } from '../../src/cache/memory-store.ts';
import { createStatistics } from '../../src/cache/statistics.ts';
import type { CacheStore } from '../../src/cache/store.ts';
import { toTags, urlTag } from '../../src/cache/tags.ts';
import { createMemoryRegister } from '../../src/register/memory-register.ts';
import type { Purge } from '../../src/register/records.ts';

const NOBODY = { generation: 0, clock: 0 };

function draftOf(body: string, stamp: EntryDraft['stamp'] = NOBODY, rest: Partial<EntryDraft> = {}): EntryDraft {
  const bytes = Buffer.from(body);
  return {
    key: 'd:k',
    tags: ['a'],
    stamp,
    flags: 0,
    freshMs: 60_000,
    staleMs: 0,
    computeMs: 0,
    metadata: '',
    body: bytes,
    ...rest,
  };
}

function purge(mode: Purge['mode'] = 'hard'): Purge {
  return { mode, kind: 'tag', value: 'a' };
}

function openStore(maxBytes = 1_000_000): CacheStore & { stamp(): EntryDraft['stamp'] } {
  const register = createMemoryRegister();
  return { ...createMemoryStore(register, maxBytes), stamp: () => register.stamp() ?? NOBODY };
}

describe('the memory store', () => {
  it('stores nothing over a removal that so many others followed that it is forgotten', async () => {
    const store = openStore();
    const version = await store.version('d:0');
    for (let i = 0; i <= 100_000; i++) await store.remove(`d:${i}`);
    expect(await store.write('d:0', draftOf('old', store.stamp()), version)).toBe(false);
  });
});

/** A promise to be settled by hand. */
function deferred<T>(): { promise: Promise<T>; resolve(value: T): void; reject(error: Error): void } {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((...settle) => {
    [resolve, reject] = settle;
  });
  return { promise, resolve: (value) => resolve(value), reject: (error) => reject(error) };
}

describe('entries in memory', () => {
  it('keep within their bound in bytes, however small or large they are', async () => {
    for (const size of [0, 10, 1_000, 50_000]) {
      const store = openStore(200_000);
      const stamp = store.stamp();
      for (let i = 0; i < 2_000; i++) await store.write(`d:${i}`, draftOf('x'.repeat(size), stamp));
      const kept = await Promise.all(
        Array.from({ length: 2_000 }, async (_, i) => (await store.read(`d:${i}`)).found?.entry.bytes.length ?? 0),
      );
      const total = kept.reduce((sum, bytes) => sum + bytes, 0);
      expect(total).toBeLessThanOrEqual(200_000);
      expect(total).toBeGreaterThan(0);
      expect(kept.filter((bytes) => bytes > 0).length).toBeLessThanOrEqual(200_000 / 300);
      expect(kept.at(-1)).toBeGreaterThan(0); // The latest is there.
    }
  });

  it('refuse what is larger than the bound, and what was invalidated while it was computed', async () => {
    const store = openStore(10_000);
    const stamp = store.stamp();
    expect(await store.write('d:k', draftOf('x'.repeat(10_000), stamp))).toBe(false);
    await store.register.invalidate([purge()]);
    expect(await store.write('d:k', draftOf('x', stamp))).toBe(false);
    expect(await store.write('d:k', draftOf('x', store.stamp(), { freshMs: 0 }))).toBe(false);
    expect(await store.write('d:k', draftOf('x', store.stamp()))).toBe(true);
  });

  it('do not change with the buffer they were made from', async () => {
    const store = openStore();
    const body = Buffer.from('before');
    await store.write('d:k', { ...draftOf('', store.stamp()), body });
    body.fill('x');
    expect((await store.read('d:k')).found?.entry.body.toString()).toBe('before');
  });

  it('are fresh, then stale, then gone', async () => {
    const store = openStore();
    let now = 1_000;
    const register = { ...store.register, now: () => now };
    const aging = createMemoryStore(register, 100_000);
    await aging.write('d:k', draftOf('x', store.stamp(), { freshMs: 100, staleMs: 50 }));
    const states = [];
    for (now of [1_000, 1_099, 1_100, 1_149, 1_150, 500]) states.push((await aging.read('d:k')).found?.state);
    expect(states).toEqual(['fresh', 'fresh', 'stale', 'stale', undefined, undefined]);
  });
});

describe('computations under way', () => {
  it('may be joined until they end, unless they were invalidated after they began', async () => {
    const store = openStore();
    const flights = createFlights<string>(store.register);
    const first = deferred<string>();
    const endFirst = flights.begin('d:k', { stamp: store.stamp(), known: { key: 'd:k', tags: ['a'] } }, first.promise);
    expect(flights.find('d:k')?.outcome).toBe(first.promise);
    await store.register.invalidate([purge('soft')]);
    expect(flights.find('d:k')).toBeUndefined();
    const second = deferred<string>();
    const endSecond = flights.begin(
      'd:k',
      { stamp: store.stamp(), known: { key: 'd:k', tags: ['a'] } },
      second.promise,
    );
    endFirst();
    expect(flights.find('d:k')?.outcome).toBe(second.promise); // The end of the first does not end the second.
    endSecond();
    expect(flights.find('d:k')).toBeUndefined();
  });
});

describe('statistics', () => {
  it('count per route and in total', () => {
    const statistics = createStatistics();
    expect(statistics.total().hitRate).toBe(0);
    for (const what of ['hits', 'hits', 'stale', 'misses', 'bypasses', 'stores', 'errors'] as const)
      statistics.count('/a', what);
    statistics.count('/b', 'misses');
    expect(statistics.total()).toEqual({
      hits: 2,
      stale: 1,
      misses: 2,
      bypasses: 1,
      stores: 1,
      errors: 1,
      hitRate: 0.6,
    });
    expect(statistics.routes()['/b']).toMatchObject({ misses: 1, hitRate: 0 });
  });

  it('do not grow with routes without end, and still add up', () => {
    const statistics = createStatistics();
    for (let i = 0; i < 3_000; i++) statistics.count(`/${i}`, 'hits');
    const routes = statistics.routes();
    expect(Object.keys(routes).length).toBeLessThanOrEqual(1_001);
    expect(routes['(other)']?.hits).toBe(2_000);
    expect(statistics.total().hits).toBe(3_000);
  });
});

describe('tags', () => {
  it('are distinct texts, none of them empty, and not too many', () => {
    expect(toTags(['a', 'a', 'b'], 'test')).toEqual(['a', 'b']);
    for (const wrong of ['a', undefined, [1], [''], [null], Array.from({ length: 1_001 }, (_, i) => `${i}`)]) {
      expect(() => toTags(wrong, 'here')).toThrow('here: tags must be an array');
    }
  });

  it('of URLs do not depend on the order of parameters', () => {
    expect(urlTag('/a?x=1&y=2')).toBe(urlTag('/a?y=2&x=1'));
    expect(new Set(['/a', '/a?x=1', '/a?x=2', '/b'].map(urlTag)).size).toBe(4);
  });
});
