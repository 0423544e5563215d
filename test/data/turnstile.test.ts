import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createTurnstile } from '../../src/data/turnstile.ts';

/** Loads that end when they are told to. */
function loads(): { begun: number; load: () => Promise<number>; end(i: number): void; fail(i: number): void } {
  const ends: { resolve(value: number): void; reject(error: Error): void }[] = [];
  const all = {
    begun: 0,
    load: () =>
      new Promise<number>((resolve, reject) => {
        all.begun++;
        ends.push({ resolve, reject });
      }),
    end: (i: number) => ends[i]?.resolve(i),
    fail: (i: number) => ends[i]?.reject(new Error('failed')),
  };
  return all;
}

describe('a turnstile', () => {
  afterEach(() => void jest.useRealTimers());

  it('lets one load run, and shares the next with all who came meanwhile', async () => {
    const { share } = createTurnstile<number>();
    const all = loads();
    let waits = 0;
    const first = share('k', all.load, () => waits++);
    const rest = [1, 2, 3].map(() => share('k', all.load, () => waits++));
    await nextTurn();
    expect([all.begun, waits]).toEqual([1, 3]);
    all.end(0);
    expect(await first).toBe(0);
    await nextTurn();
    expect(all.begun).toBe(2);
    const last = share('k', all.load);
    all.end(1);
    expect(await Promise.all(rest)).toEqual([1, 1, 1]);
    await nextTurn();
    all.end(2);
    expect(await last).toBe(2);
    const later = share('k', all.load, () => waits++);
    expect([all.begun, waits]).toEqual([4, 3]); // Nobody is there: it begins at once.
    all.end(3);
    await later;
  });

  it('waits five seconds for a load, whose end then counts no more', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate'] });
    const { share } = createTurnstile<number>();
    const all = loads();
    const calls = [share('k', all.load), share('k', all.load)];
    await jest.advanceTimersByTimeAsync(5_000);
    await nextTurn();
    await nextTurn();
    await nextTurn();
    expect(all.begun).toBe(2);
    all.end(0);
    await calls[0];
    const last = share('k', all.load); // It waits for the second.
    await nextTurn();
    expect(all.begun).toBe(2);
    all.end(1);
    await calls[1];
    await nextTurn();
    all.end(2);
    expect(await last).toBe(2);
  });

  it('goes on after a load that fails, and keeps keys apart', async () => {
    const { share } = createTurnstile<number>();
    const all = loads();
    const first = share('k', all.load);
    const second = share('k', all.load);
    const other = share('other', all.load);
    expect(all.begun).toBe(2);
    all.fail(0);
    await expect(first).rejects.toThrow('failed');
    all.end(1);
    expect(await other).toBe(1);
    await nextTurn();
    all.end(2);
    expect(await second).toBe(2);
  });
});
