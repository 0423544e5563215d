import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createKeys } from '../../src/redis/keys.ts';
import { closedLater, testRedis, uniquePrefix } from '../support/connections.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { describeLeases, mine, openLeases, theirs } from './lease-steps.ts';
import { runningTime } from '../support/running-time.ts';

describeLeases('Redis', testRedis);

describe('while a lease is waited for', () => {
  const rejections: unknown[] = [];
  const note = (reason: unknown): void => void rejections.push(reason);
  let server: RedisProcess;
  beforeAll(async () => {
    process.on('unhandledRejection', note);
    server = await startRedis();
  });
  afterAll(async () => {
    process.off('unhandledRejection', note);
    await server.stop();
  });

  it.each(['freeze', 'kill'] as const)(
    'Redis may %s: nobody waits longer than for a poll and a deadline',
    async (end) => {
      const keys = createKeys(uniquePrefix());
      const connect = (): Redis => closedLater(new Redis(server.port, server.host, { disconnectTimeout: 50 }));
      const [one, other] = [openLeases(connect(), keys, 200), openLeases(connect(), keys, 200)];
      const lease = await mine(one.ask('k', { group: 'g', seen: undefined }));
      const wait = await theirs(other.ask('k', { group: 'g', seen: undefined }));
      const startedAt = runningTime();
      await (end === 'kill' ? server.kill() : server.freeze());
      expect(await wait.ended).toBeUndefined();
      expect(await other.ask('k', { group: 'g', seen: undefined })).toEqual({ state: 'unavailable' });
      expect(runningTime() - startedAt).toBeLessThan(2_000);
      lease.settle('stored'); // In vain, and harmless.
      await new Promise((resolve) => setTimeout(resolve, 250));
      await (end === 'kill' ? server.restart() : server.thaw());
      expect(rejections).toEqual([]);
    },
  );
});

describe('what is told of a lease while the answer to the question is on its way', () => {
  it('is not missed', async () => {
    const keys = createKeys(uniquePrefix());
    const client = testRedis();
    const [one, other] = [openLeases(testRedis(), keys), openLeases(client, keys)];
    const first = await mine(one.ask('k', { seen: undefined }));
    await (
      await theirs(other.ask('k', { seen: undefined }))
    ).ended; // It listens from now on.
    const call = client.call.bind(client) as (...args: unknown[]) => Promise<unknown>;
    client.call = async (...args: unknown[]) => {
      const reply = await call(...args);
      first.settle('stored');
      await new Promise((resolve) => setTimeout(resolve, 80));
      return reply;
    };
    const { ended } = await theirs(other.ask('k', { seen: undefined }));
    expect(await ended).toBe('stored');
  });
});
