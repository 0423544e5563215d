import { describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../../src/core/errors.ts';
import { checkClient, type RedisClient } from '../../src/redis/client.ts';
import { createSuite } from '../../src/suite.ts';
import { closedLater, testCluster, testRedis, uniquePrefix } from '../support/connections.ts';

const CLIENTS: readonly (readonly [string, () => RedisClient])[] = [
  ['Redis', () => testRedis()],
  ['Redis with RESP2', () => testRedis({ protocol: 2 })],
  ['Redis with RESP3', () => testRedis({ protocol: 3 })],
  ['Redis with RESP3 and mapped replies', () => testRedis({ protocol: 3, replyMapping: 'resp3' } as never)],
  ['Redis with a keyPrefix', () => testRedis({ keyPrefix: `${uniquePrefix()}:` })],
  ['Redis with automatic pipelines', () => testRedis({ enableAutoPipelining: true })],
  ['Redis without offline queue', () => testRedis({ enableOfflineQueue: false })],
  ['Redis connected lazily', () => testRedis({ lazyConnect: true })],
  ['Redis with stringNumbers', () => testRedis({ stringNumbers: true })],
  [
    'Redis with all of it',
    () => testRedis({ protocol: 3, keyPrefix: `${uniquePrefix()}:`, enableAutoPipelining: true, lazyConnect: true }),
  ],
  ['Cluster', () => testCluster()],
  ['Cluster with RESP3', () => testCluster({ redisOptions: { protocol: 3 } })],
  ['Cluster with a keyPrefix', () => testCluster({ keyPrefix: `${uniquePrefix()}:` })],
  ['Cluster with a keyPrefix in braces', () => testCluster({ keyPrefix: `{${uniquePrefix()}}:` })],
  ['Cluster with automatic pipelines', () => testCluster({ enableAutoPipelining: true })],
  ['Cluster without offline queue', () => testCluster({ enableOfflineQueue: false })],
  ['Cluster that reads from replicas', () => testCluster({ scaleReads: 'slave' })],
  ['Cluster connected lazily', () => testCluster({ lazyConnect: true })],
];

describe.each(CLIENTS)('a suite on %s', (_name, connect) => {
  it.each([0, '20ms'] as const)('caches and invalidates (maxStaleness %s)', async (maxStaleness) => {
    const redis = connect();
    if (redis.options.enableOfflineQueue === false) await ready(redis);
    const suite = createSuite({ redis, prefix: uniquePrefix(), deadline: '5s', maxStaleness });
    const { data } = suite;
    const ids = Array.from({ length: 10 }, (_, i) => i);
    expect(await Promise.all(ids.map((id) => data.set(`user:${id}`, { id }, { tags: [`user:${id}`] })))).toEqual(
      ids.map(() => true),
    );
    await replicated(redis);
    expect(await Promise.all(ids.map((id) => data.get(`user:${id}`)))).toEqual(ids.map((id) => ({ id })));
    await suite.invalidate(['user:3', 'user:4']);
    await data.delete('user:5');
    const gone = new Set([3, 4, 5]);
    expect(await Promise.all(ids.map((id) => data.get(`user:${id}`)))).toEqual(
      ids.map((id) => (gone.has(id) ? undefined : { id })),
    );
    expect(await data.getOrSet('user:3', () => 'new')).toBe('new');
    expect(suite.stats().data.errors).toBe(0);
    await suite.close();
  });
});

describe('the connection of the caller', () => {
  it.each([
    ['Redis', () => testRedis({ retryStrategy: () => 70 })],
    ['Cluster', () => testCluster()],
  ] as const)('is never changed, given commands, or closed (%s)', async (_name, connect) => {
    const redis: RedisClient = connect();
    await redis.get('a');
    const before = portrait(redis);
    const suite = createSuite({ redis, prefix: uniquePrefix(), maxStaleness: '10ms' });
    await suite.data.set('k', 1, { tags: ['t'] });
    await suite.data.getOrSet('l', () => 1);
    await suite.invalidate(['t']);
    await sleep(20);
    await suite.data.get('k');
    await suite.close();
    expect(portrait(redis)).toEqual(before);
    expect(redis.status).toBe('ready');
    await redis.get('a');
  });

  it('is listened to a few times only, however many prefixes it serves', async () => {
    const redis = testRedis();
    const before = listeners(redis);
    const suites = Array.from({ length: 15 }, () => createSuite({ redis, prefix: uniquePrefix(), maxStaleness: '1s' }));
    await Promise.all(suites.map(({ data }) => data.get('k')));
    expect(listeners(redis) - before).toBeLessThan(10);
    await Promise.all(suites.map((suite) => suite.close()));
  });

  it.each([null, {}, 'redis://localhost', { get() {} }])('must be one of ioredis: %p is refused', (client) => {
    expect(() => checkClient(client as unknown as RedisClient)).toThrow(ConfigError);
  });

  it.each(['a{', '{}', 'a{}b', '{}{a}'])('may not have the keyPrefix %j, which would tear keys apart', (keyPrefix) => {
    const redis = closedLater(new Redis({ lazyConnect: true, keyPrefix }));
    expect(() => createSuite({ redis, prefix: 'a' })).toThrow('keyPrefix');
    const cluster = closedLater(new Cluster([{ port: 1 }], { lazyConnect: true, redisOptions: { keyPrefix } }));
    expect(() => createSuite({ redis: cluster, prefix: 'a' })).toThrow('keyPrefix');
  });

  it.each(['a:', '{a}:', 'x{a}', 'a}'])('may have the keyPrefix %j', (keyPrefix) => {
    const redis = closedLater(new Redis({ lazyConnect: true, keyPrefix }));
    expect(() => createSuite({ redis, prefix: 'a' })).not.toThrow();
  });
});

/** What the caller could notice: options, methods, scripts. */
function portrait(redis: RedisClient): object {
  return {
    options: JSON.stringify(redis.options, (_key, value: unknown) =>
      typeof value === 'function' ? String(value) : value,
    ),
    methods: [...Object.getOwnPropertyNames(redis), ...Object.getOwnPropertyNames(Object.getPrototypeOf(redis))]
      .filter((name) => typeof (redis as unknown as Record<string, unknown>)[name] === 'function')
      .toSorted(),
    scripts: Object.keys((redis as unknown as { scriptsSet: object }).scriptsSet),
  };
}

function listeners(redis: RedisClient): number {
  return redis.eventNames().reduce((sum, name) => sum + redis.listenerCount(name), 0);
}

function ready(redis: RedisClient): Promise<unknown> {
  return redis.status === 'ready' ? Promise.resolve() : new Promise((resolve) => redis.once('ready', resolve));
}

/** Replicas lag behind by a moment. */
async function replicated(redis: RedisClient): Promise<void> {
  if ('scaleReads' in redis.options && redis.options.scaleReads === 'slave') await sleep(50);
}
