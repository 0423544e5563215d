import { setTimeout as sleep } from 'node:timers/promises';
import { TimeoutError } from '../core/errors.ts';
import { fromJsonText, merge } from './json-text.ts';
import { type JsonRecords, MOVING } from './json-records.ts';
import type { SessionRecord, SessionRecords, SessionRef, SessionWrite, WriteOutcome } from './records.ts';

export interface MigratingRecordsOptions {
  readonly hash: SessionRecords;
  readonly json: JsonRecords;
  /** In which format new sessions are created. With `hash`, those in JSON are moved when they are next written. */
  readonly format: 'hash' | 'json';
  readonly onConflict: 'overwrite' | 'reject';
}

/** A session that is on its way has arrived, or got lost with the process that moved it. */
const ARRIVAL_MS = 2_000;

/**
 * Both formats side by side, for rolling deployments. A session is in one of them at a time: who moves it first claims its text by compare and set, so that nothing that ended meanwhile
 * arrives, and everyone else waits for its arrival.
 */
export function createMigratingRecords({ hash, json, format, onConflict }: MigratingRecordsOptions): SessionRecords {
  const order = format === 'hash' ? [hash, json] : [json, hash];
  const [first, second] = order as [SessionRecords, SessionRecords];

  async function read(ref: SessionRef): Promise<SessionRecord | 'corrupt' | undefined> {
    return (await first.read(ref)) ?? (await second.read(ref)) ?? (await arrived(ref));
  }

  /** Looks again while the session is on its way. It may also have been put back. */
  async function arrived(ref: SessionRef): Promise<SessionRecord | 'corrupt' | undefined> {
    const giveUpAt = performance.now() + ARRIVAL_MS;
    do {
      const text = await json.text(ref);
      const found = await hash.read(ref);
      if (found !== undefined) return found;
      if (text !== MOVING) return text === undefined ? undefined : json.toRecord(ref, text);
      await sleep(5);
    } while (performance.now() < giveUpAt);
    return undefined;
  }

  /** Claims the text, creates the hash, removes the claim. */
  async function move(ref: SessionRef, write: SessionWrite, base: SessionRecord): Promise<WriteOutcome> {
    let current = base.stored as string;
    for (;;) {
      const theirs = fromJsonText(current);
      if (theirs === 'corrupt') return 'gone';
      if (theirs === undefined) return joinMoved(ref, write, base);
      const conflict = conflictOf(write, base.fields, theirs.fields);
      if (conflict !== undefined) return { conflict };
      const claimed = await json.claim(ref, current, write.idleMs);
      if (claimed === undefined) return joinMoved(ref, write, base); // Moved already, or ended.
      if (claimed !== true) {
        current = claimed;
        continue;
      }
      const fields = merge(theirs.fields, write.fields, write.changed, write.removed);
      const createdAt = theirs.createdAt ?? base.createdAt;
      const outcome = await arrive(ref, { ...write, base: undefined, fields, createdAt }, current);
      if ((await json.take(ref)) !== undefined) return asWritten(outcome, write);
      await hash.remove(ref); // It was ended while it was on its way.
      return 'gone';
    }
  }

  /** Creates the hash. Where Redis surely has not, the text is put back. */
  async function arrive(ref: SessionRef, write: SessionWrite, text: string): Promise<WriteOutcome> {
    try {
      return await hash.write(ref, write);
    } catch (error) {
      if (wasNotDone(error)) await json.unclaim(ref, text, write.idleMs).catch(() => undefined); // Told of already.
      throw error;
    }
  }

  /** Its writer compares with what it has itself, not with what others have added. */
  function asWritten(outcome: WriteOutcome, { fields }: SessionWrite): WriteOutcome {
    return typeof outcome === 'object' && 'stored' in outcome ? { ...outcome, fields } : outcome;
  }

  async function rewrite(ref: SessionRef, write: SessionWrite, base: SessionRecord): Promise<WriteOutcome> {
    if (typeof base.stored !== 'string') return hash.write(ref, write);
    if (format === 'hash') return move(ref, write, base);
    const outcome = await json.write(ref, write);
    return outcome === 'gone' ? joinMoved(ref, write, base) : outcome; // Moved by a process that is a phase ahead.
  }

  /** Somebody else has moved it meanwhile. */
  async function joinMoved(ref: SessionRef, write: SessionWrite, base: SessionRecord): Promise<WriteOutcome> {
    const found = await arrived(ref);
    if (found === undefined || found === 'corrupt') return 'gone';
    if (typeof found.stored === 'string') {
      const again = { ...base, stored: found.stored }; // Put back.
      return rewrite(ref, { ...write, base: again }, again);
    }
    const conflict = conflictOf(write, base.fields, found.fields);
    return conflict === undefined ? hash.write(ref, { ...write, base: found }) : { conflict };
  }

  function conflictOf(
    write: SessionWrite,
    ours: SessionRecord['fields'],
    theirs: SessionRecord['fields'],
  ): string | undefined {
    if (onConflict !== 'reject') return undefined;
    return [...write.changed, ...write.removed].find((name) => ours.get(name) !== theirs.get(name));
  }

  return {
    now: hash.now,
    read,
    write: (ref, write) => (write.base === undefined ? first.write(ref, write) : rewrite(ref, write, write.base)),
    async touch(ref, touch) {
      for (const records of order) {
        const outcome = await records.touch(ref, touch);
        if (outcome !== 'gone') return outcome;
      }
      const found = await arrived(ref); // Moved in between.
      if (found === undefined || found === 'corrupt') return 'gone';
      return (typeof found.stored === 'string' ? json : hash).touch(ref, touch);
    },
    async remove(ref) {
      const [text, former] = await Promise.all([json.take(ref), hash.remove(ref)]);
      if (former !== undefined) return former;
      if (text === undefined) return hash.remove(ref); // It may have been moved in between.
      return text === MOVING ? removeArriving(ref) : json.toRecord(ref, text);
    },
    async exists(ref) {
      return (await first.exists(ref)) || (await second.exists(ref)) || (await arrived(ref)) !== undefined;
    },
    async *scan() {
      yield* json.scan(); // Before the hashes: what is moved meanwhile is named twice, and not never.
      yield* hash.scan();
    },
  };

  /** Whoever moves it finds its claim gone and gives up; until then it may be there for a moment. */
  async function removeArriving(ref: SessionRef): Promise<SessionRecord | 'corrupt' | undefined> {
    const giveUpAt = performance.now() + ARRIVAL_MS;
    while (performance.now() < giveUpAt) {
      const former = await hash.remove(ref);
      if (former !== undefined) return former;
      await sleep(5);
    }
    return undefined;
  }
}

function wasNotDone(error: unknown): boolean {
  if (error instanceof TimeoutError) return false;
  const { cause } = error as Error;
  return cause === undefined || (cause instanceof Error && cause.name === 'ReplyError');
}
