import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSessionStore, SessionConflictError, type SessionPlaceOptions } from '../../src/index.ts';
import { create, openKnown, prepare, save, show, touch } from '../../src/testing/session-steps.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';

const PLACES: readonly [string, () => SessionPlaceOptions][] = [
  ['memory', () => ({ backend: 'memory' })],
  ['Redis', () => ({ redis: testRedis() })],
  ['Cluster', () => ({ redis: testCluster() })],
  ['Redis, connect-redis’ format', () => ({ redis: testRedis(), format: 'json' })],
  ['Redis, encrypted', () => ({ redis: testRedis(), encryptionKeys: 'a key of thirty-two characters, it is' })],
];

describe.each(PLACES)('sessions on %s', (_name, place) => {
  function storeWith(options: SessionPlaceOptions): ReturnType<typeof createSessionStore> {
    const prefix = uniquePrefix();
    const deadline = '5s';
    return prepare(
      createSessionStore({ prefix, connectRedisPrefix: `${prefix}:old:`, deadline, ...place(), ...options }),
    );
  }

  it('end at their absolute timeout, however busy they are', async () => {
    const store = storeWith({ absoluteTimeout: '2s', touchInterval: 0 });
    const id = await create(store, { user: 'ada' });
    const session = await openKnown(store, id);
    for (let i = 0; i < 4; i++) {
      await sleep(100);
      await touch(store, session);
      session['i'] = i;
      await save(store, session);
    }
    expect(await show(store, id)).toEqual({ user: 'ada', i: 3 });
    await sleep(2_000);
    expect(await show(store, id)).toBeUndefined();
  });

  it('end at their absolute timeout, to the second, where they are only used', async () => {
    const store = storeWith({ absoluteTimeout: '900ms', touchInterval: 0 });
    const id = await create(store, { user: 'ada' });
    const session = await openKnown(store, id);
    await touch(store, session);
    await sleep(100);
    await touch(store, session);
    expect(await show(store, id)).toEqual({ user: 'ada' });
    await sleep(1_000);
    expect(await show(store, id)).toBeUndefined();
    await touch(store, session);
    expect(await store.length()).toBe(0);
  });

  it('refuse the second change of a property where that was asked for, and save nothing of it', async () => {
    const store = storeWith({ onConflict: 'reject' });
    const id = await create(store, { stock: 1, other: 1 });
    const [first, second, third] = [await openKnown(store, id), await openKnown(store, id), await openKnown(store, id)];
    first['stock'] = 2;
    await save(store, first);
    first['stock'] = 3;
    await save(store, first);
    Object.assign(second, { stock: 5, added: true });
    await expect(save(store, second)).rejects.toThrow(SessionConflictError);
    third['other'] = 2;
    await save(store, third);
    expect(await show(store, id)).toEqual({ stock: 3, other: 2 });
  });

  it('are saved only up to their bound', async () => {
    const store = storeWith({ maxBytes: '1kb' });
    const id = await create(store, { small: 'x' });
    const session = await openKnown(store, id);
    session['large'] = 'x'.repeat(1_100);
    await expect(save(store, session)).rejects.toThrow('1024');
    expect(await show(store, id)).toEqual({ small: 'x' });
  });
});

it('a session that is larger than all the memory there is for sessions is refused, and stays what it was', async () => {
  const store = prepare(createSessionStore({ backend: 'memory', memory: '4kb', prefix: uniquePrefix() }));
  const id = await create(store, { small: 'x' });
  const session = await openKnown(store, id);
  session['large'] = 'x'.repeat(4_096);
  await expect(save(store, session)).rejects.toThrow('memory is 4096');
  expect(await show(store, id)).toEqual({ small: 'x' });
});
