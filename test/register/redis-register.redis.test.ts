import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis, type RedisOptions } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { toTags } from '../../src/cache/tags.ts';
import type { Stamp } from '../../src/register/mirror.ts';
import type { Purge, PurgeMode } from '../../src/register/records.ts';
import { closedLater, testRedis, uniquePrefix } from '../support/connections.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { openProcess, type Process, until } from './processes.ts';

const HOUR_MS = 3_600_000;

const admin = testRedis();

/** Some processes of one application. */
function open(count: number, options: Partial<Parameters<typeof openProcess>[1]> = {}): Process[] {
  const prefix = uniquePrefix();
  return Array.from({ length: count }, () => openProcess(testRedis(), { prefix, ...options }));
}

function openTwo(options: Partial<Parameters<typeof openProcess>[1]> = {}): [Process, Process] {
  return open(2, options) as [Process, Process];
}

/** A process that never hears any news. */
function openDeaf(prefix: string, maxStalenessMs: number): Process {
  const client = testRedis();
  client.duplicate = () => closedLater(new Redis({ port: 1, retryStrategy: () => null }));
  return openProcess(client, { prefix, maxStalenessMs });
}

function purge(kind: Purge['kind'], value: string, mode: PurgeMode = 'hard'): Purge {
  return { mode, kind, value };
}

