import { describe, expect, it } from '@jest/globals';
import { createEntryMemory } from '../../src/cache/entry-memory.ts';
import { encodeEntry, type Entry } from '../../src/cache/entry.ts';
import { draftOf } from '../../src/testing/store-steps.ts';

const BOUND = 100_000;

function open(maxEntryBytes?: number) {
  const memory = createEntryMemory<{ readonly entry: Entry }>(BOUND, maxEntryBytes);
  const owner = Symbol('test');
  return {
    entries: memory.entries,
    place(address: string): Entry {
      const entry = memory.read(address, encodeEntry(draftOf({ clock: 1, generation: 1 }, address), 1));
      if (entry === undefined) throw new Error('It is an entry');
      memory.entries.set(address, { entry });
      return entry;
    },
    keep: ({ beside }: Entry, bytes: number, maxShare = 1) =>
      beside?.keep(beside, { owner, bytes, take: () => 'made' }, maxShare),
  };
}

describe('what is kept beside an entry', () => {
  it('counts as part of it, and makes room by pushing out what was least recently used', () => {
    const { entries, place, keep } = open();
    const [first, second] = [place('a'), place('b')];
    const before = entries.calculatedSize;
    expect(keep(second, 50_000)).toBe(true);
    expect(entries.calculatedSize).toBe(before + 50_000);
    expect(keep(first, 49_000)).toBe(true);
    expect([...entries.keys()]).toEqual(['a']);
    expect(entries.calculatedSize).toBeLessThanOrEqual(BOUND);
  });

  it('goes with its entry, whichever way that goes', () => {
    const { entries, place, keep } = open();
    const replaced = place('a');
    const others = Array.from({ length: 200 }, (_, i) => `other-${i}`);
    const ways = [() => place('a'), () => entries.delete('a'), () => others.map(place)];
    for (const way of ways) {
      expect(keep(entries.peek('a')?.entry ?? place('a'), 24_000, 0.25)).toBe(true);
      way();
      // All of the share is free again.
      expect(keep(place('c'), 25_000, 0.25)).toBe(true);
      entries.clear();
    }
    expect(entries.calculatedSize).toBe(0);
    expect(keep(replaced, 1)).toBe(false);
  });

  it('is not kept where it would take more than its share, or the entry more than one may', () => {
    const { place, keep, entries } = open(BOUND / 8);
    const entry = place('a');
    for (const [bytes, share] of [
      [5_001, 0.05],
      [BOUND / 8, 1],
      [Infinity, 1],
    ] as const) {
      expect(keep(entry, bytes, share)).toBe(false);
    }
    expect(entry.beside?.made).toBeUndefined();
    expect(entries.has('a')).toBe(true);
  });

  it('is kept once, and only for the entry that is there', () => {
    const { place, keep } = open();
    const former = place('a');
    const entry = place('a');
    expect(keep(former, 10)).toBe(false);
    expect(keep(entry, 10)).toBe(true);
    expect(keep(entry, 10)).toBe(false);
  });
});
