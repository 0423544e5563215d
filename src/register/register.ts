import type { Dependencies } from './ledger.ts';
import type { Stamp, Verdict } from './mirror.ts';
import type { Purge } from './records.ts';

/** A step of the register's clock. */
export interface Bump extends Stamp {
  /** The clock before it. */
  readonly previousClock: number;
}

/**
 * Knows what was invalidated, and when, on a logical clock.
 *
 * The promise of every adapter: when `invalidate` has resolved, no `judge` that follows a `refresh` begun after it says `valid` of anything that was computed
 * from a stamp taken before it and that the purges hit. In bounded mode that holds within `maxStaleness`, and at once in the process that invalidated.
 */
export interface Register {
  /**
   * Makes `judge` and `stamp` right for reads that were begun before this call, and by the end of the current turn of the event loop at the latest.
   * True at once when nothing needs to be asked; false when it could not be found out within the deadline.
   */
  refresh(): true | Promise<boolean>;
  /** Judges what was computed at `stamp`, after `refresh`. */
  judge(stamp: Stamp, describe: () => Dependencies): Verdict;
  /** Names what has hit what was computed at `stamp`, the newest first: `tag product:7`. Empty when nothing did. For people: it looks at everything that is known. */
  blame(stamp: Stamp, describe: () => Dependencies): string[];
  /** The stamp for a computation that begins now, after `refresh`. */
  stamp(): Stamp | undefined;
  /**
   * Writes purges; resolves when every process must heed them, with the clock they got.
   *
   * @throws {RedisError} When that could not be confirmed. This process heeds them from then on and goes on trying to write them.
   */
  invalidate(purges: readonly Purge[]): Promise<Bump>;
  /** Heeds purges in this process from now on, and writes them as soon as that is possible. */
  owe(purges: readonly Purge[]): void;
  /** The register's time in milliseconds since the epoch, the same for all processes. */
  now(): number;
  /** Someone uses it from now on: it may open what helps it. */
  open(): void;
  /** Nobody does any more: closes what it has opened. It keeps its promise all the same. */
  close(): void;
}

/** Patterns and tag sets are compared one by one; beyond so many the oldest become a floor, which invalidates more than was asked but never less. */
export const MAX_SCANNED_PURGES = 64;

/** How long records are kept. An entry with a longer lifetime may be lost early, never served wrongly. */
export const RETENTION_MS = 8 * 86_400_000;

/** How many records are kept: about 105 bytes each in Redis. */
export const MAX_RECORDS = 100_000;
