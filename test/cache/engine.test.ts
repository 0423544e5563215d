import { describe, expect, it, jest } from '@jest/globals';
import type { EntryDraft } from '../../src/cache/entry.ts';
import { createFlights } from '../../src/cache/flights.ts';
import { createMemoryStore } from '../../src/cache/memory-store.ts';
import { createReadThrough, type ReadThrough } from '../../src/cache/read-through.ts';
import { createStatistics } from '../../src/cache/statistics.ts';
import { type CacheStore, UNAVAILABLE } from '../../src/cache/store.ts';
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

function requestOf(store: CacheStore, load: () => unknown): ReadThrough<unknown> & { readonly missed: boolean[] } {
  const missed: boolean[] = [];
  return {
    missed,
    address: 'd:k',
    dependencies: { key: 'd:k', tags: ['a'] },
    load,
    toDraft: (value, stamp) => (typeof value === 'string' ? draftOf(value, stamp) : undefined),
    fromBody: (body) => (body.toString() === 'unreadable' ? undefined : body.toString()),
    write: (draft, version) => store.write('d:k', draft, version),
    onServed: () => undefined,
    onMissed: (isAvailable) => missed.push(isAvailable),
  };
}

/** What can go on without Redis or a loader has gone on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('reading through', () => {
  it('loads once for callers that miss at the same time, and serves what was loaded after', async () => {
    const store = openStore();
    const readThrough = createReadThrough(store);
    const load = jest.fn(async () => 'value');
    const request = requestOf(store, load);
    expect(await Promise.all(Array.from({ length: 20 }, () => readThrough(request)))).toEqual(
      Array.from({ length: 20 }, () => 'value'),
    );
    expect(await readThrough(request)).toBe('value');
    expect(load).toHaveBeenCalledTimes(1);
    expect(request.missed).toHaveLength(20);
  });

  it('does not share a load that was invalidated after it began, whether before or after others joined', async () => {
    const store = openStore();
    const readThrough = createReadThrough(store);
    const loads = [deferred<string>(), deferred<string>(), deferred<string>()] as const;
    let begun = 0;
    const request = requestOf(store, () => loads[begun++ as 0].promise);
    const first = readThrough(request);
    const joined = readThrough(request);
    await settled();
    await store.register.invalidate([purge()]);
    const later = readThrough(request);
    await settled();
    expect(begun).toBe(2);
    loads[0].resolve('old');
    expect(await first).toBe('old'); // It asked before the invalidation.
    loads[1].resolve('new');
    expect([await joined, await later, await readThrough(request)]).toEqual(['new', 'new', 'new']);
    expect(begun).toBe(2);
  });

  it('passes errors on to all who share the load, and stores nothing', async () => {
    const store = openStore();
    const readThrough = createReadThrough(store);
    const load = jest.fn(async () => Promise.reject(new Error('no database')));
    const request = requestOf(store, load);
    const outcomes = await Promise.allSettled([readThrough(request), readThrough(request)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(load).toHaveBeenCalledTimes(1);
    await expect(readThrough(request)).rejects.toThrow('no database');
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('returns what is softly purged at once and loads behind, once', async () => {
    const store = openStore();
    const readThrough = createReadThrough(store);
    await store.write('d:k', draftOf('old', store.stamp()));
    await store.register.invalidate([purge('soft')]);
    const next = deferred<string>();
    const load = jest.fn(() => next.promise);
    const request = requestOf(store, load);
    expect([await readThrough(request), await readThrough(request)]).toEqual(['old', 'old']);
    expect(load).toHaveBeenCalledTimes(1);
    next.resolve('new');
    await next.promise;
    await new Promise(setImmediate);
    expect(await readThrough(request)).toBe('new');
  });

  it('survives a load behind that fails', async () => {
    const store = openStore();
    const readThrough = createReadThrough(store);
    await store.write('d:k', draftOf('old', store.stamp()));
    await store.register.invalidate([purge('soft')]);
    const request = requestOf(store, async () => Promise.reject(new Error('no database')));
    expect(await readThrough(request)).toBe('old');
    await new Promise(setImmediate);
    expect(await readThrough(request)).toBe('old');
  });

  it('loads for everybody when the store cannot be relied on', async () => {
    const store = { ...openStore(), read: () => UNAVAILABLE };
    const readThrough = createReadThrough(store);
    const load = jest.fn(async () => 'value');
    const request = requestOf(store, load);
    await Promise.all([readThrough(request), readThrough(request)]);
    expect(load).toHaveBeenCalledTimes(2);
    expect(request.missed).toEqual([false, false]);
  });

  it('takes what it cannot read for a miss, and shares values it cannot store', async () => {
    const store = openStore();
    const readThrough = createReadThrough(store);
    await store.write('d:k', draftOf('unreadable', store.stamp()));
    const load = jest.fn(async () => 17);
    const request = requestOf(store, load);
    expect(await Promise.all([readThrough(request), readThrough(request)])).toEqual([17, 17]);
    expect(load).toHaveBeenCalledTimes(1);
    expect(await readThrough(request)).toBe(17);
    expect(load).toHaveBeenCalledTimes(2);
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
