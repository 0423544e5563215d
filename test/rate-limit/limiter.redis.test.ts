import { describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, type LimiterOptions, RateLimitExceededError, type RateLimiter } from '../../src/index.ts';
import { noteRefused } from '../../src/rate-limit/note-refused.lua.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';
import { eventually } from '../support/outages.ts';
import { suiteOf } from './support.ts';

const redis = testRedis();
const elsewhere = testRedis();

/** The same limiter in two processes, or so it seems to Redis. */
function twice(options: LimiterOptions): readonly [RateLimiter, RateLimiter] {
  const prefix = uniquePrefix();
  const open = (client: Redis): RateLimiter => suiteOf({ redis: client, prefix }).rateLimiter(options);
  return [open(redis), open(elsewhere)];
}

async function statuses(limiter: RateLimiter, key: string, count: number): Promise<boolean[]> {
  const results: boolean[] = [];
  for (let i = 0; i < count; i++) results.push((await limiter.take(key)).allowed);
  return results;
}

/** The commands a client sends. */
function record(client: Redis): string[] {
  const sent: string[] = [];
  const { sendCommand } = client;
  client.sendCommand = function (command, stream) {
    sent.push(command.name);
    return sendCommand.call(this, command, stream);
  };
  return sent;
}

describe('a limiter', () => {
  it('tells all about a decision', async () => {
    const [limiter] = twice({ limit: 3, window: '1m' });
    const result = await limiter.take('k', { cost: 2 });
    expect(result).toMatchObject({ allowed: true, limit: 3, remaining: 1, policy: 'default', retryAfterMs: 0 });
    expect(Math.abs(result.resetAt.getTime() - Date.now() - 60_000)).toBeLessThan(1_500);
    const refused = await limiter.take('k', { cost: 2 });
    expect(refused).toMatchObject({ allowed: false, remaining: 1, reason: 'limit' });
    expect(refused.retryAfterMs).toBeGreaterThan(58_000);
    expect(refused.retryAfterMs).toBeLessThanOrEqual(60_000);
    expect((await limiter.take('k')).allowed).toBe(true); // Less fits in.
  });

  it('throws an error that Express understands, where that is more convenient', async () => {
    const [limiter] = twice({ limit: 1, window: '1m' });
    await limiter.takeOrThrow('k');
    const error = await limiter.takeOrThrow('k').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RateLimitExceededError);
    expect(error).toMatchObject({ status: 429, code: 'ERR_RATE_LIMIT', violatedPolicies: ['default'] });
    expect((error as RateLimitExceededError).headers['Retry-After']).toMatch(/^(?:59|60)$/);
  });

  it('charges what it refuses where it is told to', async () => {
    const [strict] = twice({ limit: 3, window: '1h', refusedUse: 'cost' });
    await strict.take('k', { cost: 4 });
    expect((await strict.peek('k')).remaining).toBe(0);
  });

  it('is one command per decision, however many policies, and none for a client known to be refused', async () => {
    const client = testRedis();
    const limiter = suiteOf({ redis: client, deadline: '5s' }).rateLimiter({
      policies: [{ name: 'a', limit: 2, window: '1h' }, { name: 'b', limit: 100 }, { concurrent: 50 }],
    });
    await limiter.take('warm');
    const sent = record(client);
    const first = await limiter.take('k');
    await limiter.take('k');
    expect(sent).toEqual(['evalsha', 'evalsha']);
    for (let i = 0; i < 50; i++) await limiter.take('k');
    expect(sent.filter((name) => name === 'evalsha')).toHaveLength(3);
    expect(limiter.stats()).toMatchObject({ admitted: 3, refused: 50, refusedFromMemory: 49 });
    await first.refund();
    expect((await limiter.take('k')).allowed).toBe(true); // Knows at once of what was given back here.
  });

  it('tells a client known to be refused the time that is left, not what it was', async () => {
    const [limiter] = twice({ limit: 1, window: '1h' });
    await statuses(limiter, 'k', 1);
    const first = await limiter.take('k');
    await sleep(200);
    const second = await limiter.take('k');
    expect(limiter.stats().refusedFromMemory).toBe(1);
    expect(first.retryAfterMs - second.retryAfterMs).toBeGreaterThan(150);
  });

  it('heeds a refund and a reset of another process within a second', async () => {
    const [here, there] = twice({ limit: 2, window: '1h' });
    const first = await there.take('k');
    await there.take('k');
    expect((await here.take('k')).allowed).toBe(false);
    await first.refund();
    await sleep(1_050);
    expect(await statuses(here, 'k', 2)).toEqual([true, false]);
    await there.reset('k');
    await sleep(1_050);
    expect(await statuses(here, 'k', 3)).toEqual([true, true, false]);
  });

  it('tells a client known to be refused how long a dearer request has to wait', async () => {
    const [limiter] = twice({ limit: 10, window: '1h' });
    await limiter.take('k', { cost: 10 });
    await limiter.take('k');
    expect((await limiter.take('k', { cost: 11 })).retryAfterMs).toBe(Infinity);
  });

  it('does not remember a refusal that a refund has overtaken', async () => {
    const [limiter] = twice({ limit: 1, window: '1h' });
    const first = await limiter.take('k');
    const [second] = await Promise.all([limiter.take('k'), first.refund()]);
    expect([second.allowed, (await limiter.take('k')).allowed]).toEqual([false, true]);
  });

  it('resets what is counted by limits that another process has changed', async () => {
    const [here, there] = twice({ limit: 1, window: '1h' });
    await here.configure({ window: '2h' });
    await here.take('k');
    await there.reset('k');
    expect((await here.take('k')).allowed).toBe(true);
  });

  it('refuses changes that its options would refuse', async () => {
    const [limiter] = twice({ policies: [{ limit: 1 }, { concurrent: 1 }] });
    await expect(limiter.configure({ window: '999ms' }, 'concurrency')).rejects.toThrow(ConfigError);
    await expect(limiter.configure({ window: '367d' }, 'default')).rejects.toThrow(ConfigError);
  });

  it('changes limits while in use, in all processes within a second', async () => {
    const [here, there] = twice({ limit: 2, window: '1h' });
    expect(await statuses(there, 'k', 3)).toEqual([true, true, false]);
    await here.configure({ limit: 4 });
    expect(await statuses(here, 'k', 1)).toEqual([true]);
    await sleep(1_050);
    expect(await statuses(there, 'k', 2)).toEqual([true, false]);
    await here.configure({ limit: 1 });
    await sleep(1_050);
    expect((await there.take('new', { cost: 2 })).allowed).toBe(false);
    await there.configure(undefined);
    expect((await there.take('new', { cost: 2 })).allowed).toBe(true);
    await expect(here.configure({ limit: -1 })).rejects.toBeInstanceOf(ConfigError);
    await expect(here.configure({ limit: 1 }, 'other')).rejects.toThrow('default');
  });

  it('bans who goes on asking, for longer each time, and tells once', async () => {
    const suite = suiteOf({ redis, prefix: uniquePrefix() });
    const bans: number[] = [];
    suite.events.on('limit:banned', ({ retryAfterMs }) => bans.push(retryAfterMs));
    const ban = { after: 3, duration: '100ms', maxDuration: '1h' } as const;
    const limiter = suite.rateLimiter({ limit: 1, window: '1h', ban });
    const reasons = [];
    for (let i = 0; i < 6; i++) reasons.push((await limiter.take('k')).reason);
    expect(reasons).toEqual(['within-limit', 'limit', 'limit', 'banned', 'banned', 'banned']);
    await sleep(150);
    expect((await limiter.take('k')).reason).toBe('limit');
    for (let i = 0; i < 2; i++) await limiter.take('k');
    expect(bans).toHaveLength(2);
    await limiter.reset('k');
    expect((await limiter.take('k')).reason).toBe('within-limit');
  });

  it('bans for twice as long each time, and never for longer than the longest ban', async () => {
    const suite = suiteOf({ redis: testRedis(), deadline: '5s' });
    const bans: number[] = [];
    suite.events.on('limit:banned', ({ retryAfterMs }) => bans.push(Math.round(retryAfterMs)));
    const ban = { after: 1, duration: '100ms', maxDuration: '300ms' } as const;
    const limiter = suite.rateLimiter({ limit: 1, window: '80ms', ban });
    await eventually('three bans', async () => {
      await limiter.take('k');
      return bans.length === 3 ? true : undefined;
    });
    expect(bans).toEqual([100, 200, 300]);
  });

  it('charges a client that is blocked as well', async () => {
    const [limiter] = twice({ limit: 100, window: '1h' });
    await limiter.block('k', '30ms');
    await limiter.charge('k', 5);
    expect((await limiter.peek('k')).remaining).toBe(95);
  });

  it('blocks a client on demand, in every process, until the time is over or it is reset', async () => {
    const [here, there] = twice({ limit: 100, window: '1h' });
    await here.block('k', '1h');
    expect(await there.take('k')).toMatchObject({ allowed: false, reason: 'banned' });
    await there.reset('k');
    expect((await there.take('k')).allowed).toBe(true);
  });

  it('lists who is refused and who was refused most, by all processes', async () => {
    const [here, there] = twice({ limit: 1, window: '1h' });
    await statuses(here, 'often', 5);
    await statuses(there, 'once', 2);
    await there.list();
    const listed = await here.list();
    expect(listed.map(({ client }) => client).toSorted()).toEqual(['often', 'once']);
    expect(listed[0]?.until.getTime()).toBeGreaterThan(Date.now() + 3_500_000);
    expect(await here.top()).toEqual([
      { client: 'often', refusals: 4 },
      { client: 'once', refusals: 1 },
    ]);
    await here.reset('once');
    expect((await here.list()).map(({ client }) => client)).toEqual(['often']);
  });

  it('forgets after a day how often clients were refused, however many are meanwhile', async () => {
    const prefix = uniquePrefix();
    const limiter = suiteOf({ redis, prefix }).rateLimiter({ limit: 0 });
    await limiter.take('k');
    await limiter.top();
    await redis.pexpire(`${prefix}:rl:{default}:offenders`, 5_000);
    await limiter.take('k');
    await limiter.top();
    expect(await redis.pttl(`${prefix}:rl:{default}:offenders`)).toBeLessThanOrEqual(5_000);
  });

  it.each([
    ['Redis', { redis }],
    ['memory', {}],
  ])('still knows who was refused most when a client was reset, on %s', async (_name, place) => {
    const limiter = suiteOf({ ...place, prefix: uniquePrefix() }).rateLimiter({ limit: 1, window: '1h' });
    await statuses(limiter, 'k', 3);
    await limiter.reset('k');
    expect(await limiter.list()).toEqual([]);
    expect(await limiter.top()).toEqual([{ client: 'k', refusals: 2 }]);
  });

  it('notes no more clients than it is told to keep', async () => {
    const prefix = uniquePrefix();
    const places = { refused: `${prefix}:{n}:r`, offenders: `${prefix}:{n}:o` };
    const notes = ['a', 'b', 'c', 'd', 'e'].flatMap((client, i) => [client, i + 1, 1_000 * (i + 1)]);
    await noteRefused(redis, places, { cap: 3, countingMs: 5_000 }, notes);
    expect(await redis.zrange(places.refused, 0, '-1')).toEqual(['c', 'd', 'e']);
    expect(await redis.zrange(places.offenders, 0, '-1')).toEqual(['c', 'd', 'e']);
    expect(await redis.pttl(places.refused)).toBeGreaterThan(5_000);
    expect(await redis.pttl(places.offenders)).toBeGreaterThan(0);
    expect(await redis.pttl(places.offenders)).toBeLessThanOrEqual(5_000);
  });

  it('refuses keys that are not text, and limits and costs that are not whole numbers', async () => {
    const [limiter] = twice({ limit: 5 });
    for (const key of [undefined, null, 7, {}, ['a'], '']) {
      await expect(limiter.take(key as string)).rejects.toMatchObject({ code: 'ERR_LIMIT_KEY', status: 400 });
    }
    for (const cost of [-1, 0.5, Number.NaN, '1', Infinity]) {
      await expect(limiter.take('k', { cost: cost as number })).rejects.toMatchObject({ code: 'ERR_LIMIT_VALUE' });
    }
  });

  it('hides clients in its keys where that was asked for, and long ones always', async () => {
    const prefix = uniquePrefix();
    const suite = suiteOf({ redis, prefix });
    await suite.rateLimiter({ name: 'hidden', limit: 1, keySecret: 's' }).take('ada@example.org');
    await suite.rateLimiter({ name: 'long', limit: 1 }).take('x'.repeat(65));
    const names = await redis.keys(`${prefix}:rl:*`);
    expect(names.filter((name) => /ada|xxx/.test(name))).toEqual([]);
    expect(names).toHaveLength(2);
  });
});

