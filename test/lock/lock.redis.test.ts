import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { RedisError } from '../../src/core/errors.ts';
import { createLocks, type Lock, type LockPlace } from '../../src/lock/lock.ts';
import { connectionOf } from '../../src/redis/connection.ts';
import { createKeys } from '../../src/redis/keys.ts';
import { closedLater, testRedis, uniquePrefix } from '../support/connections.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { lockStories } from './lock-stories.ts';

const keys = createKeys(uniquePrefix());
const clients = [testRedis(), testRedis()] as const;
const places = clients.map((client): LockPlace => ({ connection: connectionOf(client, 5_000), keys }));
let opened = 0;

function open(): LockPlace {
  return places[opened++ % 2] as LockPlace;
}

/** Has this process stand still, as a blocked event loop or a suspended machine does. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

lockStories(open);

describe('a lock in Redis', () => {
  it('ends by itself when its holder has died', async () => {
    const [client] = clients;
    await client.set(keys.lock('orphan'), 'someone who died', 'PX', 50);
    const locks = createLocks(open());
    expect(await locks.tryAcquire('orphan', 5_000)).toBeUndefined();
    while ((await client.exists(keys.lock('orphan'))) === 1);
    expect(await locks.tryAcquire('orphan', 5_000)).toBeDefined();
  });

  it('that another has meanwhile is told as lost at the next renewal, and left alone', async () => {
    const [client] = clients;
    const lock = (await createLocks(open()).tryAcquire('robbed', 300)) as Lock;
    await client.set(keys.lock('robbed'), 'robber');
    await once(lock.lost, 'abort');
    expect(await lock.release()).toBe(false);
    expect(await client.get(keys.lock('robbed'))).toBe('robber');
  });

  it('that another has meanwhile is not given back by its former holder, though that knows of nothing yet', async () => {
    const [client] = clients;
    const lock = (await createLocks(open()).tryAcquire('unnoticed', 5_000)) as Lock;
    await client.set(keys.lock('unnoticed'), 'next');
    expect(await lock.release()).toBe(false);
    expect(await client.get(keys.lock('unnoticed'))).toBe('next');
  });

  it('tells a holder that was paused that it has lost it, in the first turn after the pause', async () => {
    const lock = (await createLocks(open()).tryAcquire('paused', 200)) as Lock;
    standStill(400);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(lock.lost.aborted).toBe(true);
    expect(await lock.release()).toBe(false);
  });

  it('gives a larger fence when the last one was lost', async () => {
    const [client] = clients;
    const locks = createLocks(open());
    const first = (await locks.tryAcquire('forgotten', 5_000)) as Lock;
    await first.release();
    await client.del(keys.fence('forgotten'));
    expect((await locks.tryAcquire('forgotten', 5_000))?.fence).toBeGreaterThan(first.fence);
  });

  it('gives a larger fence when the clock of the server has stepped back', async () => {
    const [client] = clients;
    const ahead = Date.now() * 1_000 + 3_600_000_000;
    await client.set(keys.fence('behind'), ahead);
    expect((await createLocks(open()).tryAcquire('behind', 5_000))?.fence).toBe(ahead + 1);
  });

  it('leaves no keys behind but its last fence, which ends too', async () => {
    const [client] = clients;
    const lock = (await createLocks(open()).tryAcquire('tidy', 5_000)) as Lock;
    await lock.release();
    expect(await client.exists(keys.lock('tidy'))).toBe(0);
    expect(await client.pttl(keys.fence('tidy'))).toBeGreaterThan(0);
  });
});

describe('a lock while Redis is away', () => {
  let server: RedisProcess;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  it('is told as lost before another could have it, and cannot be taken', async () => {
    const redis = closedLater(new Redis({ host: server.host, port: server.port }));
    const locks = createLocks({ connection: connectionOf(redis, 100), keys });
    const lock = (await locks.tryAcquire('frozen', 1_000)) as Lock;
    const endsAt = Date.now() + (await redis.pttl(keys.lock('frozen')));
    server.freeze();
    try {
      await once(lock.lost, 'abort');
      expect(Date.now()).toBeLessThan(endsAt + 400); // Its renewal at a third may have prolonged what is in Redis, never shortened it.
      await expect(locks.tryAcquire('frozen', 1_000)).rejects.toBeInstanceOf(RedisError);
      expect(await lock.release()).toBe(false);
    } finally {
      server.thaw();
    }
  });
});
