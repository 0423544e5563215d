import type { Connection } from '../redis/connection.ts';
import { noFallback } from '../redis/guard.ts';
import type { Keys } from '../redis/keys.ts';
import type { ChangesStore } from './live-settings.ts';
import { noteRefused } from './note-refused.lua.ts';
import { COUNTING_MS, createNotes, MAX_REFUSED, type RefusedLog } from './refused-log.ts';

/** Notes are written together, so often at most. */
const FLUSH_INTERVAL_MS = 200;
/** Clients of one write, those refused most often: a flood of distinct clients must not occupy Redis with notes. */
const MAX_FLUSHED = 250;
/** Longer than any window: who would be refused for ever is listed as refused for so long. */
const MAX_RETRY_AFTER_MS = 366 * 86_400_000;

/** Changes of one limiter's policies, in a hash by policy. */
export function createRedisChanges({ client, guard }: Connection, keys: Keys, limiter: string): ChangesStore {
  const key = keys.limiter(limiter, 'settings');
  return {
    read: () =>
      guard({ event: 'limit:error', operation: 'read limit settings', key, fallback: () => undefined }, () =>
        client.hgetall(key),
      ),
    async write(policy, change) {
      await guard({ event: 'limit:error', operation: 'change limit settings', key, fallback: noFallback }, () =>
        change === undefined ? client.hdel(key, policy) : client.hset(key, policy, change),
      );
    },
  };
}

/** Who was refused, by all processes. What cannot be written is lost: it only informs. */
export function createRedisRefusedLog({ client, guard }: Connection, keys: Keys, limiter: string): RefusedLog {
  const places = { refused: keys.limiter(limiter, 'refused'), offenders: keys.limiter(limiter, 'offenders') };
  const notes = createNotes();
  let timer: NodeJS.Timeout | undefined;

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const now = performance.now();
    const rest = notes
      .list()
      .toSorted((a, b) => b.count - a.count)
      .slice(0, MAX_FLUSHED)
      .flatMap(({ client, count, untilMs }) => [
        client,
        count,
        Math.ceil(Math.min(MAX_RETRY_AFTER_MS, Math.max(0, untilMs - now))),
      ]);
    notes.clear();
    if (rest.length === 0) return;
    await guard(
      { event: 'limit:error', operation: 'note refused clients', key: places.refused, fallback: () => undefined },
      () => noteRefused(client, places, { cap: MAX_REFUSED, countingMs: COUNTING_MS }, rest),
    );
  }

  return {
    note(client, retryAfterMs) {
      notes.add(client, performance.now() + retryAfterMs);
      timer ??= setTimeout(() => void flush(), FLUSH_INTERVAL_MS).unref();
    },
    async list(count) {
      await flush();
      const rows = await guard(
        { event: 'limit:error', operation: 'list refused clients', key: places.refused, fallback: noFallback },
        () => client.zrevrange(places.refused, 0, count - 1, 'WITHSCORES'),
      );
      const refused = pairsOf(rows).map(([name, ms]) => ({ client: name, until: new Date(ms) }));
      return refused.filter(({ until }) => until.getTime() > Date.now());
    },
    async top(count) {
      await flush();
      const rows = await guard(
        { event: 'limit:error', operation: 'list offenders', key: places.offenders, fallback: noFallback },
        () => client.zrevrange(places.offenders, 0, count - 1, 'WITHSCORES'),
      );
      return pairsOf(rows).map(([name, refusals]) => ({ client: name, refusals }));
    },
    async forget(name) {
      await flush();
      await guard(
        { event: 'limit:error', operation: 'forget refused client', key: places.refused, fallback: noFallback },
        () => client.zrem(places.refused, name),
      );
    },
  };
}

/** RESP2 answers flat, RESP3 in pairs. */
function pairsOf(rows: readonly unknown[]): readonly (readonly [string, number])[] {
  const flat = rows.flat();
  return Array.from({ length: flat.length / 2 }, (_, i) => [String(flat[2 * i]), Number(flat[2 * i + 1])]);
}
