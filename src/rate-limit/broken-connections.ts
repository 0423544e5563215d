import type { Redis } from 'ioredis';
import { createWaitingList, type WaitingList } from '../core/waiting-list.ts';
import { isCluster, nodeOf, type RedisClient } from '../redis/client.ts';

/** Tells calls under way that their connection broke. */
export interface Breaks {
  /** Calls `fail` if the connection to the node of `key` breaks before the returned function is called. */
  watch(key: string, fail: (error: Error) => void): () => void;
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
  const waiting = new Map<string, WaitingList<(error: Error) => void>>();

  function broke(node: string): void {
    const due = waiting.get(node)?.takeAll() ?? [];
    for (const fail of due) fail(new Error('The connection broke before the answer.'));
  }

  function listen(node: Redis): void {
    node.on('close', () => broke(`${node.options.host}:${node.options.port}`));
  }

  if (isCluster(client)) {
    client.nodes().forEach(listen);
    client.on('+node', listen);
  } else {
    client.on('close', () => broke('redis'));
  }

  return {
    watch(key, fail) {
      const node = nodeOf(client, key);
      let calls = waiting.get(node);
      if (calls === undefined) waiting.set(node, (calls = createWaitingList()));
      return calls.add(fail);
    },
  };
}
