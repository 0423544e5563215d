import { describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { isCluster } from '../../src/redis/client.ts';
import type { Invalidation } from '../../src/invalidation/invalidation.ts';
import type { Suite } from '../../src/suite.ts';
import { uniquePrefix } from '../support/connections.ts';
import { heldLoad, openSuite, SHARED_BACKENDS } from './backends.ts';

describe.each(SHARED_BACKENDS)('data caches of two processes on %s', (_name, connect, place) => {
  const connections = [connect(), connect()] as const;

  function pair(): readonly [Suite, Suite] {
    const prefix = uniquePrefix();
    return [openSuite(connections[0], { prefix, ...place }), openSuite(connections[1], { prefix, ...place })];
  }

  it('see what the other set and deleted', async () => {
    const [one, other] = pair();
    await one.data.set('k', 1);
    expect(await other.data.get('k')).toBe(1);
    await other.data.set('k', 2);
    expect(await one.data.get('k')).toBe(2);
    await one.data.delete('k');
    expect(await other.data.get('k')).toBeUndefined();
  });

  it('keep what one sets after the other has invalidated it, though that is news to the one', async () => {
    const [one, other] = pair();
    await one.data.set('k', 'old', { tags: ['user'] }); // It knows the register.
    const invalidations: readonly Invalidation[] = [['user'], { tags: ['user'], mode: 'soft' }, { all: true }];
    for (const invalidation of invalidations) {
      await other.invalidate(invalidation);
      expect(await one.data.set('k', 'new', { tags: ['user'] })).toBe(true);
      expect([await one.data.get('k'), await other.data.get('k')]).toEqual(['new', 'new']);
      await other.invalidate(['user']);
      expect([await one.data.get('k'), await other.data.get('k')]).toEqual([undefined, undefined]);
    }
  });

  const changes: readonly (readonly [string, (suite: Suite) => Promise<unknown>])[] = [
    ['deletes', (suite) => suite.data.delete('k')],
    ['invalidates', (suite) => suite.invalidate(['user'])],
    ['invalidates everything', (suite) => suite.invalidate({ all: true })],
    ['sets', (suite) => suite.data.set('k', 'set')],
  ];

  it.each(changes)('never give out what one was loading when the other %s', async (_what, change) => {
    const [one, other] = pair();
    const old = heldLoad<string>();
    const loading = one.data.getOrSet('k', old.load, { tags: ['user'] });
    await old.begun;
    await change(other);
    old.end('old');
    expect(await loading).toBe('old'); // It began before.
    await sleep(20); // It is being stored behind.
    expect(await other.data.get('k')).not.toBe('old');
    expect(await one.data.get('k')).not.toBe('old');
    expect(await other.data.getOrSet('k', () => 'new')).toMatch(/new|set/);
    expect(await one.data.getOrSet('k', () => 'new')).toMatch(/new|set/);
  });

  it.each(['cluster', 'process'] as const)(
    'never store what was deleted while it was loaded, though the deletion is forgotten (evicted): %s',
    async (coalesce) => {
      const [one, other] = pair();
      const old = heldLoad<string>();
      const loading = one.data.getOrSet('k', old.load, { coalesce });
      await old.begun;
      await other.data.delete('k');
      for (const client of connections) {
        for (const node of client !== undefined && isCluster(client) ? client.nodes('master') : [client as Redis]) {
          const keys = await node.keys('*:l:{d:k}');
          await Promise.all(keys.map((key) => node.unlink(key)));
        }
      }
      old.end('old');
      await loading;
      await sleep(20);
      expect([await one.data.get('k'), await other.data.get('k')]).toEqual([undefined, undefined]);
    },
  );

  it('do not share a load with who asks after the other changed something', async () => {
    const [one, other] = pair();
    const old = heldLoad<string>();
    const first = one.data.getOrSet('k', old.load);
    await old.begun;
    await other.data.delete('k');
    expect(await one.data.getOrSet('k', () => 'new')).toBe('new');
    old.end('old');
    await first;
    await sleep(20);
    expect(await one.data.getOrSet('k', () => 'newer')).not.toBe('old');
  });
});
