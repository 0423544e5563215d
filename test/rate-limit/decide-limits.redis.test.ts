import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { createMemoryStore } from '../../src/rate-limit/memory-store.ts';
import { createRedisStore } from '../../src/rate-limit/redis-store.ts';
import { connectionOf } from '../../src/redis/connection.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';
import { anyPolicies, anyWindow, bucket, callOf, fixed, leases, sliding } from './calls.ts';
import { compareAtInstants } from './stopped-clock.ts';
import { compareTwins } from './twins.ts';

const client = testRedis();

describe('decisions in Redis', () => {
  const store = createRedisStore(connectionOf(client, 5_000));

  it('are the same as in memory, whatever a client does', async () => {
    expect(await compareTwins(store, anyPolicies(30_000), 40)).toBe(40);
  });

  it('of one sliding window are the same as in memory, whichever script makes them', async () => {
    expect(await compareTwins(store, anyWindow(12_000), 60)).toBe(60);
  });

  it('are the same as in memory to the microsecond, at the edges of windows and leases', async () => {
    expect(await compareAtInstants(client, store, 80)).toBe(80);
  });

  it('go on counting exactly when more has been admitted than a log can add up', async () => {
    let clockUs = 0;
    const memory = createMemoryStore(10, () => clockUs);
    const policies = [sliding(2 ** 46, 2_000, { cost: 2 ** 45, precision: 1 })];
    const prefix = uniquePrefix();
    let admitted = 0;
    for (let i = 0; i < 80; i++) {
      const call = callOf(policies, { prefix, countRefused: i % 2 === 0 }); // One script and the other.
      const told = await store.decide(call);
      clockUs = told.clockUs;
      expect(await memory.decide(call)).toEqual(told);
      if (told.status === 'admitted') admitted++;
      if (i % 3 === 0) await sleep(1);
    }
    expect(admitted).toBeGreaterThan(8); // 2^48 and more.
  });

  it.each([
    ['one window', [sliding(5, 60_000_000)]],
    ['several policies', [sliding(5, 60_000_000), fixed(5, 60_000_000)]],
  ])('are never made at a time before what is counted: %s', async (_name, policies) => {
    const call = callOf(policies, { prefix: uniquePrefix() });
    const futureUs = Date.now() * 1_000 + 3_600_000_000;
    const log = Buffer.alloc(33); // As before the clock was put back by an hour: anchor, life, one entry.
    for (const [at, instant] of [
      [0, futureUs - 1],
      [13, futureUs + 60_000_000],
      [20, futureUs],
    ] as const) {
      log.writeBigUInt64LE(BigInt(instant), at);
    }
    log.writeUIntLE(0, 7, 6);
    log.writeUIntLE(4, 27, 6);
    await client.set(call.names[0] ?? '', log, 'PX', 3_660_000);
    const { status, nowUs, views } = await store.decide(call);
    expect([status, nowUs, views[0]?.remaining]).toEqual(['admitted', futureUs, 1]);
    expect(await client.pttl(call.names[0] ?? '')).toBeGreaterThan(3_600_000);
    expect((await store.decide(call)).status).toBe('refused');
  });

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
    expect(Math.max(...ttls)).toBeLessThan(60_000 * 1.125 + 100);
    expect(Math.min(ttls[0] ?? 0, ttls[1] ?? 0)).toBeGreaterThan(0);
    await store.forget(call.names);
    await store.decide(call);
    await store.refund(call, receipt);
    expect(await remaining()).toEqual([4, 4, 4]);
  });

  it('that are taken back when they do not count any more take nothing from what does', async () => {
    const policies = [sliding(5, 1_000_000)];
    const call = callOf(policies, { prefix: uniquePrefix() });
    const decisions = [await store.decide(call), await store.decide(call), await store.decide(call)];
    await sleep(1_100);
    await store.decide(call);
    for (const { nowUs } of decisions) await store.refund(call, { atUs: nowUs, id: call.id });
    expect((await store.decide({ ...call, mode: 'peek' })).views[0]?.remaining).toBe(4);
  });

  it('that are taken back twice give back once, where they have an entry of their own', async () => {
    const call = callOf([sliding(5, 60_000_000)], { prefix: uniquePrefix() });
    const { nowUs } = await store.decide(call);
    await store.decide(call);
    for (let i = 0; i < 2; i++) await store.refund(call, { atUs: nowUs, id: call.id });
    expect((await store.decide({ ...call, mode: 'peek' })).views[0]?.remaining).toBe(4);
  });

  it('keep a log for as long as anything in it counts, whatever was added to its last entry', async () => {
    const call = callOf([sliding(1_000, 40_000, { precision: 2 })], { prefix: uniquePrefix() });
    for (let i = 0; i < 60; i++) {
      const askedAt = performance.now();
      await store.decide(call);
      const leftMs = await client.pttl(call.names[0] ?? '');
      expect(leftMs + performance.now() - askedAt).toBeGreaterThanOrEqual(40);
      await sleep(i % 7);
    }
  });

  it.each([
    ['Redis', store],
    ['memory', createMemoryStore()],
  ])(
    'count a long lease for as long as it lives, whatever shorter ones are taken and renewed beside it: %s',
    async (_place, kept) => {
      const prefix = uniquePrefix();
      const long = callOf([leases(5, 60_000_000)], { prefix });
      const short = callOf([leases(5, 40_000)], { prefix });
      const name = long.names[0] ?? '';
      const remaining = async (): Promise<unknown> =>
        (await kept.decide({ ...long, mode: 'peek' })).views.map((view) => view.remaining);
      await kept.decide(long);
      await kept.decide(short);
      await sleep(60);
      expect(await remaining()).toEqual([4]);
      const renewed = callOf([leases(5, 20_000_000)], { prefix });
      await kept.decide(renewed);
      expect(await kept.renew(name, renewed.id, 20_000)).toBe(true);
      await sleep(40);
      expect(await remaining()).toEqual([4]);
    },
  );

  it.each([
    ['Redis', store],
    ['memory', createMemoryStore()],
  ])('that are taken back at a higher cost than they used leave no more than the limit: %s', async (_place, kept) => {
    const prefix = uniquePrefix();
    const { nowUs } = await kept.decide(callOf([fixed(5, 60_000_000)], { prefix }));
    const dearer = callOf([fixed(5, 60_000_000, { cost: 3 })], { prefix });
    await kept.refund(dearer, { atUs: nowUs, id: dearer.id });
    expect((await kept.decide({ ...dearer, mode: 'peek' })).views[0]?.remaining).toBe(5);
  });

  it('forget leases that have expired', async () => {
    const prefix = uniquePrefix();
    for (let i = 0; i < 20; i++) await store.decide(callOf([leases(50, 3_000)], { prefix }));
    await store.decide(callOf([leases(50, 60_000_000)], { prefix })); // Has the key live on.
    await sleep(10);
    const last = callOf([leases(50, 60_000_000)], { prefix });
    await store.decide(last);
    expect(await client.zcard(last.names[0] ?? '')).toBe(2);
  });

  it('keep one entry per segment and two at its ends, and 13 bytes of each', async () => {
    const prefix = uniquePrefix();
    const call = callOf([sliding(10_000, 60_000, { precision: 10, cost: 1 })], { prefix });
    for (let i = 0; i < 1_500; i++) await store.decide(call);
    expect(await client.strlen(call.names[0] ?? '')).toBeLessThanOrEqual(20 + 13 * 12);
    expect(await client.pttl(call.names[0] ?? '')).toBeLessThanOrEqual(60 + 6 + 2);
  });
});