describe('the register in Redis', () => {
  it('has every process heed an invalidation that has returned', async () => {
    const [one, two] = openTwo();
    const stamp = await one.stampNow();
    expect(await two.verdictOn(stamp, ['a'])).toBe('valid');
    await two.purgeTags('a');
    expect(await one.verdictOn(stamp, ['a'])).toBe('dead');
    expect(await one.verdictOn(stamp, ['b'])).toBe('valid');
    expect(await one.verdictOn(await one.stampNow(), ['a'])).toBe('valid');
  });

  it.each<[Purge, boolean]>([
    [purge('key', 'd:user:7'), true],
    [purge('key', 'd:user'), false],
    [purge('prefix', 'd:user:'), true],
    [purge('prefix', 'h:user:'), false],
    [purge('pattern', 'us?r:*'), true],
    [purge('pattern', 'd:us?r:*'), false],
    [purge('allTags', '["a","b"]'), true],
    [purge('allTags', '["a","c"]'), false],
    [purge('everything', ''), true],
  ])('judges by %j', async (what, isHit) => {
    const [one, two] = openTwo();
    const stamp = await one.stampNow();
    await one.stampNow();
    await two.register.invalidate([what]);
    expect(await one.verdictOn(stamp, ['a', 'b'], 'd:user:7')).toBe(isHit ? 'dead' : 'valid');
    expect(await two.verdictOn(stamp, ['a', 'b'], 'd:user:7')).toBe(isHit ? 'dead' : 'valid');
  });

  it('lets what is purged softly be served as stale, and what is purged hard not at all, in either order', async () => {
    const [one, two] = openTwo();
    const first = await one.stampNow();
    await two.register.invalidate([purge('tag', 'a', 'soft'), purge('everything', '', 'soft')]);
    expect(await one.verdictOn(first, ['a'])).toBe('soft');
    await two.purgeTags('a');
    expect(await one.verdictOn(first, ['a'])).toBe('dead');
    const second = await one.stampNow();
    await two.register.invalidate([purge('tag', 'a', 'soft')]);
    expect(await one.verdictOn(first, ['a'])).toBe('dead');
    expect(await one.verdictOn(second, ['a'])).toBe('soft');
    expect(await one.verdictOn(await one.stampNow(), ['a'])).toBe('valid');
  });

  it('takes tags of any characters', async () => {
    const spellings = [
      '\ud800',
      'a\udfffb',
      '\0',
      '{a}',
      '%',
      '👩‍👩‍👧',
      '!g',
      '!c:1',
      'ha',
      ' ',
      '\n',
      'é',
      'e\u0301',
      '\uffff',
      '"',
    ];
    const tags = toTags([...spellings, 'x'.repeat(100_000), '😀'.repeat(300)], 'test');
    const [one, two] = openTwo();
    for (const tag of tags) {
      const stamp = await one.stampNow();
      await two.purgeTags(tag);
      const others = tags.filter((other) => other !== tag);
      expect([await one.verdictOn(stamp, [tag]), await one.verdictOn(stamp, others)]).toEqual(['dead', 'valid']);
    }
    const late = openProcess(testRedis(), { prefix: one.keys.register.slice(0, -':reg'.length) });
    expect(await late.verdictOn(await late.stampNow(), tags)).toBe('valid');
  });

  it('writes 1,000 tags in one call, and nothing per entry', async () => {
    const [one, two] = openTwo();
    const stamp = await one.stampNow();
    await two.purgeTags(...Array.from({ length: 1_000 }, (_, i) => `tag${i}`));
    expect(await one.verdictOn(stamp, ['tag0'])).toBe('dead');
    expect(await one.verdictOn(stamp, ['tag999'])).toBe('dead');
    expect(await one.verdictOn(stamp, ['tag1000'])).toBe('valid');
    expect(await admin.zcard(one.keys.register)).toBe(1_000 + 3);
  });

  it.each([
    ['with one clock', 1],
    ['with many clocks', 9],
  ])('reads more members than fit on one page, %s', async (_, calls) => {
    const [one, two] = openTwo({ deadlineMs: 5_000 });
    const stamp = await one.stampNow();
    const perCall = 9_000 / calls;
    for (let call = 0; call < calls; call++) {
      await two.purgeTags(...Array.from({ length: perCall }, (_unused, i) => `tag${call * perCall + i}`));
    }
    const late = openProcess(testRedis(), { prefix: one.keys.register.slice(0, -':reg'.length), deadlineMs: 5_000 });
    for (const process of [one, two, late]) {
      for (const i of [0, 4_095, 4_096, 4_097, 8_999]) expect(await process.verdictOn(stamp, [`tag${i}`])).toBe('dead');
      expect(await process.verdictOn(stamp, ['tag9000'])).toBe('valid');
    }
  });

  it('tells apart what happens in one microsecond, or after the clock of the server has stepped back', async () => {
    const [one, two] = openTwo();
    const { generation, clock } = await one.stampNow();
    const ahead = clock + HOUR_MS * 1_000;
    await admin.zadd(one.keys.register, ahead, `!c:${generation}`); // An hour ahead of the clock: from now on it only counts.
    let stamp = await one.stampNow();
    expect(stamp.clock).toBe(ahead);
    for (let i = 0; i < 50; i++) {
      await two.purgeTags('a');
      expect(await one.verdictOn(stamp, ['a'])).toBe('dead');
      stamp = await one.stampNow();
      expect(await one.verdictOn(stamp, ['a'])).toBe('valid');
    }
    expect(stamp.clock).toBe(ahead + 100);
  });

  it.each([
    ['a process that reads', true],
    ['a process that only invalidates', false],
  ])('turns more patterns than it compares into a floor, written by %s', async (_, hasRead) => {
    const [one, two] = openTwo();
    if (hasRead) await two.stampNow();
    const old = await one.stampNow();
    for (let i = 0; i < 64; i++) await two.register.invalidate([purge('pattern', `no${i}*`)]);
    expect(await one.verdictOn(old, [])).toBe('valid');
    await two.register.invalidate([purge('pattern', 'no64*')]);
    expect(await one.verdictOn(old, [])).toBe('dead');
    const recent = await one.stampNow();
    await two.register.invalidate([purge('pattern', 'no65*')]);
    expect(await one.verdictOn(recent, [])).toBe('valid');
    expect(await two.verdictOn(old, [])).toBe('dead');
  });
});

