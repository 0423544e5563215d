import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createRedis } from '../../src/index.ts';
import { closedLater } from '../support/connections.ts';
import { collectingLogger } from '../support/outages.ts';
import { type RedisSentinels, startSentinels } from '../support/redis-server.ts';
import { surviveFailover } from './failover.ts';

let deployment: RedisSentinels;

beforeAll(async () => {
  deployment = await startSentinels({ replicas: 1 });
});
afterAll(() => deployment.stop());

it('limits go on while Sentinel replaces the master, and are counted on by the new one', async () => {
  const { sentinels, name, processes } = deployment;
  expect.hasAssertions();
  await surviveFailover({
    connect() {
      const client = createRedis({ sentinels, sentinelName: name, preset: 'production', logger: collectingLogger() });
      if (!(client instanceof Redis)) throw new Error('unreachable');
      return closedLater(client);
    },
    masterOf(client) {
      const found = processes.find(({ port }) => port === (client as Redis).stream.remotePort);
      if (found === undefined) throw new Error('Not connected');
      return found;
    },
    promote: () => Promise.resolve(),
  });
});
