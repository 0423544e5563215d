import { expect, it } from '@jest/globals';
import type { Command, Redis } from 'ioredis';
import { connectionOf } from '../../src/redis/connection.ts';
import { createKeys } from '../../src/redis/keys.ts';
import { createRedisWriteLog } from '../../src/writing/redis-write-log.ts';
import { testCluster, uniquePrefix } from '../support/connections.ts';

const LIMITS = { name: 'log', leaseMs: 60_000, maxPending: 6, maxDeadLetters: 2, collapse: 'last' } as const;

it('asks no replica for what waits to be written, because it may not have it yet', async () => {
  const asked: string[] = [];
  const client = testCluster({
    scaleReads(nodes: Redis[], { name }: Command) {
      asked.push(name);
      return nodes.slice(1);
    },
  });
  const log = createRedisWriteLog(connectionOf(client, 5_000), createKeys(uniquePrefix()), LIMITS);
  await log.append(0, { key: 'k', bytes: Buffer.from([255, 0]) });
  expect(await log.length(0)).toBe(1);
  expect(await log.latest(0, 'k')).toEqual({ key: 'k', bytes: Buffer.from([255, 0]) });
  const claimed = await log.claim(0, 10, 5, false);
  if (claimed.state !== 'mine') throw new Error(claimed.state);
  const [record] = claimed.records;
  if (record === undefined) throw new Error('no record');
  expect([record.bytes, record.isLost]).toEqual([Buffer.from([255, 0]), false]);
  expect(await log.current(0, claimed.records)).toEqual(claimed.records);
  await log.bury(0, claimed.fence, { record, error: 'e', attempts: 1 });
  expect(await log.letters(0, undefined, 10)).toMatchObject([{ key: 'k', bytes: record.bytes, isReplaced: false }]);
  expect(await log.latest(0, 'k')).toBeUndefined();
  expect(asked).toEqual([]);
});
