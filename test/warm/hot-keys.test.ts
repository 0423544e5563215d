import { describe, expect, it } from '@jest/globals';
import { array, assert, integer, nat, oneof, property } from 'fast-check';
import { ConfigError } from '../../src/core/errors.ts';
import { EventBus } from '../../src/core/events.ts';
import { createHotKeys } from '../../src/warm/warm.ts';
import { openSuite } from '../data/backends.ts';

describe('hot keys', () => {
  it('are those that are asked for most, found or not, until it is told to stop', async () => {
    const suite = openSuite(undefined);
    const hot = createHotKeys(suite.events);
    for (let i = 0; i < 5; i++) await suite.data.getOrSet('hot', () => 1);
    for (let i = 0; i < 3; i++) await suite.data.get('warm');
    await suite.data.set('cold', 1);
    await suite.data.get('cold');
    expect(hot.top(2)).toEqual(['hot', 'warm']);
    hot.stop();
    for (let i = 0; i < 9; i++) await suite.data.get('cold');
    expect(hot.top(9)).toEqual(['hot', 'warm', 'cold']);
    expect(suite.events.listenerCount('cache:hit')).toBe(0);
  });

  function askedFor(keys: readonly number[], size: number): Set<string> {
    const events = new EventBus();
    const hot = createHotKeys(events, { size });
    for (const key of keys) events.tell('cache:miss', { route: 'data', key: String(key) });
    const known = hot.top(Infinity);
    expect(known.length).toBeLessThanOrEqual(2 * size);
    return new Set(known);
  }

  it('never miss a key that makes up more than its share of the lookups', () => {
    const few = { weight: 2, arbitrary: nat(3) };
    const many = { weight: 3, arbitrary: nat(200) };
    assert(
      property(array(oneof(few, many), { maxLength: 400 }), integer({ min: 1, max: 8 }), (keys, size) => {
        const known = askedFor(keys, size);
        const counts = new Map<number, number>();
        for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
        const hot = [...counts].filter(([, count]) => count > keys.length / size).map(([key]) => String(key));
        expect(hot.filter((key) => !known.has(key))).toEqual([]);
      }),
    );
  });

  it('find a key that comes back, however often it was forgotten', () => {
    const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
    const former = range(8).flatMap((key) => range(5).map(() => key));
    // Asked for less often than each of the former ones before eight others have it forgotten.
    const waves = range(50).flatMap((wave) => [99, 99, 99, 99].concat(range(8).map((i) => 1_000 + 8 * wave + i)));
    expect(askedFor([...former, ...waves], 8)).toContain('99');
  });

  it('refuse a size that is none', () => {
    expect(() => createHotKeys(new EventBus(), { size: 0 })).toThrow(ConfigError);
  });
});
