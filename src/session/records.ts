/** Names one session. The id is a secret; its hash, the handle, may be shown. */
export interface SessionRef {
  /** SHA-256 of the id, base64url. */
  readonly handle: string;
  /** Known only where the client has sent it, or where the connect-redis format names its keys by it. */
  readonly id?: string | undefined;
}

/** JSON texts by property. */
export type Fields = ReadonlyMap<string, string>;

/** A session as it is stored. */
export interface SessionRecord {
  readonly fields: Fields;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** When its idle timeout last began. */
  readonly touchedAt: number;
  /** Until when the index of its user holds it. */
  readonly indexedUntil: number;
  /** What a writer compares with to find out whether others have written: the record's whole text, or the stored text of each field. */
  readonly stored: string | Fields;
  /** It has to be written whole with the next change: in another format, or under another key than it should be. */
  readonly mustRewrite: boolean;
}

/** What is to be written. */
export interface SessionWrite {
  /** What the writer has read. Absent: the session is new, whatever is there is replaced. */
  readonly base: SessionRecord | undefined;
  /** Of a record without `base`. Default: now. */
  readonly createdAt?: number;
  /** All properties as they are to be. */
  readonly fields: Fields;
  /** Which of them the writer has changed. */
  readonly changed: readonly string[];
  /** Which properties the writer has removed. */
  readonly removed: readonly string[];
  /** Idle timeout: milliseconds until the session ends when nobody uses it. */
  readonly idleMs: number;
  readonly indexedUntil: number;
}

/** `gone`: the session has ended, and nothing was written. */
export type WriteOutcome = SessionRecord | 'gone' | { readonly conflict: string };

/**
 * Where sessions are kept. A port.
 *
 * Promise: what has ended does not come back (a write with a `base` fails when the record is gone), and of two writers that changed different properties neither loses.
 * Everything throws a RedisError when it could not be confirmed in time.
 */
export interface SessionRecords {
  /** The record; `corrupt` when what is there cannot be read. */
  read(ref: SessionRef): Promise<SessionRecord | 'corrupt' | undefined>;
  write(ref: SessionRef, write: SessionWrite): Promise<WriteOutcome>;
  /** Begins the idle timeout anew, unless another process has just done so. */
  touch(ref: SessionRef, touch: SessionTouch): Promise<'touched' | 'recent' | 'gone'>;
  /** Ends a session. Resolves with its former record, as far as it could be read, or `undefined` when there was none. */
  remove(ref: SessionRef): Promise<SessionRecord | 'corrupt' | undefined>;
  exists(ref: SessionRef): Promise<boolean>;
  /** All sessions, a bounded number at a time. One that is created or ended meanwhile may be missing, or there. */
  scan(): AsyncIterable<readonly SessionRef[]>;
  /** The time of the place that keeps the sessions, as it is known here. */
  now(): number;
}

interface SessionTouch {
  readonly idleMs: number;
  /** Nothing is written when the last touch is not older. */
  readonly everyMs: number;
  /** As it was read. */
  readonly createdAt: number;
  readonly indexedUntil: number;
}

/** What an adapter needs to know of the configuration. */
export interface RecordSettings {
  /** Infinity: none. */
  readonly absoluteMs: number;
  readonly onConflict: 'overwrite' | 'reject';
}
