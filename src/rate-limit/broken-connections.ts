import type { Redis } from 'ioredis';
import { isCluster, nodeOf, type RedisClient } from '../redis/client.ts';

/** Tells calls under way that their connection broke. */
export interface Breaks {
  /** The outcome of `call`, or a failure as soon as the connection to the node of `key` breaks. */
  race<T>(key: string, call: Promise<T>): Promise<T>;
}

/**
 * ioredis sends what was unanswered once more when it is connected again, and Redis may then do it twice. So a decision fails with its connection; what the
 * repetition did is taken back when it is answered.
 */
export function breaksOf(client: RedisClient): Breaks {
  const known = ofClient.get(client);
  if (known !== undefined) return known;
  const created = createBreaks(client);
  ofClient.set(client, created);
  return created;
}

const ofClient = new WeakMap<RedisClient, Breaks>();

function createBreaks(client: RedisClient): Breaks {
  const waiting = new Map<string, Set<(error: Error) => void>>();

  function broke(node: string): void {
    const due = waiting.get(node);
    waiting.delete(node);
    due?.forEach((reject) => reject(new Error('The connection broke before the answer.')));
  }

  function watch(node: Redis): void {
    node.on('close', () => broke(`${node.options.host}:${node.options.port}`));
  }

  if (isCluster(client)) {
    client.nodes().forEach(watch);
    client.on('+node', watch);
  } else {
    client.on('close', () => broke('redis'));
  }

  return {
    race(key, call) {
      const node = nodeOf(client, key);
      const calls = waiting.get(node) ?? new Set();
      waiting.set(node, calls);
      return new Promise((resolve, reject) => {
        calls.add(reject);
        call.then(
          (value) => {
            calls.delete(reject);
            resolve(value);
          },
          (error: unknown) => {
            calls.delete(reject);
            reject(error);
          },
        );
      });
    },
  };
}
