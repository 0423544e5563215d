import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createRedis } from '../../src/index.ts';
import { closedLater } from '../support/connections.ts';
import { collectingLogger } from '../support/outages.ts';
import { type RedisSentinels, startSentinels } from '../support/redis-server.ts';
import { openPatient, survive } from './failover.ts';

let deployment: RedisSentinels;
beforeAll(async () => {
  deployment = await startSentinels({ replicas: 1 });
});
afterAll(() => deployment.stop());

it('sessions survive the loss of the master behind Sentinel: nothing is told as saved that was not', async () => {
  const { sentinels, name, master } = deployment;
  const redis = createRedis({ preset: 'production', logger: collectingLogger(), sentinels, sentinelName: name });
  if (!(redis instanceof Redis)) throw new Error('unreachable');
  const patient = await openPatient(closedLater(redis));
  expect(await redis.wait(1, 5_000)).toBe(1);
  await survive(patient, () => master.kill());
});
