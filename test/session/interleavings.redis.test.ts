import { describe, expect, it } from '@jest/globals';
import { createSessionStore, type SessionPlaceOptions } from '../../src/index.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';
import { runInterleavings } from './interleavings.ts';

describe('requests of one session in random order, on two processes: nothing comes back, nothing is lost', () => {
  it.each<[string, () => ReturnType<typeof testRedis> | ReturnType<typeof testCluster>, SessionPlaceOptions]>([
    ['Redis', () => testRedis(), {}],
    ['Redis, connect-redis’ format', () => testRedis(), { format: 'json' }],
    ['Redis, touched every time', () => testRedis(), { touchInterval: 0 }],
    ['Cluster', () => testCluster(), {}],
  ])('%s', async (_name, connect, options) => {
    const prefix = uniquePrefix();
    const place = { prefix, deadline: '10s', connectRedisPrefix: `${prefix}:old:`, ...options } as const;
    expect(
      await runInterleavings(
        [connect(), connect()].map((redis) => createSessionStore({ redis, ...place })),
        60,
      ),
    ).toEqual([]);
  });

  it('two formats in one deployment', async () => {
    const prefix = uniquePrefix();
    const place = { prefix, deadline: '10s', connectRedisPrefix: `${prefix}:old:` } as const;
    const one = createSessionStore({ redis: testRedis(), ...place, format: 'json' });
    const two = createSessionStore({ redis: testRedis(), ...place, migrate: true });
    expect(await runInterleavings([one, two], 60)).toEqual([]);
  });

  it('memory', async () => {
    expect(await runInterleavings([createSessionStore({ backend: 'memory', prefix: uniquePrefix() })], 60)).toEqual([]);
  });
});
