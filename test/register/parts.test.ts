import { describe, expect, it } from '@jest/globals';
import { createServerClock } from '../../src/register/clock.ts';
import { createMemoryRegister } from '../../src/register/memory-register.ts';
import type { Purge } from '../../src/register/records.ts';
import { toBumpReply, toRegisterPage } from '../../src/register/register-reply.ts';
import { createUnconfirmedPurges } from '../../src/register/unconfirmed.ts';

function tag(value: string, mode: Purge['mode'] = 'hard'): Purge {
  return { mode, kind: 'tag', value };
}

describe("a register's reply", () => {
  const flat = ['!g', '7', '!f', '3', '!F:3', '5', 'hta', '5', 'st!b', '6', '!c:7', '9'];
  const pairs = Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], Number(flat[2 * i + 1])]);

  it.each([
    ['flat texts', flat],
    ['pairs', pairs],
  ])('is read from %s', (_, reply) => {
    expect(toRegisterPage(reply)).toEqual({
      records: [
        ['hta', 5],
        ['st!b', 6],
      ],
      size: 6,
      lastClock: 9,
      generation: 7,
      clock: 9,
      floor: 3,
    });
  });

  it('without a clock is one of no register', () => {
    expect(toRegisterPage([])).toMatchObject({ generation: undefined, size: 0 });
    expect(toRegisterPage(['hta', '5'])).toMatchObject({ generation: undefined, lastClock: 5 });
  });

  it('to a bump may be texts or numbers', () => {
    const expected = { generation: 1, previousClock: 2, clock: 4, floor: 0, timeUs: 5 };
    expect(toBumpReply(['1', '2', '4', '0', '5'])).toEqual(expected);
    expect(toBumpReply([1, 2, 4, 0, 5])).toEqual(expected);
  });
});

describe('the clock of the server', () => {
  it('takes the middle between question and answer, and goes on by itself', () => {
    let now = 1_000;
    const clock = createServerClock(() => now);
    expect(clock.isOld).toBe(true);
    now = 1_010;
    clock.observe(500_000, 990); // 20 ms on the way: the server said so 10 ms ago.
    expect(clock.now()).toBe(500_010);
    now += 60_000;
    expect(clock.now()).toBe(560_010);
    expect(clock.isOld).toBe(false);
    now++;
    expect(clock.isOld).toBe(true);
    clock.postpone();
    expect(clock.isOld).toBe(false);
  });

  it('is the time of this host before the server has said anything', () => {
    const before = Date.now();
    const now = createServerClock().now();
    expect(now).toBeGreaterThan(before - 10); // The monotonic clock and the wall clock are kept apart.
    expect(now).toBeLessThan(Date.now() + 10);
  });
});

describe('purges that are not confirmed', () => {
  it('hit what they name until they are written', () => {
    const unconfirmed = createUnconfirmedPurges();
    const [a, b] = [tag('a'), tag('b', 'soft')];
    unconfirmed.add([a, b]);
    expect(unconfirmed.hits({ key: 'd:k', tags: ['a'] })).toBe(true);
    expect(unconfirmed.hits({ key: 'd:k', tags: ['b'] })).toBe(true);
    expect(unconfirmed.hits({ key: 'd:k', tags: ['c'] })).toBe(false);
    unconfirmed.confirm([a]);
    expect([unconfirmed.hits({ key: '', tags: ['a'] }), unconfirmed.size]).toEqual([false, 1]);
  });

  it('stay when the same was asked for again while it was being written', () => {
    const unconfirmed = createUnconfirmedPurges();
    unconfirmed.add([tag('a')]);
    const beingWritten = unconfirmed.list();
    unconfirmed.add([tag('a')]);
    unconfirmed.confirm(beingWritten);
    expect(unconfirmed.hits({ key: '', tags: ['a'] })).toBe(true);
  });

  it('become one purge of everything when they are too many', () => {
    const unconfirmed = createUnconfirmedPurges();
    unconfirmed.add(Array.from({ length: 10_000 }, (_, i) => tag(`t${i}`)));
    expect([unconfirmed.size, unconfirmed.hits({ key: '', tags: ['none'] })]).toEqual([10_000, false]);
    unconfirmed.add([tag('one more')]);
    expect(unconfirmed.size).toBe(1);
    expect(unconfirmed.hits({ key: '', tags: ['t1'] })).toBe(true);
    expect(unconfirmed.hits({ key: '', tags: [] })).toBe(true);
    unconfirmed.confirm(unconfirmed.list());
    expect([unconfirmed.size, unconfirmed.hits({ key: '', tags: ['t1'] })]).toEqual([0, false]);
  });
});

describe('the register of one process', () => {
  it('tells entries from before an invalidation from those after', async () => {
    const register = createMemoryRegister();
    const before = register.stamp();
    const during = await register.invalidate([tag('a'), tag('b', 'soft')]);
    const judge = (stamp: typeof before, ...tags: string[]): unknown =>
      stamp && register.judge(stamp, () => ({ key: 'd:k', tags }));
    expect([judge(before, 'a'), judge(before, 'b'), judge(before, 'c')]).toEqual(['dead', 'soft', 'valid']);
    expect([judge(during, 'a'), judge(register.stamp(), 'a', 'b')]).toEqual(['valid', 'valid']);
    await register.invalidate([{ mode: 'hard', kind: 'everything', value: '' }]);
    expect([judge(during, 'c'), judge(register.stamp(), 'c')]).toEqual(['dead', 'valid']);
  });

  it('keeps to its cap, and never makes a purged entry valid by that', async () => {
    const register = createMemoryRegister(100);
    const stamps = [];
    for (let i = 0; i < 1_000; i++) {
      stamps.push(register.stamp());
      await register.invalidate([tag(`t${i}`)]);
    }
    const verdicts = stamps.map((stamp, i) => stamp && register.judge(stamp, () => ({ key: '', tags: [`t${i}`] })));
    expect(new Set(verdicts)).toEqual(new Set(['dead']));
    const recent = stamps.at(-50);
    expect(recent && register.judge(recent, () => ({ key: '', tags: ['other'] }))).toBe('valid');
  });
});
