import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '../redis/connection.ts';
import { scanKeys } from '../redis/scan.ts';
import type { Register } from '../register/register.ts';
import type { Backend } from './backend.ts';
import { decodeEntry, dependenciesOf, type Entry, readHead, writingOf } from './entry.ts';
import { unlinkWriting } from './unlink-writing.lua.ts';

/** How far reclaiming has come. */
export interface ReclaimProgress {
  /** Entries looked at. */
  readonly scanned: number;
  /** Those that had been invalidated, and are gone. */
  readonly removed: number;
  /** `done`: all were looked at. `aborted` by the signal. `degraded`: Redis is slow or away. `skipped`: another process is at it. */
  readonly state: 'running' | 'done' | 'aborted' | 'degraded' | 'skipped';
}

/** How entries are gone through. */
export interface SweepOptions {
  readonly signal: AbortSignal;
  /** Rest between steps. */
  readonly pauseMs: number;
}

/** Entries looked at in one step. */
const STEP = 100;
/** Header, tags and key are rarely longer; then more is read. */
const HEAD_BYTES = 1_024;

/**
 * Takes invalidated entries out of Redis' memory, where they would stay until their lifetime ends. Bounded steps on every master. An entry that may still be served stays, also one that is stored at the
 * place of an invalidated one meanwhile, and so does what another version of this package has written. Entries in this process' memory need no reclaiming: they go when they are read, or when there is
 * no room.
 */
export async function* sweepEntries(backend: Backend, options: SweepOptions): AsyncGenerator<ReclaimProgress> {
  const { connection, keys } = backend.place;
  const count = { scanned: 0, removed: 0 };
  if (connection === undefined) {
    yield { ...count, state: 'done' };
    return;
  }
  const stopped = (): ReclaimProgress['state'] => (options.signal.aborted ? 'aborted' : 'degraded');
  try {
    for await (const page of scanKeys(connection, keys.entries)) {
      for (let at = 0; at < page.length; at += STEP) {
        if (options.signal.aborted) {
          yield { ...count, state: 'aborted' };
          return;
        }
        const step = page.slice(at, at + STEP);
        const removed = await removeDead(connection, backend.store.register, step);
        if (removed === undefined) {
          yield { ...count, state: 'degraded' };
          return;
        }
        count.scanned += step.length;
        count.removed += removed;
        yield { ...count, state: 'running' };
        await sleep(options.pauseMs, undefined, { signal: options.signal, ref: false });
      }
    }
  } catch {
    yield { ...count, state: stopped() };
    return;
  }
  yield { ...count, state: 'done' };
}

/** Removes those of some keys whose entries are dead. Returns how many; `undefined` when Redis does not answer. */
async function removeDead(
  { client, guard }: Connection,
  register: Register,
  keys: readonly string[],
): Promise<number | undefined> {
  const readAt = async (key: string, bytes: number): Promise<Buffer | undefined> =>
    guard({ operation: 'read entry', key, fallback: () => undefined }, () => client.getrangeBuffer(key, 0, bytes - 1));
  const heads = await Promise.all(keys.map((key) => readHead((bytes) => readAt(key, bytes), HEAD_BYTES)));
  // After the reads: an entry of a register that is newer than what this process knows would look dead.
  if (!(await register.refresh())) return undefined;
  const removals = keys.flatMap((key, i) => {
    const head = heads[i];
    const entry = head && decodeEntry(head, 'head');
    if (entry === undefined || !isDead(entry, register)) return [];
    return guard({ operation: 'reclaim entry', key, fallback: () => undefined }, () =>
      unlinkWriting(client, { entry: key }, { seen: writingOf(head) }),
    );
  });
  const replies = await Promise.all(removals);
  if (heads.includes(undefined) || replies.includes(undefined)) return undefined;
  return replies.filter((reply) => reply === 1).length;
}

/** What is newer than all that this process knows (with `maxStaleness` it may lag behind) is not its to judge. */
function isDead(entry: Entry, register: Register): boolean {
  const known = register.stamp();
  if (known === undefined || entry.clock > known.clock) return false;
  try {
    return register.judge(entry, () => dependenciesOf(entry)) === 'dead';
  } catch {
    return false; // Garbled: reads take it for a miss.
  }
}
