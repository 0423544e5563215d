import type { Redis } from 'ioredis';
import { startDeadline } from '../core/deadline.ts';
import { TimeoutError } from '../core/errors.ts';
import { isCluster, keyPrefixOf } from './client.ts';
import type { Connection } from './connection.ts';
import { noFallback, toRedisError } from './guard.ts';

const OPERATION = 'list keys';
const PAGE = 500;
/** Longer than for other calls: nobody's request waits for it. */
const DEADLINE_MS = 5_000;

/**
 * Keys that begin with `start`, a page at a time, on every master. Bounded steps, no KEYS. The client's own `keyPrefix` is heeded and taken off again. A key may come
 * twice, and one that is written meanwhile may be missing.
 *
 * Asks under the rules of the connection first: while Redis is away nobody waits, and a Cluster knows all of its masters once it has answered.
 *
 * @throws {RedisError} When Redis is away, or fails on the way; a `TimeoutError` when a page takes longer than five seconds.
 */
export async function* scanKeys({ client, guard }: Connection, start: string): AsyncGenerator<string[]> {
  await guard({ operation: OPERATION, key: start, fallback: noFallback }, () => client.exists(start));
  const keyPrefix = keyPrefixOf(client);
  const match = `${escapeGlob(keyPrefix + start)}*`;
  const nodes: readonly Redis[] = isCluster(client) ? client.nodes('master') : [client];
  for (const node of nodes) {
    let cursor = '0';
    do {
      const [next, keys] = await timely(node.scan(cursor, 'MATCH', match, 'COUNT', PAGE));
      cursor = next;
      if (keys.length > 0) yield keys.map((key) => key.slice(keyPrefix.length));
    } while (cursor !== '0');
  }
}

function timely<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = startDeadline(DEADLINE_MS, () => reject(new TimeoutError(OPERATION, DEADLINE_MS)));
    work.finally(cancel).then(resolve, (cause: unknown) => reject(toRedisError(OPERATION, cause)));
  });
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^]/g, String.raw`\$&`);
}