it('keeps few entries of a client that goes on asking, where refusals count', async () => {
  const prefix = uniquePrefix();
  const store = createRedisStore(connectionOf(client, 5_000));
  const call = callOf([sliding(5, 3_600_000_000)], { prefix, countRefused: true });
  for (let i = 0; i < 200; i++) await store.decide(call);
  expect(await client.strlen(call.names[0] ?? '')).toBeLessThanOrEqual(20 + 13 * (5 + 3));
});

describe.each([
  ['Redis', createRedisStore(connectionOf(testRedis(), 5_000))],
  ['memory', createMemoryStore()],
])('refusals that count, in %s', (_name, store) => {
  const HOUR_US = 3_600_000_000;

  it('add up to more than any limit without beginning anew', async () => {
    const prefix = uniquePrefix();
    const policies = [sliding(5, HOUR_US, { cost: 2 ** 46 })];
    for (let i = 0; i < 4; i++) await store.decide(callOf(policies, { prefix, countRefused: true }));
    expect((await store.decide(callOf([sliding(5, HOUR_US)], { prefix }))).status).toBe('refused');
  });

  it('have a bucket be full at a time that is one', async () => {
    const call = callOf([bucket(1, 24 * HOUR_US, { cost: 2 ** 46 })], { prefix: uniquePrefix(), countRefused: true });
    expect((await store.decide(call)).status).toBe('refused');
    const { views } = await store.decide({ ...call, mode: 'peek' });
    expect(new Date((views[0]?.resetAtUs ?? Number.NaN) / 1_000).getTime()).toBeGreaterThan(Date.now());
  });

  it.each([
    ['an exact window', sliding(1, HOUR_US)],
    ['a coarse window', sliding(3, HOUR_US, { precision: 1 })],
    ['a bucket', bucket(1, HOUR_US)],
    ['a fixed window', fixed(1, HOUR_US)],
  ])('say when the request fits in, now that they count: %s', async (_algorithm, policy) => {
    const prefix = uniquePrefix();
    const ask = () => store.decide(callOf([policy], { prefix, countRefused: true }));
    for (let i = 0; i < policy.limit; i++) await ask();
    await sleep(5);
    const { status, views } = await ask();
    const after = await store.decide(callOf([policy], { prefix, mode: 'peek' }));
    expect([status, views[0]?.retryAtUs]).toEqual(['refused', after.views[0]?.retryAtUs]);
  });

  it('take no place of those that are served', async () => {
    const policies = [sliding(1, HOUR_US), leases(2, 60_000_000)];
    const prefix = uniquePrefix();
    for (let i = 0; i < 3; i++) await store.decide(callOf(policies, { prefix, countRefused: true }));
    const { views } = await store.decide(callOf(policies, { prefix, mode: 'peek' }));
    expect(views[1]?.remaining).toBe(1);
  });

  it('are remembered for the next ban, also when the client was blocked for a moment', async () => {
    const prefix = uniquePrefix();
    const ban = { after: 1, withinUs: 60_000_000, durationUs: 10_000, maxDurationUs: 60_000_000 };
    const call = callOf([sliding(0, HOUR_US)], { prefix, ban });
    await store.decide(call);
    await store.block(call.conduct, 20_000);
    await sleep(50);
    const { bannedUntilUs, clockUs } = await store.decide(call);
    expect(bannedUntilUs - clockUs).toBe(20_000);
  });
});

describe('decisions in a Cluster', () => {
  it('are the same as in memory, whatever a client does', async () => {
    const store = createRedisStore(connectionOf(testCluster(), 5_000));
    expect(await compareTwins(store, anyPolicies(30_000), 15)).toBe(15);
  });
});
