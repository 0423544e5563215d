import { afterEach, describe, expect, it } from '@jest/globals';
import express, { type RequestHandler } from 'express';
import request from 'supertest';
import {
  ConfigError,
  createDataCache,
  createInvalidation,
  createSuite,
  httpCache,
  type RedisClient,
  type SuiteOptions,
} from '../../src/index.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';
import { collectingLogger } from '../support/outages.ts';

afterEach(() => {
  delete process.env['REDIS_ENABLED'];
  process.env['NODE_ENV'] = 'test';
});

describe('createSuite', () => {
  it.each([
    ['an unknown option', { prefx: 'shop' }, 'has no option "prefx"'],
    ['a prefix with a space', { prefix: 'a b' }, 'prefix'],
    ['an empty prefix', { prefix: '' }, 'prefix'],
    ['a prefix with braces', { prefix: '{a}' }, 'prefix'],
    ['a bound that is no size', { memory: '64 megabytes' }, 'memory'],
    ['a staleness that is no duration', { maxStaleness: 'soon' }, 'maxStaleness'],
    ['a lifetime in seconds', { defaultTtl: 300 }, "'300s'"],
    ['redis without a connection', { backend: 'redis' }, 'createRedis()'],
  ])('refuses %s', (_what, options, message) => {
    const create = (): unknown => createSuite({ logger: collectingLogger(), ...options } as SuiteOptions);
    expect(create).toThrow(ConfigError);
    expect(create).toThrow(message);
  });

  it('refuses options that are a list', () => {
    expect(() => createSuite([] as SuiteOptions)).toThrow('takes an object');
  });

  it('refuses a connection together with the embedded backend, and a deadline that is no duration', () => {
    const redis = testRedis({ lazyConnect: true });
    expect(() => createSuite({ redis, backend: 'memory' })).toThrow('exclude each other');
    expect(() => createSuite({ redis, deadline: '1 second' as '1s' })).toThrow(ConfigError);
  });

  it('says in one line that it keeps everything in memory, unless that was asked for', () => {
    const logger = collectingLogger();
    createSuite({ logger, prefix: uniquePrefix() });
    expect(logger.infos).toHaveLength(1);
    expect(logger.infos[0]).toContain('memory of this process');
    createSuite({ logger, prefix: uniquePrefix(), backend: 'memory' });
    createSuite({ logger, prefix: uniquePrefix(), redis: testRedis({ lazyConnect: true }) });
    expect([logger.infos.length, logger.warnings.length]).toEqual([1, 0]);
  });

  it('refuses production without Redis, unless it was asked for', () => {
    const logger = collectingLogger();
    process.env['NODE_ENV'] = 'production';
    expect(() => createSuite({ logger })).toThrow(ConfigError);
    expect(() => createSuite({ logger, redis: undefined })).toThrow("backend: 'memory'");
    expect(() => createSuite({ logger, prefix: uniquePrefix(), backend: 'memory' })).not.toThrow();
    process.env['REDIS_ENABLED'] = 'false';
    expect(() => createSuite({ logger, prefix: uniquePrefix() })).not.toThrow();
    expect(logger.infos).toHaveLength(1);
  });

  it('sends nothing and opens nothing by itself', async () => {
    const redis = testRedis({ lazyConnect: true });
    const suite = createSuite({ redis, prefix: uniquePrefix(), maxStaleness: '1s' });
    suite.cache({ ttl: '1m' });
    suite.invalidateAfter('a');
    await suite.close();
    expect(redis.status).toBe('wait');
  });

  it('refuses two different settings for one connection and prefix', () => {
    const redis = testRedis({ lazyConnect: true });
    const prefix = uniquePrefix();
    createSuite({ redis, prefix, maxStaleness: '50ms', deadline: '80ms' });
    expect(() => createSuite({ redis, prefix, maxStaleness: 0 })).toThrow('maxStaleness');
    expect(() => createDataCache({ redis, prefix, maxStaleness: '1s' })).toThrow(ConfigError);
    expect(() => createInvalidation({ redis, prefix: uniquePrefix(), deadline: '81ms' })).toThrow('deadline');
    expect(() => createSuite({ redis, prefix })).not.toThrow();
    expect(() => httpCache({ redis, prefix, maxStaleness: 50, deadline: 80 })).not.toThrow();
    expect(() => createSuite({ redis, prefix: uniquePrefix(), maxStaleness: '1s' })).not.toThrow();
  });
});