describe('a register that is lost', () => {
  it('is replaced by another, for which all entries and computations under way are dead', async () => {
    const [one, two] = openTwo();
    const stored = await one.stampNow();
    await two.purgeTags('other');
    const underWay = await two.stampNow();
    await admin.unlink(one.keys.register);
    expect(await one.verdictOn(stored, ['a'])).toBe('dead');
    expect(await two.verdictOn(underWay, ['a'])).toBe('dead');
    const fresh = await two.stampNow();
    expect(fresh.generation).not.toBe(stored.generation);
    expect(await one.verdictOn(fresh, ['a'])).toBe('valid');
    await two.purgeTags('a');
    expect(await one.verdictOn(fresh, ['a'])).toBe('dead');
  });

  it('is noticed by the process whose own invalidation creates the next one, even in bounded mode', async () => {
    const one = openDeaf(uniquePrefix(), HOUR_MS);
    const stamp = await one.stampNow();
    await admin.unlink(one.keys.register);
    await one.purgeTags('other');
    expect(await one.verdictOn(stamp, ['a'])).toBe('dead');
  });

  it('is repaired by whoever saw what it lost, after reconnecting, and the others heed it then', async () => {
    const [saw, other] = openTwo();
    const stamp = await saw.stampNow();
    await saw.purgeTags('before');
    expect(await other.verdictOn(stamp, ['a'])).toBe('valid');
    const copy = await admin.dumpBuffer(saw.keys.register);
    await saw.purgeTags('a');
    await admin.restore(saw.keys.register, 0, copy, 'REPLACE'); // As a failover to a replica that lagged behind.
    expect(await other.verdictOn(stamp, ['a'])).toBe('valid');
    await other.purgeTags('later'); // Its clock passes the lost one: only a reconnection makes the loser look.
    (saw.client as Redis).disconnect(true);
    await until(async () => (await saw.verdictOn(stamp, ['a'])) === 'dead');
    expect(await other.verdictOn(stamp, ['a'])).toBe('dead');
    expect(await other.verdictOn(await other.stampNow(), ['a'])).toBe('valid');
  });

  it('is repaired by a process that has only ever invalidated, too', async () => {
    const [writer, reader] = openTwo();
    await writer.purgeTags('before');
    await until(async () => writer.register.stamp() !== undefined);
    const stamp = await reader.stampNow();
    const copy = await admin.dumpBuffer(writer.keys.register);
    await writer.purgeTags('a');
    await admin.restore(writer.keys.register, 0, copy, 'REPLACE');
    expect(await reader.verdictOn(stamp, ['a'])).toBe('valid');
    (writer.client as Redis).disconnect(true);
    await until(async () => (await reader.verdictOn(stamp, ['a'])) === 'dead');
  });

  it('is repaired at once by whoever sees that its clock has gone back', async () => {
    const [saw, other] = openTwo();
    const stamp = await saw.stampNow();
    const copy = await admin.dumpBuffer(saw.keys.register);
    await saw.register.invalidate([purge('tag', 'a'), purge('everything', '', 'soft')]);
    await admin.restore(saw.keys.register, 0, copy, 'REPLACE');
    expect(await saw.verdictOn(stamp, ['a'])).toBe('dead');
    expect(await other.verdictOn(stamp, ['a'])).toBe('dead');
    expect(await other.verdictOn(stamp, ['b'])).toBe('soft');
  });

  it('gets its floor back as well', async () => {
    const [saw, other] = openTwo();
    const stamp = await saw.stampNow();
    const copy = await admin.dumpBuffer(saw.keys.register);
    await saw.register.invalidate([purge('everything', '')]);
    await admin.restore(saw.keys.register, 0, copy, 'REPLACE');
    expect(await saw.verdictOn(stamp, ['a'])).toBe('dead');
    expect(await other.verdictOn(stamp, ['a'])).toBe('dead');
  });
});

describe('growth', () => {
  it('keeps at most as many records as the cap says, here and in Redis, and never makes a purged entry valid by that', async () => {
    const cap = 5_000;
    const [one, two] = openTwo({ maxRecords: cap });
    const stamps = [await one.stampNow()];
    for (let call = 0; call < 60; call++) {
      await two.purgeTags(...Array.from({ length: 1_000 }, (_, i) => `tag${call}:${i}`));
      stamps.push(await one.stampNow());
    }
    expect(await admin.zcard(one.keys.register)).toBeLessThanOrEqual(cap + 4);
    const judged = await Promise.all(
      stamps.slice(0, -1).map((stamp, call) => one.verdictOn(stamp, [`tag${call}:500`])),
    );
    expect(judged.every((verdict) => verdict === 'dead')).toBe(true);
    expect(await one.verdictOn(stamps[57] as Stamp, ['other'])).toBe('valid');
    expect(await one.verdictOn(stamps[30] as Stamp, ['other'])).toBe('dead'); // Below the floor: it can no longer be told.
  });
});

