import { describe, expect, it } from '@jest/globals';
import express from 'express';
import { Redis } from 'ioredis';
import { closedLater, testRedisUrl, uniquePrefix } from '../support/connections.ts';
import { startRedis } from '../support/redis-server.ts';
import { describeProcesses } from './coalescing-stories.ts';
import { ask, listen, openSuite } from './support.ts';
import { gate, until } from '../support/waiting.ts';
import { runningTime } from '../support/running-time.ts';

describeProcesses('Redis', () => ({ redis: testRedisUrl() }));

describe('a request that waits for the handler of another process', () => {
  it('waits no longer for a Redis that has frozen than for a poll and a deadline', async () => {
    const server = await startRedis();
    const prefix = uniquePrefix();
    const door = gate();
    const headers = { host: 'shop.test' };
    let runs = 0;
    const openProcess = (): Promise<number> => {
      const redis = closedLater(new Redis(server.port, server.host, { disconnectTimeout: 50 }));
      const app = express();
      app.get('/', openSuite('redis', { redis, prefix, deadline: '200ms' }).cache({ ttl: '1m' }), async (_req, res) => {
        if (++runs === 1) await door.passed;
        res.send('own');
      });
      return listen(app);
    };
    try {
      const [one, other] = [await openProcess(), await openProcess()];
      const leading = ask(one, '/', { headers });
      await until(() => runs === 1);
      const waiting = ask(other, '/', { headers });
      await new Promise((resolve) => setTimeout(resolve, 150));
      expect(runs).toBe(1);
      server.freeze();
      const frozenAt = runningTime();
      expect((await waiting).text).toBe('own');
      expect(runningTime() - frozenAt).toBeLessThan(2_000);
      door.open();
      expect((await leading).text).toBe('own');
    } finally {
      server.thaw();
      await server.stop();
    }
  });
});
