import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLocks, type Lock, type LockPlace } from '../../src/lock/lock.ts';

/** What a lock does wherever it lives. Every place of one call shares its locks. */
export function lockStories(open: () => LockPlace): void {
  describe('a lock', () => {
    it('is held by one at a time, and free again once it is released', async () => {
      const [first, second] = [createLocks(open()), createLocks(open())];
      const taken = await Promise.all([first, second, first, second].map((locks) => locks.tryAcquire('one', 5_000)));
      const [held, ...more] = taken.filter((lock) => lock !== undefined);
      expect(more).toEqual([]);
      expect(await held?.release()).toBe(true);
      expect(await second.tryAcquire('one', 5_000)).toBeDefined();
    });

    it('stands in no other name’s way', async () => {
      const locks = createLocks(open());
      expect(await locks.tryAcquire('a{b}', 5_000)).toBeDefined();
      expect(await locks.tryAcquire('a{c}', 5_000)).toBeDefined();
      expect(await locks.tryAcquire('', 5_000)).toBeDefined();
    });

    it('gives every holder a larger fence', async () => {
      const fences: number[] = [];
      for (let i = 0; i < 5; i++) {
        const lock = await createLocks(open()).tryAcquire('fenced', 5_000);
        fences.push(lock?.fence ?? Number.NaN);
        await lock?.release();
      }
      expect(fences).toEqual([...new Set(fences)].toSorted((a, b) => a - b));
      expect(fences.every((fence) => Number.isSafeInteger(fence))).toBe(true);
    });

    it('is held for as long as its holder lives, longer than its time', async () => {
      const lock = (await createLocks(open()).tryAcquire('long', 2_500)) as Lock;
      await sleep(5_500);
      expect(lock.lost.aborted).toBe(false);
      expect(await createLocks(open()).tryAcquire('long', 600)).toBeUndefined();
      expect(await lock.release()).toBe(true);
    });

    it('that was released a second time takes nothing from its next holder', async () => {
      const locks = createLocks(open());
      const first = (await locks.tryAcquire('twice', 5_000)) as Lock;
      await first.release();
      const second = (await locks.tryAcquire('twice', 5_000)) as Lock;
      expect(await first.release()).toBe(false);
      expect(await locks.tryAcquire('twice', 5_000)).toBeUndefined();
      expect(await second.release()).toBe(true);
    });
  });
}
