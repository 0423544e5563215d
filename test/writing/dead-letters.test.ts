import { expect, it } from '@jest/globals';
import { createDeadLetters } from '../../src/writing/dead-letters.ts';
import { createMemoryWriteLog } from '../../src/writing/memory-write-log.ts';
import type { WriteLog } from '../../src/writing/write-log.ts';

it('dead letters of one key are written in their order, also where one of them finds no room', async () => {
  const limits = { name: 'test', leaseMs: 1_000, maxPending: 2, maxDeadLetters: 10, collapse: 'none' } as const;
  const log = createMemoryWriteLog(limits);
  const append = (key: string, text: string): Promise<number> => log.append(0, { key, bytes: Buffer.from(text) });
  for (const text of ['1', '2']) await append('a', text);
  for (const record of await claimed(log)) await log.bury(0, '', { record, error: 'away', attempts: 1 });
  for (const key of ['b', 'c']) await append(key, '');
  const makesRoom: WriteLog = {
    ...log,
    async revive(partition, letter) {
      const outcome = await log.revive(partition, letter);
      if (outcome === 'full') await log.settle(0, '', await claimed(log), 1);
      return outcome;
    },
  };
  const { retryDeadLetters } = createDeadLetters(makesRoom, { partitions: 1 }, String);
  expect([await retryDeadLetters(), await retryDeadLetters()]).toEqual([0, 2]);
  expect((await claimed(log)).map(({ bytes }) => String(bytes))).toEqual(['1', '2']);
});

async function claimed(log: WriteLog): ReturnType<WriteLog['current']> {
  const claim = await log.claim(0, 10, Infinity, false);
  return claim.state === 'mine' ? [...claim.records] : [];
}
