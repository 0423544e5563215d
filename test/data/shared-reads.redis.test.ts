import { describe, expect, it } from '@jest/globals';
import type { RedisClient } from '../../src/redis/client.ts';
import type { Suite } from '../../src/suite.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { gate } from '../support/waiting.ts';
import { heldLoad, openSuite, SHARED_BACKENDS } from './backends.ts';

/** Keeps count of a client's reads, and keeps the answer to the next one back where it is told to. */
function watchReads(client: RedisClient): {
  readonly count: () => number;
  holdNext(until: Promise<void>): Promise<unknown>;
} {
  const getBuffer = client.getBuffer.bind(client);
  let count = 0;
  let hold: ((reply: Promise<Buffer | null>) => Promise<Buffer | null>) | undefined;
  const watched = (key: string): Promise<Buffer | null> => {
    count++;
    const reply = getBuffer(key);
    const answer = hold?.(reply) ?? reply;
    hold = undefined;
    return answer;
  };
  Object.assign(client, { getBuffer: watched });
  return {
    count: () => count,
    holdNext: (until) =>
      new Promise((answered) => {
        hold = async (reply) => {
          answered(await reply);
          await until;
          return reply;
        };
      }),
  };
}

/** Resolves once so many calls have found nothing. */
function misses({ events }: Suite, count: number): Promise<unknown> {
  let missed = 0;
  return new Promise((resolve) => events.on('cache:miss', () => ++missed === count && resolve(missed)));
}

const never = (): never => {
  throw new Error('must not be loaded');
};

describe('calls that wait for another process', () => {
  it('look once, all together, for what it has stored', async () => {
    const prefix = uniquePrefix();
    const client = testRedis();
    const [one, other] = [openSuite(testRedis(), { prefix }), openSuite(client, { prefix })];
    const held = heldLoad<{ text: string }>();
    const first = one.data.getOrSet('k', held.load);
    await held.begun;
    const reads = watchReads(client);
    const missed = misses(other, 20);
    const waiting = Array.from({ length: 20 }, () => other.data.getOrSet<{ text: string }>('k', never));
    await missed;
    held.end({ text: 'value' });
    const values = await Promise.all([first, ...waiting]);
    expect(new Set(values.map(({ text }) => text))).toEqual(new Set(['value']));
    expect(new Set(values).size).toBe(21); // Each has one of his own.
    expect(reads.count()).toBe(2); // Once before, once behind it.
  });
});

describe.each(SHARED_BACKENDS)('a call that comes while others look what was stored on %s', (_name, connect, place) => {
  it('looks for itself: what they have read is from before it asked', async () => {
    const prefix = uniquePrefix();
    const client = connect() as RedisClient;
    const [one, other] = [openSuite(connect(), { prefix, ...place }), openSuite(client, { prefix, ...place })];
    const held = heldLoad<string>();
    const first = one.data.getOrSet('k', held.load);
    await held.begun;
    const door = gate();
    const reads = watchReads(client);
    const missed = misses(other, 1);
    const waiting = other.data.getOrSet('k', never);
    await missed;
    const read = reads.holdNext(door.passed);
    held.end('old');
    expect(await read).not.toBeNull();
    await one.data.set('k', 'new');
    const late = other.data.getOrSet('k', never);
    setTimeout(door.open, 50);
    expect([await first, await waiting, await late]).toEqual(['old', 'old', 'new']);
  });
});
