import { createHash } from 'node:crypto';
import { MemoryStore, type Store } from 'express-rate-limit';
import { RedisStore } from 'rate-limit-redis';
import type { Connection } from '../redis/connection.ts';
import { noFallback } from '../redis/guard.ts';
import type { Keys } from '../redis/keys.ts';
import { decrementExisting } from './decrement-existing.lua.ts';

/**
 * rate-limit-redis on a connection of ours; without one, express-rate-limit's memory. It never loads scripts: what it takes for loaded is sent along where a server does not
 * know it. So it works once Redis is there, however late, and on every node of a Cluster.
 */
export function createFixedWindowStore(connection: Connection | undefined, keys: Keys, name: string): Store {
  if (connection === undefined) return new MemoryStore();
  const send = createSender(connection);
  const store = new RedisStore({ sendCommand: send as never });
  store.prefixKey = (key) => keys.fixedWindow(name, key);
  return Object.assign(store, { localKeys: false });
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

  function sendTo(key: string, send: () => Promise<unknown>): Promise<unknown> {
    return guard({ event: 'limit:error', operation: 'count in a fixed window', key, fallback: noFallback }, send);
  }

  return async (name, first = '', second = '', key = '', ...rest) => {
    if (name === 'SCRIPT') {
      const sha = createHash('sha1').update(second).digest('hex');
      sources.set(sha, second);
      return sha;
    }
    if (name === 'EVALSHA') {
      const reply = await sendTo(key, () => run(first, key, rest));
      return Array.isArray(reply) ? reply.map((value: unknown) => value ?? false) : reply; // It takes null for a number.
    }
    if (name === 'DECR') return sendTo(first, () => decrementExisting(client, { counter: first }, {}));
    if (name === 'DEL') return sendTo(first, () => client.unlink(first));
    throw new Error(`rate-limit-redis sent an unexpected command: ${name}`);
  };
}
