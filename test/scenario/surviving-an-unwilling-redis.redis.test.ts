import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { closedLater, uniquePrefix } from '../support/connections.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { atOnce, hitAfter, oneByOne, openShop, type Shop } from './shop.ts';

let server: RedisProcess;
let admin: Redis;
let shop: Shop;
let prefix: string;

beforeAll(async () => {
  server = await startRedis();
  admin = connect(server);
});
afterAll(() => server.stop());
beforeEach(async () => {
  prefix = uniquePrefix();
  shop = await openShop(connect(server), { prefix, deadline: '2s' });
  await hitAfter(shop, 'a');
});
afterEach(() => shop.close());

describe('a Redis that is full', () => {
  beforeEach(() => admin.config('SET', 'maxmemory', '1'));
  afterEach(() => admin.config('SET', 'maxmemory', '0'));

  it('still serves what it has, and drops what it cannot take', async () => {
    expect(await oneByOne(10, async () => (await shop.show('a')).cache)).toEqual(Array(10).fill('hit'));
    expect(await oneByOne(10, async () => (await shop.show('b')).cache)).toEqual(Array(10).fill('miss'));
    expect(await shop.suite.data.set('k', 1)).toBe(false);
    const started = await openShop(connect(server), { prefix, deadline: '2s' });
    expect(await hitAfter(started, 'a')).toBeLessThan(1_000);
    await started.close();
    expect(shop.incidents).toEqual([]);
  });

  it('is never asked twice what was invalidated: this process heeds it, and writes it when there is room', async () => {
    expect(await shop.save('a')).toMatchObject({ status: 200, version: 1 });
    const answers = await oneByOne(10, () => shop.show('a'));
    expect(new Set(answers.map(({ version }) => version))).toEqual(new Set([1]));
    await expect(shop.suite.invalidate(['product:a'])).rejects.toThrow('OOM');
    await admin.config('SET', 'maxmemory', '0');
    await sleep(300);
    await hitAfter(shop, 'a');
    expect((await shop.show('a')).version).toBe(1);
    expect(shop.incidents).toEqual([]);
  });
});

describe('a Redis that is a read-only replica', () => {
  it('is not relied on, because it may be behind: handlers answer', async () => {
    const replica = await startRedis(['--replicaof', '127.0.0.1', String(server.port)]);
    await untilInSync(replica);
    const onMaster = await openShop(connect(server), { prefix, deadline: '2s' });
    const onReplica = await openShop(connect(replica), { prefix, deadline: '2s' });
    try {
      await hitAfter(onMaster, 'a');
      onReplica.versions.set('a', 1);
      const answers = await oneByOne(10, () => onReplica.show('a'));
      expect(new Set(answers.map(({ status, cache, version }) => `${status} ${cache} ${version}`))).toEqual(
        new Set(['200 bypass 1']),
      );
      expect(await onReplica.save('a')).toMatchObject({ status: 200, version: 2 });
      await expect(onReplica.suite.invalidate('x')).rejects.toThrow('READONLY');
      expect(onReplica.incidents).toEqual([]);
    } finally {
      await onMaster.close();
      await onReplica.close();
      await replica.stop();
    }
  });
});

describe('a Redis that forgets its scripts', () => {
  it('does not disturb 500 calls', async () => {
    const flushing = oneByOne(20, () => admin.script('FLUSH'));
    const saves = atOnce(100, (i) => shop.suite.invalidate([`product:${i}`]));
    const sets = atOnce(200, (i) => shop.suite.data.set(`k${i}`, i));
    const loads = atOnce(200, (i) => shop.suite.data.getOrSet(`l${i}`, () => i));
    await Promise.all([flushing, saves]);
    expect(await sets).toEqual(Array(200).fill(true));
    expect(await loads).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(shop.incidents).toEqual([]);
    expect(shop.suite.stats().data.errors).toBe(0);
  });
});

function connect({ port }: RedisProcess): Redis {
  return closedLater(new Redis({ port, disconnectTimeout: 50 }));
}

async function untilInSync({ port }: RedisProcess): Promise<void> {
  const replica = closedLater(new Redis({ port, enableReadyCheck: false, disconnectTimeout: 50 }));
  while (!(await replica.info('replication')).includes('master_link_status:up')) await sleep(20);
}
