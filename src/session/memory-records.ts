import { LRUCache } from 'lru-cache';
import { SessionTooLargeError } from '../core/errors.ts';
import { loginOf } from './engine.ts';
import type { RecordSettings, SessionRecord, SessionRecords, SessionWrite, WriteOutcome } from './records.ts';
import type { SessionLogin } from './session-data.ts';

/** What the table itself takes for one session, roughly. */
const OVERHEAD_BYTES = 400;
/** And for knowing whose it is. */
const LOGIN_BYTES = 400;

/** Sessions in this process, and which of them a user has. */
export interface MemoryRecords extends SessionRecords {
  /** How the index names the sessions of a user. */
  entriesOf(userId: string): Iterable<string>;
}

/** Sessions in this process, bounded in bytes: the least recently used go first, and their users have to log in again. */
export function createMemoryRecords(maxBytes: number, { absoluteMs, onConflict }: RecordSettings): MemoryRecords {
  const users = new Map<string, Set<string>>();
  const records = new LRUCache<string, SessionRecord>({
    maxSize: maxBytes,
    sizeCalculation: sizeOf,
    ttlAutopurge: false,
    ttl: 1, // Each is given its own.
    dispose: forget,
  });

  function put(handle: string, record: SessionRecord, ttl: number): void {
    records.set(handle, record, { ttl });
    const login = loginIn(record);
    if (login !== undefined) users.set(login.userId, (users.get(login.userId) ?? new Set()).add(login.entry));
  }

  function forget(record: SessionRecord): void {
    const { userId = '', entry = '' } = loginIn(record) ?? {};
    const entries = users.get(userId);
    entries?.delete(entry);
    if (entries?.size === 0) users.delete(userId);
  }

  function keep(handle: string, write: SessionWrite, current: SessionRecord | undefined): WriteOutcome {
    const now = Date.now();
    const createdAt = current?.createdAt ?? now;
    const ttl = Math.ceil(Math.min(write.idleMs, createdAt + absoluteMs - now));
    const fields = new Map(current?.fields);
    if (write.base === undefined) for (const [name, text] of write.fields) fields.set(name, text);
    for (const name of write.removed) fields.delete(name);
    for (const name of write.changed) fields.set(name, write.fields.get(name) ?? 'null');
    const record = {
      fields,
      createdAt,
      touchedAt: now,
      indexedUntil: write.indexedUntil,
      stored: fields,
      mustRewrite: false,
    };
    if (ttl < 1) {
      records.delete(handle);
      return 'gone';
    }
    const bytes = sizeOf(record);
    if (bytes > maxBytes) throw new SessionTooLargeError(bytes, maxBytes, 'memory');
    put(handle, record, ttl);
    return { ...record, fields: write.fields };
  }

  return {
    now: Date.now,
    entriesOf: (userId) => users.get(userId) ?? [],
    async read({ handle }) {
      return records.get(handle);
    },
    async write({ handle }, write) {
      if (write.base === undefined) return keep(handle, write, undefined);
      const current = records.get(handle);
      if (current === undefined) return 'gone';
      const { base } = write;
      const conflict = [...write.changed, ...write.removed].find(
        (name) => onConflict === 'reject' && current.fields.get(name) !== base.fields.get(name),
      );
      return conflict === undefined ? keep(handle, write, current) : { conflict };
    },
    async touch({ handle }, { idleMs, everyMs, indexedUntil }) {
      const current = records.get(handle);
      const now = Date.now();
      if (current === undefined) return 'gone';
      if (now - current.touchedAt < everyMs) return 'recent';
      const ttl = Math.ceil(Math.min(idleMs, current.createdAt + absoluteMs - now));
      if (ttl < 1) records.delete(handle);
      else put(handle, { ...current, touchedAt: now, indexedUntil }, ttl);
      return ttl < 1 ? 'gone' : 'touched';
    },
    async remove({ handle }) {
      const former = records.get(handle);
      records.delete(handle);
      return former;
    },
    async exists({ handle }) {
      return records.has(handle);
    },
    async *scan() {
      yield [...records.keys()].filter((handle) => records.has(handle)).map((handle) => ({ handle }));
    },
  };
}

function sizeOf({ fields }: SessionRecord): number {
  const overhead = OVERHEAD_BYTES + (fields.has('suiteLogin') ? LOGIN_BYTES : 0);
  return [...fields].reduce((sum, [name, text]) => sum + name.length + text.length, overhead);
}

function loginIn({ fields }: SessionRecord): SessionLogin | undefined {
  const text = fields.get('suiteLogin');
  return text === undefined ? undefined : loginOf({ suiteLogin: JSON.parse(text) });
}
