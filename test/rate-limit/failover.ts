import { expect } from '@jest/globals';
import { Redis } from 'ioredis';
import type { RateLimiter, RedisClient } from '../../src/index.ts';
import { closedLater, uniquePrefix } from '../support/connections.ts';
import { eventually } from '../support/outages.ts';
import type { RedisProcess } from '../support/redis-server.ts';
import { decidedInRedis, SOON_MS, takeTimes } from './known-faults.ts';
import { suiteOf } from './support.ts';
import { runningTime } from '../support/running-time.ts';

/** A deployment in which a replica takes over. */
export interface Deployment {
  connect(): RedisClient;
  masterOf(client: RedisClient, key: string): RedisProcess;
  /** Has a replica take the place of a master that was killed, if nobody else sees to it. */
  promote(lost: RedisProcess): Promise<void>;
}

/** Decisions go on while a master is lost and its replica takes over, each within the deadline and as `onRedisError` says; then Redis decides again, from what it had. */
export async function surviveFailover({ connect, masterOf, promote }: Deployment): Promise<void> {
  const client = connect();
  const prefix = uniquePrefix();
  const suite = suiteOf({ redis: client, prefix, deadline: '100ms' });
  const [memory, open, closed] = (['memory', 'allow', 'refuse'] as const).map((onRedisError) =>
    suite.rateLimiter({ name: onRedisError, limit: 100, window: '1h', processes: 20, onRedisError }),
  ) as [RateLimiter, RateLimiter, RateLimiter];
  await decidedInRedis(memory, 'k'); // Connected.
  expect(await takeTimes(memory, 'k', 10)).toBe(10);
  expect((await memory.peek('k')).remaining).toBe(90);
  const keyOf = (limiter: RateLimiter, key: string): string => `${prefix}:rl:{${limiter.name}:${key}}:!`;
  const lost = masterOf(client, keyOf(memory, 'k'));
  /** A client whose limits are kept by the master that is lost. */
  const someone = (limiter: RateLimiter): string =>
    Array.from({ length: 100 }, (_, i) => `c${i}`).find((key) => masterOf(client, keyOf(limiter, key)) === lost) ?? '';
  const [mine, his, hers] = [someone(memory), someone(open), someone(closed)];
  await untilReplicated(lost, keyOf(memory, 'k'));

  await lost.kill();
  const startedAt = runningTime();
  expect(await takeTimes(memory, mine, 30)).toBe(5); // Its share.
  expect(runningTime() - startedAt).toBeLessThan(SOON_MS);
  const promoted = promote(lost);
  const seen = { open: new Set<string>(), closed: new Set<string>(), slowestMs: 0 };
  await eventually('decisions in Redis', async () => {
    const before = memory.stats().withoutRedis;
    const askedAt = runningTime();
    const [first, second] = await Promise.all([open.take(his), closed.take(hers), memory.peek('k')]);
    seen.slowestMs = Math.max(seen.slowestMs, runningTime() - askedAt);
    seen.open.add(`${first.allowed}`);
    seen.closed.add(`${second.allowed} ${second.reason}`);
    return memory.stats().withoutRedis === before ? true : undefined;
  });
  await promoted;
  expect(seen.slowestMs).toBeLessThan(SOON_MS);
  expect([...seen.open]).toEqual(['true']);
  expect(seen.closed).toContain('false redis-error');
  expect(masterOf(client, keyOf(memory, 'k'))).not.toBe(lost);
  expect((await memory.peek('k')).remaining).toBe(90);
  expect(await takeTimes(memory, 'k', 95)).toBe(90);
}

/** Replication keeps the order: who has this mark has what was written before. */
async function untilReplicated({ port }: RedisProcess, key: string): Promise<void> {
  const admin = closedLater(new Redis({ port, disconnectTimeout: 50 }));
  await admin.set(`${key}mark`, '1', 'PX', 60_000);
  expect(await admin.wait(1, 5_000)).toBeGreaterThan(0);
}
