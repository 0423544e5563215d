import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisError } from '../../src/core/errors.ts';
import { createSuite, type Suite } from '../../src/suite.ts';
import { closedLater } from '../support/connections.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { runningTime } from '../support/running-time.ts';

describe('data cache while Redis is away', () => {
  let server: RedisProcess;
  let suite: Suite;
  const told: string[] = [];

  beforeAll(async () => {
    server = await startRedis();
    const redis = closedLater(new Redis({ port: server.port, retryStrategy: () => 50, disconnectTimeout: 50 }));
    suite = createSuite({ redis, prefix: 'away', deadline: '300ms' });
    await suite.data.set('k', 'before');
    suite.events.on('cache:error', ({ operation }) => told.push(operation));
    suite.events.on('cache:bypass', ({ key }) => told.push(`bypass ${key}`));
    await server.kill();
    await sleep(50);
  });
  afterAll(async () => {
    await suite.close();
    await server.stop();
  });

  it('runs one loader at a time, and gives nobody what was begun before he asked', async () => {
    let loads = 0;
    const load = async (): Promise<number> => {
      const mine = ++loads;
      await sleep(20);
      return mine;
    };
    const values = await Promise.all(Array.from({ length: 5 }, () => suite.data.getOrSet('k', load)));
    expect(values).toEqual([1, 2, 2, 2, 2]);
  });

  it('loads nothing for who has left', async () => {
    const controller = new AbortController();
    let loads = 0;
    const call = suite.data.getOrSet('k', () => ++loads, { signal: controller.signal });
    controller.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    expect(loads).toBe(0);
  });

  it('passes errors of loaders on', async () => {
    const error = new Error('database away as well');
    await expect(suite.data.getOrSet('k', () => Promise.reject(error))).rejects.toBe(error);
  });

  it('finds nothing', async () => {
    expect(await suite.data.get('k')).toBeUndefined();
  });

  it('says that it did not set', async () => {
    expect(await suite.data.set('k', 'away')).toBe(false);
  });

  it('rejects a delete with a RedisError', async () => {
    await expect(suite.data.delete('k')).rejects.toBeInstanceOf(RedisError);
    await expect(suite.data.delete('k')).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN', operation: 'remove entry' });
  });

  it('still refuses what is wrong', async () => {
    await expect(suite.data.set('k', () => 1)).rejects.toThrow(TypeError);
    await expect(suite.data.set('k', 1, { ttl: 60 })).rejects.toThrow('60s');
  });

  it('counts and tells it', async () => {
    const { bypasses, errors, misses, hitRate } = suite.stats().data;
    expect({ bypasses, errors, misses, hitRate }).toEqual({ bypasses: 7, errors: 7, misses: 0, hitRate: 0 });
    expect(new Set(told)).toEqual(
      new Set(['read entry', 'read invalidations', 'remove entry', 'remove counter', 'bypass k']),
    );
  });

  it('rejects a walk through the keys at once, with a RedisError', async () => {
    await expect(suite.data.keys()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' });
  });

  it('works again when Redis does', async () => {
    await server.restart();
    const startedAt = runningTime();
    while (!(await suite.data.set('k', 'after'))) {
      if (runningTime() - startedAt > 2_000) throw new Error('not back within two seconds');
      await sleep(10);
    }
    expect(await suite.data.get('k')).toBe('after');
  });
});
