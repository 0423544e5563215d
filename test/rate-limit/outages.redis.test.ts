import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { rateLimit as expressRateLimit } from 'express-rate-limit';
import request from 'supertest';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRedis, type RateLimiter, type RedisClient, type Suite } from '../../src/index.ts';
import { closedLater } from '../support/connections.ts';
import { collectingLogger, eventually } from '../support/outages.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { appOf, statusesOf, suiteOf, visit } from './support.ts';
import { runningTime } from '../support/running-time.ts';

const DEADLINE_MS = 250;
/** The deadline, and what a busy machine adds to it. */
const SOON_MS = DEADLINE_MS + 900;

let server: RedisProcess;
let suite: Suite;

function connect(port: number): RedisClient {
  const client = createRedis({ url: `redis://127.0.0.1:${port}`, preset: 'production', logger: collectingLogger() });
  if (client === undefined) throw new Error('unreachable');
  return closedLater(client);
}

beforeEach(async () => {
  server = await startRedis();
  const client = connect(server.port);
  await client.ping();
  suite = suiteOf({ redis: client, prefix: 't', deadline: DEADLINE_MS });
});
afterEach(async () => {
  await suite.close();
  await server.stop();
});

async function takeTimes(limiter: RateLimiter, key: string, count: number): Promise<number> {
  const results = await Promise.all(Array.from({ length: count }, () => limiter.take(key)));
  return results.filter(({ allowed }) => allowed).length;
}

/** A connection of the test's own. */
function admin(): Redis {
  return closedLater(new Redis({ port: server.port, disconnectTimeout: 50 }));
}

const outages: readonly (readonly [string, () => unknown, () => unknown])[] = [
  ['killed', () => server.kill(), () => server.restart()],
  ['frozen', () => server.freeze(), () => server.thaw()],
];

describe.each(outages)('while Redis is %s', (what, begin, end) => {
  it('one request never waits longer than the deadline, and this process keeps to its share', async () => {
    const limiter = suite.rateLimiter({ name: 'a', limit: 10, window: '1h', processes: 2 });
    const told: string[] = [];
    suite.events.on('limit:error', ({ operation }) => told.push(operation));
    suite.events.on('cache:error', ({ operation }) => told.push(`cache: ${operation}`));
    expect(await takeTimes(limiter, 'warm', 1)).toBe(1);
    await begin();
    const startedAt = runningTime();
    expect(await takeTimes(limiter, 'k', 30)).toBe(5);
    expect(runningTime() - startedAt).toBeLessThan(SOON_MS);
    expect(told).toContain('decide limit');
    expect(told.filter((operation) => operation.startsWith('cache'))).toEqual([]);
    await end();
  });

  it('everything passes or nothing, where that was asked for', async () => {
    const open = appOf(suite.rateLimit({ name: 'a', limit: 1, window: '1h', onRedisError: 'allow' }));
    const closed = appOf(suite.rateLimit({ name: 'b', limit: 100, window: '1h', onRedisError: 'refuse' }));
    expect((await request(open).get('/')).status).toBe(200);
    await begin();
    expect((await request(open).get('/')).status).toBe(200);
    const refused = await request(closed).get('/');
    expect([refused.status, refused.type, refused.headers['retry-after']]).toEqual([
      503,
      'application/problem+json',
      '1',
    ]);
    await end();
  });

  it('express-rate-limit goes on limiting with a fixed-window store, and nothing is charged twice', async () => {
    const store = suite.rateLimitStore({ name: 'f', algorithm: 'fixed-window' });
    const app = appOf(expressRateLimit({ limit: 3, windowMs: 3_600_000, store }));
    const hits = async () => (await store.get?.('127.0.0.1'))?.totalHits;
    expect(statusesOf(await visit(app, 1))).toEqual([200]);
    await begin();
    expect(statusesOf(await visit(app, 5))).toEqual([200, 200, 200, 429, 429]);
    expect(await hits()).toBe(5);
    await end();
    const expected = what === 'killed' ? 0 : 1; // What Redis had.
    await eventually('what Redis counts', async () => ((await hits()) === expected ? true : undefined));
    expect(statusesOf(await visit(app, 1))).toEqual([200]);
    expect(await hits()).toBe(expected + 1);
  });

  it('a client that is refused stays refused', async () => {
    const limiter = suite.rateLimiter({ name: 'a', limit: 3, window: '1h' });
    expect(await takeTimes(limiter, 'k', 5)).toBe(3);
    await begin();
    await sleep(1_100); // Longer than a refusal is believed while Redis can be asked.
    expect(await takeTimes(limiter, 'k', 5)).toBe(0);
    await end();
  });

  it('a request that was allowed without Redis is not charged there when Redis is back', async () => {
    const limiter = suite.rateLimiter({ name: 'a', limit: 100, window: '1h' });
    expect(await takeTimes(limiter, 'k', 10)).toBe(10);
    await begin();
    expect(await takeTimes(limiter, 'k', 20)).toBe(20);
    expect(suite.stats().limits['a']?.withoutRedis).toBe(20);
    await end();
    const without = (): number => suite.stats().limits['a']?.withoutRedis ?? 0;
    await eventually('Redis', async () => {
      const before = without();
      await limiter.take('other');
      return without() === before ? true : undefined;
    });
    // A server that was killed has forgotten; one that was frozen does late what it was sent, and what it did is taken back.
    const expected = what === 'killed' ? 100 : 90;
    const remaining = await eventually('the rest', async () => {
      const peeked = await limiter.peek('k');
      return peeked.remaining === expected ? peeked.remaining : undefined;
    });
    expect(remaining).toBe(expected);
  });
});

describe('a connection that breaks after a decision was sent', () => {
  it('charges the decision once at most, though the client sends it again', async () => {
    const client = connect(server.port) as Redis;
    const own = suiteOf({ redis: client, prefix: 'own', deadline: '5s' });
    const limiter = own.rateLimiter({ name: 'a', limit: 1_000, window: '1h' });
    const other = admin();
    expect(await takeTimes(limiter, 'k', 10)).toBe(10);
    for (let round = 0; round < 5; round++) {
      const id = await client.client('ID');
      server.freeze();
      const pending = takeTimes(limiter, 'k', 10);
      await sleep(30); // Sent, and waiting in the server's socket.
      const killed = other.client('KILL', 'ID', id);
      await sleep(10);
      client.disconnect(true);
      server.thaw();
      await killed.catch(() => undefined);
      expect(await pending).toBe(10);
      await eventually('the connection', () => (client.status === 'ready' ? true : undefined));
    }
    await sleep(300);
    const { remaining } = await limiter.peek('k');
    // Of the 50 in between each was answered by this process. Redis may have counted each once, and not twice.
    expect(remaining).toBeGreaterThanOrEqual(1_000 - 10 - 50);
    await own.close();
  });
});
