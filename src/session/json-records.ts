import { createHash } from 'node:crypto';
import { createBounded } from '../core/bounded.ts';
import { RedisError } from '../core/errors.ts';
import { mayReadReplicas } from '../redis/client.ts';
import type { Connection } from '../redis/connection.ts';
import { noFallback, toRedisError } from '../redis/guard.ts';
import { scanKeys } from '../redis/scan.ts';
import { readJson } from './read-json.lua.ts';
import { refOf } from './handle.ts';
import { fromJsonText, merge, toJsonText } from './json-text.ts';
import type {
  RecordSettings,
  SessionRecord,
  SessionRecords,
  SessionRef,
  SessionWrite,
  WriteOutcome,
} from './records.ts';
import { swapJson } from './swap-json.lua.ts';

export interface JsonRecordsOptions extends RecordSettings {
  readonly connection: Connection;
  /** connect-redis' own prefix. */
  readonly prefix: string;
}

/** Records in connect-redis' format, which it can read and write beside us. */
export interface JsonRecords extends SessionRecords {
  /**
   * Puts {@link MOVING} in a text's place, when that is still `text`. Returns true, or the text that is there, or `undefined` when there is none. Where the answer comes too late, the text is put
   * back for `idleMs`.
   */
  claim(ref: SessionRef, text: string, idleMs: number): Promise<true | string | undefined>;
  /** Puts a text back in its place, unless the session was ended meanwhile. */
  unclaim(ref: SessionRef, text: string, idleMs: number): Promise<unknown>;
  /** Deletes the text and returns it. */
  take(ref: SessionRef): Promise<string | undefined>;
  text(ref: SessionRef): Promise<string | undefined>;
  toRecord(ref: SessionRef, text: string): SessionRecord | 'corrupt' | undefined;
}

/** Takes the text's place while a session is on its way into a hash. connect-redis reads it as no session. */
export const MOVING = 'null';
const MOVING_MS = 5_000;

interface Swap {
  readonly from: string;
  readonly to: string;
  readonly ttlMs: number;
  /** Is told the answer even when nobody waits for it any more. */
  onReply?(reply: unknown): void;
}

/** More others cannot have written in between, unless something is wrong. */
const MAX_ATTEMPTS = 100;

/**
 * One JSON text per session under `<prefix><id>`: connect-redis' keys and format. Our own writers compare and set, so that none of them loses; connect-redis beside them still overwrites
 * whatever it has not read.
 */
