import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { key, keys } from '../../src/index.ts';
import { testRedis } from '../support/connections.ts';
import { openSuite } from './backends.ts';

const k = keys({ user: key('user:{id}', { id: Number }, { ttl: '2h', tags: ({ id }) => [`user:${id}`] }) });

describe('typed keys in the data cache', () => {
  it('bring along lifetime and tags, which the call adds to', async () => {
    const suite = openSuite(testRedis());
    const { data } = suite;
    await data.set(k.user({ id: 1 }), 'Ada', { tags: ['all'] });
    await data.getOrSet(k.user({ id: 2 }), () => 'Grace', { ttl: '1m', jitter: 0 });
    await data.setMany([[k.user({ id: 3 }), 'Edsger']]);
    await data.getOrSetMany([k.user({ id: 4 }), k.user({ id: 1 })], (ids) => ids.map((id) => `loaded ${id}`), {
      tags: ['all'],
    });
    await sleep(30);
    const states = await Promise.all([1, 2, 3, 4].map((id) => data.explain(k.user({ id }))));
    expect(states.map(({ tags }) => [...(tags ?? [])].toSorted())).toEqual([
      ['all', 'user:1'],
      ['user:2'],
      ['user:3'],
      ['all', 'user:4'],
    ]);
    expect(states.map(({ ttlMs = 0 }) => ttlMs > 3_600_000)).toEqual([true, false, true, true]);
    expect(await data.getMany([k.user({ id: 1 }), 'user:4'])).toEqual(['Ada', 'loaded user:4']);
    await suite.invalidate(['user:1']);
    expect(await data.get(k.user({ id: 1 }))).toBeUndefined();
    await data.delete(k.user({ id: 2 }));
    expect([await data.has(k.user({ id: 2 })), await data.increment(k.user({ id: 2 }))]).toEqual([false, 1]);
    await expect(data.get(7 as never)).rejects.toThrow('typed key');
  });
});
