import { expect } from '@jest/globals';
import type { Options } from 'express-rate-limit';
import { Redis } from 'ioredis';
import request from 'supertest';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LimiterOptions, RateLimiter, RedisClient, Suite } from '../../src/index.ts';
import { closedLater, uniquePrefix } from '../support/connections.ts';
import { eventually } from '../support/outages.ts';
import type { RedisProcess } from '../support/redis-server.ts';
import { appOf, suiteOf } from './support.ts';
import { runningTime } from '../support/running-time.ts';

/** Servers of a test's own, and how an application connects to them. */
export interface Servers {
  readonly processes: readonly RedisProcess[];
  connect(): RedisClient;
}

/** What limiters do wrong, or what is done to them: what happens here instead, and the check of it. */
export type KnownFault = readonly [name: string, check: (servers: Servers) => Promise<void>];

/** The deadline, and what a busy machine adds to it. */
export const SOON_MS = 100 + 900;

/** A suite of its own. On a busy machine the default deadline would make decisions in memory where that is not what it is about. */
export function patientSuite({ connect }: Servers, prefix = uniquePrefix()): Suite {
  return suiteOf({ redis: connect(), prefix, deadline: '10s' });
}

function limiterAt(servers: Servers, options: LimiterOptions): RateLimiter {
  return patientSuite(servers).rateLimiter(options);
}

/** How many of so many at once are admitted. */
export async function takeTimes(limiter: RateLimiter, key: string, count: number): Promise<number> {
  const results = await Promise.all(Array.from({ length: count }, () => limiter.take(key)));
  return results.filter(({ allowed }) => allowed).length;
}

/** Asks every server, replicas too. */
async function onAll<T>({ processes }: Servers, ask: (server: Redis) => Promise<T>): Promise<T[]> {
  return Promise.all(processes.map(({ port }) => ask(closedLater(new Redis({ port, disconnectTimeout: 50 })))));
}

/** All keys of a prefix with their time to live. */
export async function keysOf(servers: Servers, prefix: string): Promise<Map<string, number>> {
  const found = await onAll(servers, async (server) => {
    if (!(await server.info('replication')).includes('role:master')) return [];
    const names = await server.keys(`${prefix}:*`);
    return Promise.all(names.map(async (name) => [name, await server.pttl(name)] as const));
  });
  return new Map(found.flat());
}

/** Resolves when decisions are made in Redis again. */
export async function decidedInRedis(limiter: RateLimiter, key = 'is it back'): Promise<void> {
  await eventually('decisions in Redis', async () => {
    const before = limiter.stats().withoutRedis;
    await limiter.peek(key);
    return limiter.stats().withoutRedis === before ? true : undefined;
  });
}

