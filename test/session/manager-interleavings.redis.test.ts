import { describe, expect, it } from '@jest/globals';
import { createSessionManager, createSessionStore, type SessionPlaceOptions } from '../../src/index.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';
import { type Member, runManagers } from './manager-interleavings.ts';

function members(
  connect: () => ReturnType<typeof testRedis> | ReturnType<typeof testCluster>,
  options: SessionPlaceOptions = {},
): Member[] {
  const prefix = uniquePrefix();
  return [connect(), connect()].map((redis) => {
    const place = { redis, prefix, deadline: '10s' } as const;
    return { store: createSessionStore({ ...place, ...options }), sessions: createSessionManager(place) };
  });
}

describe('a user’s requests in random order, on two processes: nobody comes back, nothing is lost, who is there is listed', () => {
  it.each<[string, () => ReturnType<typeof testRedis> | ReturnType<typeof testCluster>, SessionPlaceOptions]>([
    ['Redis', () => testRedis(), {}],
    ['Redis, strict revocation', () => testRedis(), { revocation: 'strict' }],
    ['Cluster', () => testCluster(), {}],
  ])('%s', async (_name, connect, options) => {
    expect(await runManagers(members(connect, options), 25)).toEqual([]);
  });

  it.each([1, 3])('with no more than %d sessions at a time', async (maxSessions) => {
    expect(await runManagers(members(testRedis, { maxSessions }), 25, { maxSessions })).toEqual([]);
  });

  it('with sessions that expire', async () => {
    expect(await runManagers(members(testRedis), 15, { idleMs: 1_500 })).toEqual([]);
  });

  it('in memory', async () => {
    const place = { backend: 'memory', prefix: uniquePrefix() } as const;
    const member = { store: createSessionStore(place), sessions: createSessionManager(place) };
    expect(await runManagers([member, member], 25)).toEqual([]);
  });
});
