import { createHash } from 'node:crypto';
import { MemoryStore, type Options, type Store } from 'express-rate-limit';
import { RedisStore } from 'rate-limit-redis';
import { RedisError } from '../core/errors.ts';
import type { Connection } from '../redis/connection.ts';
import { noFallback } from '../redis/guard.ts';
import { decrementExisting } from './decrement-existing.lua.ts';
import { createFixedWindowFallback, type FixedWindowOptions } from './fixed-window-fallback.ts';
import type { LimitPlace } from './place.ts';

/**
 * rate-limit-redis on a connection of ours; without one, express-rate-limit's memory. It never loads scripts: what it takes for loaded is sent along where a server does not
 * know it. So it works once Redis is there, however late, and on every node of a Cluster. While Redis is away the fallback counts.
 */
export function createFixedWindowStore(place: LimitPlace, options: FixedWindowOptions): Store {
  const { connection, keys } = place;
  if (connection === undefined) return new MemoryStore();
  const redis = new RedisStore({ sendCommand: createSender(connection) as never });
  const nameOf = (key: string): string => keys.fixedWindow(options.name, key);
  redis.prefixKey = nameOf;
  const fallback = createFixedWindowFallback(place, options);
  return {
    localKeys: false,
    prefix: options.name,
    async init(given: Options) {
      fallback.init(given.windowMs);
      await redis.init(given);
    },
    increment: (key) => unlessAway(redis.increment(key), () => fallback.increment(nameOf(key))),
    get: (key) => unlessAway(redis.get(key), () => fallback.get(nameOf(key))),
    /** Where it counts still: what was counted in memory is given back there, also when Redis is back. */
    async decrement(key) {
      if (await fallback.decrement(nameOf(key))) return;
      await unlessAway(redis.decrement(key), () => undefined); // It expires.
    },
    async resetKey(key) {
      await fallback.reset(nameOf(key));
      await redis.resetKey(key);
    },
  };
}

/** What `instead` answers when it was Redis that failed. */
async function unlessAway<Reply, Instead>(
  reply: Promise<Reply>,
  instead: () => Instead | Promise<Instead>,
): Promise<Reply | Instead> {
  try {
    return await reply;
  } catch (error) {
    if (!(error instanceof RedisError)) throw error;
    return instead();
  }
}

/** Sends the five commands that rate-limit-redis knows. */
function createSender({ client, guard }: Connection): (...command: string[]) => Promise<unknown> {
  const sources = new Map<string, string>();

  async function run(sha: string, key: string, rest: readonly string[]): Promise<unknown> {
    try {
      return await client.evalsha(sha, 1, key, ...rest);
    } catch (error) {
      const source = sources.get(sha);
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT') || source === undefined) throw error;
      return client.eval(source, 1, key, ...rest);
    }
  }

  function sendTo(key: string, send: () => Promise<unknown>, fallback = noFallback): Promise<unknown> {
    return guard({ event: 'limit:error', operation: 'count in a fixed window', key, fallback }, send);
  }

  /** What is answered after the deadline was counted by the fallback: it is taken back. */
  function count(sha: string, key: string, rest: readonly string[]): Promise<unknown> {
    let isAbandoned = false;
    function abandon(error: RedisError): never {
      isAbandoned = true;
      throw error;
    }
    async function countAtMostOnce(): Promise<unknown> {
      const reply = await run(sha, key, rest);
      // Past the guard, whose circuit is open still: Redis has just answered.
      if (isAbandoned) decrementExisting(client, { counter: key }, {}).catch(() => undefined);
      return reply;
    }
    return sendTo(key, countAtMostOnce, abandon);
  }

  return async (name, first = '', second = '', key = '', ...rest) => {
    if (name === 'SCRIPT') {
      const sha = createHash('sha1').update(second).digest('hex');
      sources.set(sha, second);
      return sha;
    }
    if (name === 'EVALSHA') {
      const isCount = rest.length > 0; // Only counting says how long the window is.
      const reply = await (isCount ? count(first, key, rest) : sendTo(key, () => run(first, key, rest)));
      return Array.isArray(reply) ? reply.map((value: unknown) => value ?? false) : reply; // It takes null for a number.
    }
    if (name === 'DECR') return sendTo(first, () => decrementExisting(client, { counter: first }, {}));
    if (name === 'DEL') return sendTo(first, () => client.unlink(first));
    throw new Error(`rate-limit-redis sent an unexpected command: ${name}`);
  };
}