describe('leases', () => {
  it('live on while their request runs, and end with a process that died', async () => {
    const [here, there] = twice({ concurrent: 1, lease: '1s' });
    const held = await here.take('k');
    await sleep(1_500);
    expect((await there.take('k')).allowed).toBe(false);
    await held.release?.();
    await held.release?.();
    expect((await there.take('k')).allowed).toBe(true);
  });
});

describe.each([
  ['Redis', () => testRedis()],
  ['Cluster', () => testCluster()],
])('many processes on %s', (_name, connect) => {
  it('together never admit more than the limit, whatever the names of clients', async () => {
    const prefix = uniquePrefix();
    const limiters = [connect(), connect()].map((client) =>
      suiteOf({ redis: client, prefix, deadline: '5s' }).rateLimiter({
        policies: [
          { name: 'a', limit: 7, window: '1h' },
          { name: 'b', limit: 9, window: '1m', algorithm: 'token-bucket' },
          { concurrent: 50 },
        ],
      }),
    );
    for (const key of ['{}', 'a}b{c', '{user}:1', '%', 'é😀', '127.0.0.1']) {
      const results = await Promise.all(
        limiters.flatMap((limiter) => Array.from({ length: 20 }, () => limiter.take(key))),
      );
      expect(results.filter(({ allowed }) => allowed)).toHaveLength(7);
    }
  });
});

describe('changes on a Cluster', () => {
  it('reach other processes within a second', async () => {
    const prefix = uniquePrefix();
    const [here, there] = [testCluster(), testCluster()].map((client) =>
      suiteOf({ redis: client, prefix, deadline: '5s' }).rateLimiter({ limit: 1, window: '1h' }),
    );
    await there?.take('k');
    await here?.configure({ limit: 3 });
    await eventually('the change', async () => ((await there?.take('k'))?.allowed === true ? true : undefined));
    expect((await here?.peek('k'))?.limit).toBe(3);
  });
});
