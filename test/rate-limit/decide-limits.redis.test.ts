import { describe, expect, it } from '@jest/globals';
import { createRedisStore } from '../../src/rate-limit/redis-store.ts';
import { connectionOf } from '../../src/redis/connection.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';
import { bucket, callOf, fixed, sliding } from './calls.ts';
import { compareTwins } from './twins.ts';

describe('decisions in Redis', () => {
  const client = testRedis();
  const store = createRedisStore(connectionOf(client, 5_000));

  it('are the same as in memory, whatever a client does', async () => {
    expect(await compareTwins(store, uniquePrefix(), 40)).toBe(40);
  }, 30_000);

  it('that are taken back leave their keys to expire, and take nothing from what came after a reset', async () => {
    const policies = [sliding(5, 60_000_000, { precision: 1 }), fixed(5, 60_000_000), bucket(5, 60_000_000)];
    const call = callOf(policies, { prefix: uniquePrefix() });
    const { nowUs } = await store.decide(call);
    const receipt = { atUs: nowUs, id: call.id };
    await store.refund(call, receipt);
    const remaining = async (): Promise<number[]> =>
      (await store.decide({ ...call, mode: 'peek' })).views.map((view) => view.remaining);
    expect(await remaining()).toEqual([5, 5, 5]);
    const ttls = await Promise.all(call.names.map((name) => client.pttl(name)));
    expect(Math.max(...ttls)).toBeLessThan(60_100);
    expect(Math.min(ttls[0] ?? 0, ttls[1] ?? 0)).toBeGreaterThan(0);
    await store.forget(call.names);
    await store.decide(call);
    await store.refund(call, receipt);
    expect(await remaining()).toEqual([4, 4, 4]);
  });

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