export function createJsonRecords({ connection, prefix, absoluteMs, onConflict }: JsonRecordsOptions): JsonRecords {
  const { client, guard } = connection;
  /** The format has no place for it, and writing it would make connect-redis' processes lose theirs. */
  const touchedAt = createBounded<string, number>(50_000);
  const keyOf = ({ id }: SessionRef): string | undefined => (id === undefined ? undefined : prefix + id);

  async function text(ref: SessionRef): Promise<string | undefined> {
    const key = keyOf(ref);
    if (key === undefined) return undefined;
    const reply = await guard({ operation: 'read session', key, fallback: noFallback }, () =>
      mayReadReplicas(client) ? readJson(client, { session: key }, {}) : client.get(key),
    );
    return (reply as string | null) ?? undefined;
  }

  function toRecord(ref: SessionRef, stored: string): SessionRecord | 'corrupt' | undefined {
    const parsed = fromJsonText(stored);
    if (parsed === undefined || parsed === 'corrupt') return parsed;
    return {
      fields: parsed.fields,
      createdAt: parsed.createdAt ?? Date.now(),
      touchedAt: touchedAt.get(ref.handle) ?? 0,
      indexedUntil: 0,
      stored,
      mustRewrite: false,
    };
  }

  /** Replaces a text, when it is still `from`. Returns as `claim` does. */
  async function swap(ref: SessionRef, { from, to, ttlMs, onReply }: Swap): Promise<true | string | undefined> {
    const key = keyOf(ref) ?? '';
    const args = { sha1: createHash('sha1').update(from).digest('hex'), text: to, ttlMs: Math.ceil(ttlMs) };
    const reply = await guard({ operation: 'save session', key, fallback: noFallback }, async () => {
      const answer = await swapJson(client, { session: key }, args);
      onReply?.(answer);
      return answer;
    });
    if (reply === 1) return true;
    return typeof reply === 'string' ? reply : undefined;
  }

  const unclaim = (ref: SessionRef, text: string, ttlMs: number): Promise<unknown> =>
    swap(ref, { from: MOVING, to: text, ttlMs });

  async function claim(ref: SessionRef, text: string, idleMs: number): Promise<true | string | undefined> {
    let isLate = false;
    const onReply = (reply: unknown): void => {
      if (isLate && reply === 1) unclaim(ref, text, idleMs).catch(() => undefined); // The guard has told of it.
    };
    try {
      return await swap(ref, { from: text, to: MOVING, ttlMs: MOVING_MS, onReply });
    } catch (error) {
      isLate = true;
      throw error;
    }
  }

  async function take(ref: SessionRef): Promise<string | undefined> {
    const key = keyOf(ref);
    if (key === undefined) return undefined;
    const [[readError, former] = [], [deleteError] = []] =
      (await guard({ operation: 'destroy session', key, fallback: noFallback }, () =>
        client.multi().get(key).del(key).exec(),
      )) ?? [];
    if (deleteError) throw toRedisError('destroy session', deleteError);
    return readError ? undefined : ((former as string | null) ?? undefined);
  }

  async function create(ref: SessionRef, { fields, idleMs }: SessionWrite): Promise<WriteOutcome> {
    const key = keyOf(ref) ?? '';
    const now = Date.now();
    const ttlMs = Math.ceil(Math.min(idleMs, absoluteMs));
    const stored = toJsonText(fields, now);
    if (ttlMs < 1) {
      await take(ref);
      return 'gone';
    }
    await guard({ operation: 'save session', key, fallback: noFallback }, () => client.set(key, stored, 'PX', ttlMs));
    return written(ref, stored, fields, now);
  }

  /** The absolute timeout of a session that connect-redis has created begins with its first use here. */
  async function date(ref: SessionRef, createdAt: number, ttlMs: number): Promise<void> {
    const stored = await text(ref);
    const parsed = stored === undefined ? undefined : fromJsonText(stored);
    if (stored === undefined || typeof parsed !== 'object' || parsed.createdAt !== undefined) return;
    await swap(ref, { from: stored, to: toJsonText(parsed.fields, createdAt), ttlMs }); // When others have changed it meanwhile: next time.
  }

  function written(ref: SessionRef, stored: string, fields: SessionRecord['fields'], createdAt: number): SessionRecord {
    const now = Date.now();
    touchedAt.set(ref.handle, now);
    return { fields, createdAt, touchedAt: now, indexedUntil: 0, stored, mustRewrite: false };
  }

  async function update(ref: SessionRef, write: SessionWrite, base: SessionRecord): Promise<WriteOutcome> {
    let current = base.stored as string;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const theirs = fromJsonText(current);
      if (theirs === undefined || theirs === 'corrupt') return 'gone';
      if (onConflict === 'reject') {
        const conflict = [...write.changed, ...write.removed].find(
          (name) => theirs.fields.get(name) !== base.fields.get(name),
        );
        if (conflict !== undefined) return { conflict };
      }
      const next = toJsonText(merge(theirs.fields, write.fields, write.changed, write.removed), base.createdAt);
      const ttlMs = Math.min(write.idleMs, base.createdAt + absoluteMs - Date.now());
      const outcome = await swap(ref, { from: current, to: next, ttlMs });
      if (outcome === undefined || ttlMs < 1) return 'gone';
      if (outcome === true) return written(ref, next, write.fields, base.createdAt);
      current = outcome;
    }
    throw new RedisError('save session', 'Redis failed to save session: others have changed it all the time');
  }

  return {
    now: Date.now,
    text,
    claim,
    unclaim,
    take,
    toRecord,
    async read(ref) {
      const stored = await text(ref);
      return stored === undefined ? undefined : toRecord(ref, stored);
    },
    write: (ref, write) => (write.base === undefined ? create(ref, write) : update(ref, write, write.base)),
    async touch(ref, { idleMs, everyMs, createdAt }) {
      const key = keyOf(ref);
      if (key === undefined) return 'gone';
      if (Date.now() - (touchedAt.get(ref.handle) ?? 0) < everyMs) return 'recent';
      const ttlMs = Math.ceil(Math.min(idleMs, createdAt + absoluteMs - Date.now()));
      if (Number.isFinite(absoluteMs)) await date(ref, createdAt, ttlMs);
      const isThere = await guard(
        { operation: 'touch session', key, fallback: noFallback },
        () => client.pexpire(key, ttlMs), // A time that has passed deletes it.
      );
      if (isThere !== 1 || ttlMs < 1) return 'gone';
      touchedAt.set(ref.handle, Date.now());
      return 'touched';
    },
    async remove(ref) {
      const former = await take(ref);
      return former === undefined ? undefined : toRecord(ref, former);
    },
    async exists(ref) {
      const stored = await text(ref);
      return stored !== undefined && fromJsonText(stored) !== undefined;
    },
    async *scan() {
      for await (const keys of scanKeys(connection, prefix)) yield keys.map((key) => refOf(key.slice(prefix.length)));
    },
  };
}
