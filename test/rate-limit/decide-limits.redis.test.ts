import { describe, expect, it } from '@jest/globals';
import { createRedisStore } from '../../src/rate-limit/redis-store.ts';
import { connectionOf } from '../../src/redis/connection.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';
import { callOf, sliding } from './calls.ts';
import { compareTwins } from './twins.ts';

describe('decisions in Redis', () => {
  const client = testRedis();
  const store = createRedisStore(connectionOf(client, 5_000));

  it('are the same as in memory, whatever a client does', async () => {
    expect(await compareTwins(store, uniquePrefix(), 40)).toBe(40);
  }, 30_000);

  it('keep at most two entries per segment, and 13 bytes of each', async () => {
    const prefix = uniquePrefix();
    const call = callOf([sliding(10_000, 60_000, { precision: 10, cost: 1 })], { prefix });
    for (let i = 0; i < 1_500; i++) await store.decide(call);
    expect(await client.strlen(call.names[0] ?? '')).toBeLessThanOrEqual(7 + 13 * 24);
    expect(await client.pttl(call.names[0] ?? '')).toBeLessThanOrEqual(62);
  });
});

describe('decisions in a Cluster', () => {
  it('are the same as in memory, whatever a client does', async () => {
    const store = createRedisStore(connectionOf(testCluster(), 5_000));
    expect(await compareTwins(store, uniquePrefix(), 15)).toBe(15);
  }, 30_000);
});
