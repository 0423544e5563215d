import { createBounded } from '../core/bounded.ts';
import type { Connection } from '../redis/connection.ts';
import { noFallback } from '../redis/guard.ts';
import type { Keys } from '../redis/keys.ts';
import { enterIndex } from './enter-index.lua.ts';
import { handleOf } from './handle.ts';
import type { SessionRef } from './records.ts';

/** One session of a user. */
interface IndexEntry {
  /** How the index names it. */
  readonly entry: string;
  readonly ref: SessionRef;
  /** Microseconds since the epoch. */
  readonly loginAt: number;
}

/**
 * The sessions of each user. A port.
 *
 * Promise: who enters a session before creating it, and leaves after ending it, finds every live session in `list`. It may hold sessions that have ended.
 */
export interface UserIndex {
  /** Enters a session until an instant, or moves that instant. Resolves with its entry and how many there are. */
  enter(userId: string, place: EntryPlace): Promise<{ readonly entry: string; readonly count: number }>;
  leave(userId: string, entries: readonly string[]): Promise<void>;
  /** Oldest login first. */
  list(userId: string): Promise<IndexEntry[]>;
}

interface EntryPlace {
  /** Absent for a new session. */
  readonly entry?: string;
  readonly session: string;
  readonly untilMs: number;
}

/** How the index spells a session: by handle, and in the connect-redis format, whose keys are the ids, by id. */
export function spell({ handle, id }: SessionRef, format: 'hash' | 'json'): string {
  return format === 'json' && id !== undefined ? `j${id}` : `h${handle}`;
}

function toEntry(entry: string): IndexEntry {
  const colon = entry.indexOf(':');
  const name = entry.slice(colon + 2);
  const ref = entry[colon + 1] === 'j' ? { id: name, handle: handleOf(name) } : { handle: name };
  return { entry, ref, loginAt: Number(entry.slice(0, colon)) };
}

/** A sorted set per user. */
export function createRedisUserIndex({ client, guard }: Connection, keys: Keys): UserIndex {
  return {
    async enter(userId, { entry = '', session, untilMs }) {
      const key = keys.userSessions(userId);
      const reply = await guard({ operation: 'index session', key, fallback: noFallback }, () =>
        enterIndex(client, { index: key }, { entry, session, untilMs: Math.floor(untilMs) }),
      );
      const [entered, count] = reply as [string, number];
      return { entry: entered, count };
    },
    async leave(userId, entries) {
      if (entries.length === 0) return;
      const key = keys.userSessions(userId);
      await guard({ operation: 'index session', key, fallback: noFallback }, () => client.zrem(key, ...entries));
    },
    async list(userId) {
      const key = keys.userSessions(userId);
      const entries = await guard({ operation: 'list sessions', key, fallback: noFallback }, () =>
        client.zrange(key, '0', '-1'),
      );
      return entries.map(toEntry).toSorted((a, b) => a.loginAt - b.loginAt);
    },
  };
}

const MAX_USERS = 100_000;

/** A map per user, in this process: for sessions that are about to be created. The rest is `known` by its sessions themselves, however many users there are. */
export function createMemoryUserIndex(known: (userId: string) => Iterable<string> = () => []): UserIndex {
  const users = createBounded<string, Map<string, number>>(MAX_USERS);
  let lastUs = 0;

  return {
    async enter(userId, { entry, session, untilMs }) {
      lastUs = Math.max(lastUs + 1, Date.now() * 1_000);
      const entered = entry ?? `${lastUs}:${session}`;
      const entries = users.get(userId) ?? new Map<string, number>();
      sweep(entries);
      users.set(userId, entries.set(entered, untilMs));
      return { entry: entered, count: entriesOf(userId).size };
    },
    async leave(userId, entries) {
      const known = users.get(userId);
      for (const entry of entries) known?.delete(entry);
      if (known?.size === 0) users.delete(userId);
    },
    async list(userId) {
      return [...entriesOf(userId)].map(toEntry).toSorted((a, b) => a.loginAt - b.loginAt);
    },
  };

  function entriesOf(userId: string): Set<string> {
    return new Set([...(users.get(userId)?.keys() ?? []), ...known(userId)]);
  }
}

/** Drops entries whose instant has passed. Looks at two at each login, so that more can leave than come, and puts those that stay behind all others. */
function sweep(entries: Map<string, number>): void {
  for (let i = 0; i < 2; i++) {
    const [first] = entries;
    if (first === undefined) return;
    const [entry, until] = first;
    entries.delete(entry);
    if (until > Date.now()) entries.set(entry, until);
  }
}