describe('bounded mode', () => {
  it('heeds invalidations of its own process at once, though no news come', async () => {
    const one = openDeaf(uniquePrefix(), HOUR_MS);
    for (let i = 0; i < 20; i++) {
      const stamp = await one.stampNow();
      expect(await one.verdictOn(stamp, ['a'])).toBe('valid');
      await one.purgeTags('a');
      expect(one.register.refresh()).toBe(true);
      expect(await one.verdictOn(stamp, ['a'])).toBe('dead');
    }
  });

  it('is behind by no more than the bound, though no news come', async () => {
    const prefix = uniquePrefix();
    const [one, two] = [openDeaf(prefix, 100), openDeaf(prefix, 100)];
    const stamp = await one.stampNow();
    await one.stampNow();
    await two.purgeTags('a');
    const purgedAt = performance.now();
    let lastServedAt = purgedAt;
    for (let askedAt = purgedAt; (await one.verdictOn(stamp, ['a'])) !== 'dead'; askedAt = performance.now()) {
      lastServedAt = askedAt;
      await sleep(1);
    }
    expect(lastServedAt - purgedAt).toBeLessThan(100);
  });

  it('asks at most once per bound', async () => {
    const one = openDeaf(uniquePrefix(), 200);
    await one.stampNow();
    const answers = Array.from({ length: 1_000 }, () => one.register.refresh());
    expect(answers.every((answer) => answer === true)).toBe(true);
    await sleep(210);
    const late = Array.from({ length: 10 }, () => one.register.refresh());
    expect(new Set(late).size).toBe(1);
    expect(await late[0]).toBe(true);
    expect(one.register.refresh()).toBe(true);
  });

  it('asks again when the event loop was blocked longer than the bound', async () => {
    const prefix = uniquePrefix();
    const [one, two] = [openDeaf(prefix, 100), openDeaf(prefix, 100)];
    const stamp = await one.stampNow();
    await two.purgeTags('a');
    await one.stampNow();
    await two.purgeTags('b');
    expect(one.register.refresh()).toBe(true);
    const until = performance.now() + 110;
    while (performance.now() < until);
    expect(one.register.refresh()).not.toBe(true);
    expect(await one.verdictOn(stamp, ['b'])).toBe('dead');
  });

  it('is told by the news long before the bound', async () => {
    const [one, two] = openTwo({ maxStalenessMs: HOUR_MS });
    await one.stampNow();
    await until(async () => ((await admin.pubsub('NUMSUB', one.keys.news)) as [string, number])[1] > 0);
    const stamp = await one.stampNow();
    await two.purgeTags('a');
    await until(async () => (await one.verdictOn(stamp, ['a'])) === 'dead');
    expect(await one.verdictOn(await one.stampNow(), ['a'])).toBe('valid');
  });
});