/** Faults of other limiters. */
export const FAULTS_OF_PEERS: readonly KnownFault[] = [
  [
    'SCRIPT FLUSH under 500 concurrent calls: all are decided in Redis, exactly',
    async (servers) => {
      const limiter = limiterAt(servers, { limit: 100, window: '1h', denyCache: 'off' });
      const admins = servers.processes.map(({ port }) => closedLater(new Redis({ port, disconnectTimeout: 50 })));
      const flush = setInterval(() => admins.forEach((admin) => void admin.script('FLUSH')), 1);
      try {
        const waves = Array.from({ length: 5 }, async (_, i) => {
          await sleep(i * 3);
          return takeTimes(limiter, 'k', 100);
        });
        const admitted = (await Promise.all(waves)).reduce((a, b) => a + b);
        expect([admitted, limiter.stats().withoutRedis]).toEqual([100, 0]);
      } finally {
        clearInterval(flush);
      }
    },
  ],
  [
    'servers that do not know the scripts: every first request of every client is decided in Redis',
    async (servers) => {
      const suite = patientSuite(servers);
      const [plain, many] = [
        suite.rateLimiter({ name: 'plain', limit: 1, window: '1h' }),
        suite.rateLimiter({ name: 'many', policies: [{ limit: 1, window: '1h' }, { concurrent: 5 }] }),
      ];
      const clients = Array.from({ length: 30 }, (_, i) => `client ${i}`);
      for (const limiter of [plain, many]) {
        await onAll(servers, (server) => server.script('FLUSH'));
        expect((await Promise.all(clients.map((key) => limiter.take(key)))).every(({ allowed }) => allowed)).toBe(true);
        expect((await Promise.all(clients.map((key) => limiter.take(key)))).some(({ allowed }) => allowed)).toBe(false);
        expect(limiter.stats().withoutRedis).toBe(0);
      }
    },
  ],
  [
    'servers that do not know the scripts of rate-limit-redis: its store counts every first request all the same',
    async (servers) => {
      const store = patientSuite(servers).rateLimitStore({ algorithm: 'fixed-window' });
      await store.init?.({ windowMs: 60_000, limit: 5 } as Options);
      await onAll(servers, (server) => server.script('FLUSH'));
      const clients = Array.from({ length: 30 }, (_, i) => `client ${i}`);
      for (const hits of [1, 2]) {
        const counts = await Promise.all(clients.map(async (key) => store.increment(key)));
        expect(new Set(counts.map(({ totalHits }) => totalHits))).toEqual(new Set([hits]));
      }
    },
  ],
  [
    'a peek at a missing key: numbers and dates, not NaN',
    async (servers) => {
      const suite = patientSuite(servers);
      const limiter = suite.rateLimiter({
        policies: [{ limit: 5 }, { name: 'b', limit: 2, algorithm: 'token-bucket' }, { concurrent: 1 }],
      });
      const { allowed, policies, resetAt } = await limiter.peek('nobody');
      expect([allowed, policies.map(({ remaining }) => remaining)]).toEqual([true, [5, 2, 1]]);
      expect([resetAt, ...policies.map((policy) => policy.resetAt)].map((date) => date.getTime())).not.toContain(NaN);
      for (const algorithm of ['sliding-window', 'fixed-window'] as const) {
        const store = suite.rateLimitStore({ name: algorithm, algorithm });
        await store.init?.({ windowMs: 60_000, limit: 5 } as Options);
        const info = await store.get?.('nobody');
        expect(info?.totalHits).toBe(0);
        expect(info?.resetTime?.getTime()).not.toBeNaN();
      }
    },
  ],
  [
    'a refund, a block and a decrement of what has expired: no key that lives for ever',
    async (servers) => {
      const prefix = uniquePrefix();
      const suite = patientSuite(servers, prefix);
      const policies = [
        { name: 's', limit: 2, window: '50ms' },
        { name: 'f', limit: 2, window: '50ms', algorithm: 'fixed-window' },
        { name: 'b', limit: 2, window: '50ms', algorithm: 'token-bucket' },
        { concurrent: 3, lease: '1s' },
      ] as const;
      const ban = { after: 1, within: '50ms', duration: '10ms', maxDuration: '20ms' } as const;
      const limiter = suite.rateLimiter({ policies, ban });
      const store = suite.rateLimitStore({ name: 'store', algorithm: 'fixed-window' });
      await store.init?.({ windowMs: 50, limit: 5 } as Options);
      await store.increment('k');
      const results = await Promise.all([limiter.take('k'), limiter.take('k'), limiter.take('k')]);
      await limiter.block('k', '30ms');
      await results[0].refund();
      expect([...(await keysOf(servers, prefix)).values()]).not.toContain(-1);
      await sleep(150);
      await Promise.all(results.map((result) => result.refund()));
      await store.decrement('k');
      const left = await keysOf(servers, prefix);
      expect([...left.values()]).not.toContain(-1);
      expect([...left.keys()].filter((name) => name.includes('{default:k}') && !name.endsWith(':c'))).toEqual([]);
      expect([...left.keys()].filter((name) => name.includes(':rlf:'))).toEqual([]);
    },
  ],
  [
    'a window below a second: it is counted as it is',
    async (servers) => {
      const limiter = limiterAt(servers, { limit: 2, window: '300ms' });
      expect(await takeTimes(limiter, 'k', 5)).toBe(2);
      const { retryAfterMs } = await limiter.take('k');
      expect(retryAfterMs).toBeLessThanOrEqual(300);
      await sleep(310);
      expect(await takeTimes(limiter, 'k', 5)).toBe(2);
    },
  ],
  [
    'refused weighted calls: they are not charged',
    async (servers) => {
      for (const algorithm of ['sliding-window', 'fixed-window', 'token-bucket'] as const) {
        const limiter = limiterAt(servers, { limit: 3, window: '1h', algorithm });
        for (let i = 0; i < 5; i++) await limiter.take('k', { cost: 4 });
        expect((await limiter.take('k', { cost: 3 })).allowed).toBe(true);
      }
    },
  ],
  [
    'a slow success: it is refunded when it ends',
    async (servers) => {
      const handler = patientSuite(servers).rateLimit({ limit: 1, window: '1h', skipSuccessfulRequests: true });
      const app = appOf(handler, (_req, _res, next) => void setTimeout(next, 50));
      for (let i = 0; i < 3; i++) {
        expect((await request(app).get('/')).status).toBe(200);
        await eventually('the refund', async () =>
          (await handler.limiter.peek('127.0.0.1')).allowed ? true : undefined,
        );
      }
    },
  ],
  [
    'servers that do not answer: one request never waits longer than the deadline',
    async (servers) => {
      const suite = suiteOf({ redis: servers.connect(), deadline: '100ms' });
      const limiter = suite.rateLimiter({ limit: 5, window: '1h' });
      await decidedInRedis(limiter);
      servers.processes.forEach((server) => server.freeze());
      try {
        const startedAt = runningTime();
        expect(await takeTimes(limiter, 'k', 20)).toBe(5);
        expect(runningTime() - startedAt).toBeLessThan(SOON_MS);
      } finally {
        servers.processes.forEach((server) => server.thaw());
      }
      await decidedInRedis(limiter);
    },
  ],
  [
    'a request that was allowed by timeout: it is not charged when Redis answers after all',
    async (servers) => {
      const limiter = suiteOf({ redis: servers.connect(), deadline: '100ms' }).rateLimiter({
        limit: 100,
        window: '1h',
      });
      await decidedInRedis(limiter);
      expect(await takeTimes(limiter, 'k', 10)).toBe(10);
      const before = limiter.stats().withoutRedis;
      servers.processes.forEach((server) => server.freeze());
      expect(await takeTimes(limiter, 'k', 20)).toBe(20);
      servers.processes.forEach((server) => server.thaw());
      expect(limiter.stats().withoutRedis - before).toBe(20);
      await decidedInRedis(limiter);
      await eventually('the late ones to be taken back', async () =>
        (await limiter.peek('k')).remaining === 90 ? true : undefined,
      );
    },
  ],
  [
    'an application that starts without Redis: it is used once it is there, without a restart',
    async (servers) => {
      await Promise.all(servers.processes.map((server) => server.kill()));
      const prefix = uniquePrefix();
      const options = { limit: 5, window: '1h' } as const;
      const limiter = suiteOf({ redis: servers.connect(), prefix, deadline: '100ms' }).rateLimiter(options);
      const startedAt = runningTime();
      expect(await takeTimes(limiter, 'k', 10)).toBe(5);
      expect(runningTime() - startedAt).toBeLessThan(SOON_MS);
      await Promise.all(servers.processes.map((server) => server.restart()));
      const elsewhere = patientSuite(servers, prefix).rateLimiter(options);
      await eventually('counts in Redis', async () => {
        await limiter.take('new');
        return (await elsewhere.peek('new').catch(() => undefined))?.remaining === 5 ? undefined : true;
      });
      await decidedInRedis(elsewhere);
      expect((await elsewhere.peek('new')).remaining).toBeLessThan(5);
    },
  ],
];
