import { describe, expect, it } from '@jest/globals';
import { array, assert, integer, property } from 'fast-check';
import { createWaitingList } from '../../src/core/waiting-list.ts';

describe('a waiting list', () => {
  it('holds who has come and not left, in the order they came, until all are taken', () => {
    assert(
      property(array(integer({ min: -20, max: 20 })), (steps) => {
        const list = createWaitingList<number>();
        const expected = new Set<number>();
        const leave: (() => void)[] = [];
        for (const [i, step] of steps.entries()) {
          const taken = step === 20 ? list.takeAll() : [];
          expect(taken).toEqual(step === 20 ? [...expected] : []);
          if (step === 20) expected.clear();
          else if (step >= 0) {
            leave.push(list.add(leave.length));
            expected.add(leave.length - 1);
          } else {
            const who = (i - step) % Math.max(1, leave.length);
            leave[who]?.(); // Some of them twice, or after all were taken.
            expected.delete(who);
          }
          expect(list.isEmpty).toBe(expected.size === 0);
        }
        expect(list.takeAll()).toEqual([...expected]);
        expect(list.isEmpty).toBe(true);
      }),
    );
  });
});
