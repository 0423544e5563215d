import { describe, expect, it } from '@jest/globals';
import { LRUCache } from 'lru-cache';
import { createBounded } from '../../src/core/bounded.ts';

describe('a bounded map', () => {
  it('keeps so many entries, and drops the least recently used for the next', () => {
    const dropped: [string, string][] = [];
    const cache = createBounded<string, number>(2, {
      dispose: (_value, key, reason) => dropped.push([key, reason]),
    });
    cache.set('a', 1).set('b', 2).set('a', 3);
    cache.get('a');
    cache.set('c', 4);
    expect([...cache.keys()].toSorted((a, b) => a.localeCompare(b))).toEqual(['a', 'c']);
    expect(dropped).toEqual([
      ['a', 'set'],
      ['b', 'evict'],
    ]);
  });

  it('reserves nothing for entries that are not there', () => {
    const { keyList, valList } = LRUCache.unsafeExposeInternals(createBounded<string, number>(1_000));
    expect([keyList.length, valList.length]).toEqual([0, 0]);
  });
});
