import { describe, expect, it } from '@jest/globals';
import { createMemoryWriteLog } from '../../src/writing/memory-write-log.ts';
import type { Claim, WriteLog } from '../../src/writing/write-log.ts';

const LIMITS = { name: 'log', leaseMs: 60_000, maxPending: 6, maxDeadLetters: 2, collapse: 'last' } as const;

async function claimed(log: WriteLog): Promise<Extract<Claim, { state: 'mine' }>> {
  const claim = await log.claim(0, 10, Infinity, false);
  if (claim.state !== 'mine') throw new Error(`It is ${claim.state}`);
  return claim;
}

describe('the log of a write-behind in memory', () => {
  const write = (log: WriteLog, text: string): Promise<number> => log.append(0, { key: 'a', bytes: Buffer.from(text) });

  it('hands out again what it handed out together, and forgets nothing that came after', async () => {
    const log = createMemoryWriteLog(LIMITS);
    await write(log, '1');
    await claimed(log);
    await write(log, '2');
    const { fence, records } = await claimed(log);
    expect(records.map(({ bytes }) => bytes?.toString())).toEqual(['1']);
    expect(await log.settle(0, fence, records, 1)).toBe(1);
    expect(await log.latest(0, 'a')).toMatchObject({ bytes: Buffer.from('2') });
  });

  it('takes the last dead letter of a key for that when an older one was discarded', async () => {
    const log = createMemoryWriteLog(LIMITS);
    for (const text of ['1', '2']) {
      await write(log, text);
      const { fence, records } = await claimed(log);
      for (const record of records) await log.bury(0, fence, { record, error: 'e', attempts: 1 });
    }
    const [first, last] = await log.letters(0, undefined, 10);
    if (first === undefined || last === undefined) throw new Error('There are no letters');
    expect(await log.discard(0, first)).toBe(true);
    expect((await log.letters(0, undefined, 10)).map(({ isReplaced }) => isReplaced)).toEqual([false]);
    expect(await log.discard(0, last)).toBe(true);
  });
});