const CLIENTS = [
  ['memory', (): RedisClient | undefined => undefined],
  ['Redis', (): RedisClient | undefined => testRedis()],
  ['Cluster', (): RedisClient | undefined => testCluster()],
] as const;

describe.each(CLIENTS)('parts on one connection and prefix (%s)', (_name, connect) => {
  const redis = connect();
  const place = (): SuiteOptions => ({
    prefix: uniquePrefix(),
    ...(redis === undefined ? { backend: 'memory' as const } : { redis, deadline: '5s' as const }),
  });

  it('are one cache, whether composed by hand or a suite', async () => {
    const shared = place();
    const suite = createSuite(shared);
    const data = createDataCache(shared);
    const { invalidate, invalidateAfter } = createInvalidation(shared);

    await data.set('k', 'by hand', { tags: ['t'] });
    expect(await suite.data.get('k')).toBe('by hand');
    await suite.invalidate(['t']);
    expect(await data.get('k')).toBeUndefined();

    const ask = application(
      httpCache({ ...shared, ttl: '1m', tags: ['p'] }),
      suite.cache({ ttl: '1m', tags: ['p'] }),
      invalidateAfter(['p']),
    );
    expect([await ask('get', '/hand'), await ask('get', '/hand')]).toEqual([1, 1]);
    expect([await ask('get', '/suite'), await ask('get', '/suite')]).toEqual([2, 2]);
    await invalidate(['p']);
    expect([await ask('get', '/hand'), await ask('get', '/suite')]).toEqual([3, 4]);
    await ask('put', '/suite');
    expect([await ask('get', '/hand'), await ask('get', '/suite')]).toEqual([6, 7]);
    expect(suite.stats().cache).toMatchObject({ hits: 2, misses: 6 });
    expect(Object.keys(suite.stats().cache.routes).toSorted()).toEqual(['/hand', '/suite']);
  });

  it('do not touch those of another prefix', async () => {
    const one = createSuite(place());
    const other = createSuite(place());
    await one.data.set('k', 1, { tags: ['t'] });
    await other.data.set('k', 2, { tags: ['t'] });
    await one.invalidate({ all: true });
    await one.invalidate(['t']);
    expect([await one.data.get('k'), await other.data.get('k')]).toEqual([undefined, 2]);
    await one.data.delete('k');
    expect(await other.data.get('k')).toBe(2);
    expect([one.stats().data.hits, other.stats().data.hits]).toEqual([0, 2]);
    const told: string[] = [];
    one.events.on('cache:hit', ({ key }) => told.push(key));
    await other.data.get('k');
    expect(told).toEqual([]);
  });

  it('close twice, and leave the connection open', async () => {
    const suite = createSuite({ ...place(), maxStaleness: '10ms' });
    await suite.data.set('k', 1);
    await suite.data.get('k');
    await suite.close();
    await suite.close();
    expect(redis?.status).toBe(redis && 'ready');
    await redis?.get('a');
  });

  it('have ended what was under way whenever a close resolves, the second too', async () => {
    const suite = createSuite(place());
    const written: string[] = [];
    const behind = suite.data.writeBehind<number>('numbers', {
      flushInterval: '1m',
      write: async (batch) => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        written.push(...batch.map(({ key }) => key));
      },
    });
    await behind.set('k', 1);
    void suite.close();
    await suite.close();
    expect(written).toEqual(['k']);
    expect(() => suite.data.writeBehind('late', { write: () => undefined })).toThrow(ConfigError);
  });
});

/** Routes that answer with how often any of them was asked. */
function application(
  hand: RequestHandler,
  ofSuite: RequestHandler,
  after: RequestHandler,
): (method: 'get' | 'put', path: string) => Promise<number> {
  const app = express();
  let runs = 0;
  const answer: RequestHandler = (_req, res) => {
    res.json(++runs);
  };
  app.get('/hand', hand, answer);
  app.get('/suite', ofSuite, answer);
  app.put('/suite', after, answer);
  // One name: the host is part of a response's key.
  return async (method, path) => (await request(app)[method](path).set('Host', 'shop.test')).body as number;
}