describe('a register that cannot be asked', () => {
  let server: RedisProcess;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  function connect(): Redis {
    return closedLater(new Redis({ port: server.port, retryStrategy: () => 20, disconnectTimeout: 50 }));
  }

  it('is never taken for one that says nothing, in either mode', async () => {
    const prefix = uniquePrefix();
    const [strong, bounded, other] = [0, 50, 0].map((maxStalenessMs) =>
      openProcess(connect(), { prefix, maxStalenessMs, deadlineMs: 60 }),
    ) as [Process, Process, Process];
    const stamp = await strong.stampNow();
    await bounded.stampNow();
    await other.purgeTags('a');
    await connect().client('PAUSE', 400);
    await sleep(60);
    expect(await strong.verdictOn(stamp, ['a'])).toBe('unknown');
    expect(await bounded.verdictOn(stamp, ['a'])).toBe('unknown');
    await until(async () => (await bounded.verdictOn(stamp, ['a'])) === 'dead');
    await until(async () => (await strong.verdictOn(stamp, ['a'])) === 'dead');
  });

  it('is asked again as soon as it answers, however long the bound', async () => {
    const one = openProcess(connect(), { prefix: uniquePrefix(), maxStalenessMs: HOUR_MS, deadlineMs: 60 });
    await until(async () => one.client.status === 'ready');
    await connect().client('PAUSE', 300);
    expect(await one.register.refresh()).toBe(false);
    expect(await until(async () => one.register.refresh())).toBeLessThan(2_000);
  });

  it('gets what it missed later; until then the process that invalidated heeds it alone', async () => {
    const prefix = uniquePrefix();
    const client = connect();
    const [one, two] = [client, connect()].map((each) => openProcess(each, { prefix })) as [Process, Process];
    const stamp = await one.stampNow();
    client.disconnect();
    await until(async () => client.status === 'end');
    await expect(one.purgeTags('a')).rejects.toMatchObject({ operation: 'invalidate' });
    await expect(one.register.invalidate([purge('prefix', 'd:', 'soft')])).rejects.toBeInstanceOf(Error);
    expect(one.register.judge(stamp, () => ({ key: 'h:key', tags: ['a'] }))).toBe('dead');
    expect(one.register.judge(stamp, () => ({ key: 'h:key', tags: ['b'] }))).toBe('valid');
    expect(one.register.judge(stamp, () => ({ key: 'd:key', tags: ['b'] }))).not.toBe('valid');
    expect(await two.verdictOn(stamp, ['a'])).toBe('valid');
    await client.connect();
    await until(async () => (await two.verdictOn(stamp, ['a'])) === 'dead');
    expect(await two.verdictOn(stamp, ['b'])).toBe('soft');
    await until(async () => (await one.verdictOn(stamp, ['b'])) === 'soft');
    expect(await one.verdictOn(await one.stampNow(), ['a'])).toBe('valid');
  });
});

describe('a connection of yours', () => {
  const CONNECTIONS: [string, RedisOptions][] = [
    ['protocol 2', { protocol: 2 }],
    ['protocol 3', { protocol: 3 }],
    ['protocol 2 with legacy replies', { protocol: 2, replyMapping: 'legacy' }],
    ['protocol 3 with legacy replies', { protocol: 3, replyMapping: 'legacy' }],
    ['protocol 3 with RESP3 replies', { protocol: 3, replyMapping: 'resp3' }],
    ['a key prefix', { keyPrefix: 'mine:' }],
    ['automatic pipelines', { enableAutoPipelining: true }],
    ['no offline queue', { enableOfflineQueue: false }],
    ['a lazy connection', { lazyConnect: true }],
    ['numbers as strings', { stringNumbers: true }],
  ];

  it.each(CONNECTIONS)('may have %s', async (_, options) => {
    const prefix = uniquePrefix();
    const [one, two] = [0, 0].map(() => openProcess(testRedis(options), { prefix, maxStalenessMs: HOUR_MS })) as [
      Process,
      Process,
    ];
    if (options.lazyConnect !== true)
      await until(async () => one.client.status === 'ready' && two.client.status === 'ready');
    const stamp = await one.stampNow();
    await two.purgeTags('a', 'b');
    await until(async () => (await one.verdictOn(stamp, ['a'])) === 'dead' || (await one.purgeTags('c'), false));
    expect(await two.verdictOn(stamp, ['a'])).toBe('dead');
    expect(await two.verdictOn(await two.stampNow(), ['a'])).toBe('valid');
    const draft = { key: 'd:k', tags: ['a'], flags: 0, freshMs: 1_000, staleMs: 0, computeMs: 0, metadata: 'm' };
    expect(await two.store.write('d:k', { ...draft, stamp: await two.stampNow(), body: Buffer.from([0, 255]) })).toBe(
      true,
    );
    expect((await two.store.read('d:k')).found?.entry.body).toEqual(Buffer.from([0, 255]));
    await until(async () => ((await admin.pubsub('NUMSUB', one.keys.news)) as [string, number])[1] > 1);
    const told = await one.stampNow();
    await two.purgeTags('told');
    await until(async () => (await one.verdictOn(told, ['told'])) === 'dead');
  });
});
