import type { Redis } from 'ioredis';
import { startDeadline } from '../core/deadline.ts';
import { TimeoutError } from '../core/errors.ts';
import { isCluster, keyPrefixOf, type RedisClient } from './client.ts';

const PAGE = 500;
/** Longer than for other calls: nobody's request waits for it. */
const DEADLINE_MS = 5_000;

/**
 * Keys that begin with `start`, a page at a time, on every master. Bounded steps, no KEYS. The client's own `keyPrefix` is heeded and taken off again. A key may come
 * twice, and one that is written meanwhile may be missing.
 *
 * @throws {TimeoutError} When a page takes longer than five seconds.
 */
export async function* scanKeys(client: RedisClient, start: string): AsyncGenerator<string[]> {
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
    const cancel = startDeadline(DEADLINE_MS, () => reject(new TimeoutError('scan', DEADLINE_MS)));
    work.finally(cancel).then(resolve, reject);
  });
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^]/g, String.raw`\$&`);
}
