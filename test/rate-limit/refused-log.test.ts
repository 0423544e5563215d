import { describe, expect, it } from '@jest/globals';
import { COUNTING_MS, createMemoryRefusedLog } from '../../src/rate-limit/refused-log.ts';

describe('the log of who was refused, in memory', () => {
  it('counts anew after a day, and still knows who is refused', async () => {
    let now = 1_000;
    const log = createMemoryRefusedLog(() => now);
    log.note('short', 10);
    log.note('long', 2 * COUNTING_MS);
    log.note('long', 2 * COUNTING_MS);
    now += COUNTING_MS - 1;
    expect(await log.top(9)).toEqual([
      { client: 'long', refusals: 2 },
      { client: 'short', refusals: 1 },
    ]);
    now += 1;
    expect(await log.top(9)).toEqual([]);
    expect((await log.list(9)).map(({ client }) => client)).toEqual(['long']);
    log.note('long', 5);
    expect(await log.top(9)).toEqual([{ client: 'long', refusals: 1 }]);
    now += COUNTING_MS;
    log.note('new', 5);
    expect(await log.top(9)).toEqual([{ client: 'new', refusals: 1 }]);
  });
});
