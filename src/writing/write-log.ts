/** One change on its way: the bytes of a value, or a deletion. */
export interface Change {
  readonly key: string;
  /** Absent: the key is deleted. */
  readonly bytes?: Buffer | undefined;
}

/** A change that was recorded. */
export interface LogRecord extends Change {
  /** Place in its partition: `<milliseconds>-<number>`. */
  readonly id: string;
  /** Its own name, and whether it is a value or a deletion. */
  readonly token: string;
  /** It was a value, and Redis has lost it. */
  readonly isLost: boolean;
}

/** Outcome of asking for a partition. */
export type Claim =
  | { readonly state: 'empty' | 'theirs' }
  | {
      readonly state: 'mine';
      /** Larger with every change of hands. */
      readonly fence: string;
      /** How many times writing the first record was attempted, this time included. */
      readonly attempt: number;
      readonly records: readonly LogRecord[];
    };

/** A record that was given up. */
export interface Letter extends LogRecord {
  /** Place among the dead letters. */
  readonly letter: string;
  readonly error: string;
  readonly attempts: number;
  /** Something newer of its key was recorded since. */
  readonly isReplaced: boolean;
}

/**
 * Where changes wait until they are written: partitions, each in order, each worked on by one process at a time. A port: every adapter passes the same contract.
 *
 * Promise: what `append` has resolved stays until it is settled, discarded or replaced; records are handed out in the order in which they were appended, and the next ones only when
 * those before are settled or buried; whoever lost a partition settles and buries nothing there. Every method rejects with a RedisError when Redis does not answer in time.
 */
export interface WriteLog {
  /** Records a change and resolves how many its partition has then; 0: it is full, and nothing was recorded. */
  append(partition: number, change: Change): Promise<number>;
  /** The latest change of a key that is not settled; `settled`: it was not yet when it was asked for. */
  latest(partition: number, key: string): Promise<Pick<LogRecord, 'key' | 'bytes'> | 'settled' | undefined>;
  /** Whether the cache will hear of the key once more, by whoever writes what waits. */
  isAwaited(partition: number, key: string): Promise<boolean>;
  /** How many records there are that are not settled. */
  length(partition: number): Promise<number>;
  /**
   * Takes or keeps the partition and hands out its first records, so many at most; the first alone once it was attempted `attempts` times. It is another attempt if writing what was
   * handed out last `hasFailed`, or that was handed out to another process.
   */
  claim(partition: number, count: number, attempts: number, hasFailed: boolean): Promise<Claim>;
  /** Keeps the partition for another lease; false: it is another's. */
  renew(partition: number, fence: string): Promise<boolean>;
  /** Lets others have the partition at once. */
  release(partition: number, fence: string): Promise<void>;
  /** Those of the records that are the latest change of their key. */
  current(partition: number, records: readonly LogRecord[]): Promise<LogRecord[]>;
  /** Forgets records, lets others have the partition when fewer than `keepFrom` are left, and resolves how many; -1: the partition is another's. */
  settle(partition: number, fence: string, records: readonly LogRecord[], keepFrom: number): Promise<number>;
  /** Moves a record to the dead letters. */
  bury(partition: number, fence: string, burial: Burial): Promise<'buried' | 'full' | 'lost'>;
  /** So many dead letters after the one that is named, oldest first. */
  letters(partition: number, after: string | undefined, count: number): Promise<Letter[]>;
  /** Makes a dead letter a record again, the last of its partition. */
  revive(partition: number, letter: Letter): Promise<'revived' | 'replaced' | 'full' | 'gone'>;
  /** Drops a dead letter; false: it was gone. */
  discard(partition: number, letter: Letter): Promise<boolean>;
}

/** What is kept of a record that is given up. */
interface Burial {
  readonly record: LogRecord;
  readonly error: string;
  readonly attempts: number;
}

/** Bounds that both adapters heed. */
export interface WriteLogLimits {
  readonly name: string;
  readonly leaseMs: number;
  readonly maxPending: number;
  readonly maxDeadLetters: number;
  readonly collapse: 'last' | 'none';
}
