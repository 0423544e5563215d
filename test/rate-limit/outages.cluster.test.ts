import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from 'ioredis';
import { rateLimit } from 'express-rate-limit';
import request from 'supertest';
import { nodeOf } from '../../src/redis/client.ts';
import { closedLater, uniquePrefix } from '../support/connections.ts';
import { type RedisCluster, startCluster } from '../support/redis-server.ts';
import { appOf, suiteOf } from './support.ts';

let servers: RedisCluster;
let client: Cluster;

beforeAll(async () => {
  servers = await startCluster({ replicasPerMaster: 0, nodeTimeoutMs: 60_000 });
  client = closedLater(new Cluster([...servers.nodes]));
  await client.get('a');
}, 30_000);
afterAll(async () => {
  client.disconnect();
  await servers.stop();
});

describe('a Cluster that has never seen our scripts', () => {
  it('decides every first request of every client in Redis', async () => {
    const limiter = suiteOf({ redis: client, prefix: uniquePrefix() }).rateLimiter({ limit: 1, window: '1h' });
    const results = await Promise.all(Array.from({ length: 100 }, (_, i) => limiter.take(`client ${i}`)));
    expect(results.filter(({ allowed }) => allowed)).toHaveLength(100);
    expect(limiter.stats().withoutRedis).toBe(0);
  });

  it('serves express-rate-limit through the fixed-window store', async () => {
    const store = suiteOf({ redis: client, prefix: uniquePrefix() }).rateLimitStore({ algorithm: 'fixed-window' });
    const keyGenerator = (req: { get(name: string): string | undefined }): string => req.get('x-key') ?? '';
    const app = appOf(rateLimit({ limit: 1, store, keyGenerator, validate: false }));
    const responses = await Promise.all(
      Array.from({ length: 60 }, (_, i) => request(app).get('/').set('x-key', `client ${i}`)),
    );
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    expect((await request(app).get('/').set('x-key', 'client 0')).status).toBe(429);
  });
});

describe('a Cluster with one frozen master', () => {
  it('decides for clients of the others as ever', async () => {
    const prefix = uniquePrefix();
    const limiter = suiteOf({ redis: client, prefix }).rateLimiter({ limit: 1, window: '1h' });
    const settingsNode = nodeOf(client, `${prefix}:rl:{default}:settings`);
    const frozen = servers.processes.find(({ host, port }) => `${host}:${port}` !== settingsNode);
    const nodeOfKey = (key: string): string => nodeOf(client, `${prefix}:rl:{default:${key}}:!`);
    const clients = Array.from({ length: 60 }, (_, i) => `c${i}`);
    const well = clients.filter((key) => nodeOfKey(key) !== `${frozen?.host}:${frozen?.port}`);
    frozen?.freeze();
    try {
      const results = await Promise.all(clients.map((key) => limiter.take(key)));
      expect(results.filter(({ allowed }) => allowed)).toHaveLength(60);
      expect(limiter.stats().withoutRedis).toBe(60 - well.length);
      const again = await Promise.all(well.map((key) => limiter.take(key)));
      expect(again.filter(({ allowed }) => allowed)).toHaveLength(0);
    } finally {
      frozen?.thaw();
    }
  });
});
