import type { Stamp } from '../register/mirror.ts';
import type { Register } from '../register/register.ts';
import type { Entry, EntryDraft } from './entry.ts';

/** A stored entry that may be served. `stale`: softly purged, or past its freshness but within what staleness it was given. */
export interface Found {
  readonly state: 'fresh' | 'stale';
  readonly entry: Entry;
  readonly ageMs: number;
}

/** Outcome of a lookup. */
export interface Lookup {
  /** Absent on a miss. */
  readonly found?: Found | undefined;
  /** For the computation that a miss leads to. Absent when the store cannot be relied on now: compute, and store nothing. */
  readonly stamp?: Stamp | undefined;
  /** What stood at the address, valid or not, or the beginning of it: whoever computes can tell whether another has been quicker. */
  readonly bytes?: Buffer | undefined;
}

/** Outcome of a lookup when the store is away. */
export const UNAVAILABLE: Lookup = Object.freeze({});

/** How much of an entry is read. `head`: its body may be missing, whole or in part, if that spares reading it. */
export type Part = 'whole' | 'head';

/**
 * Where entries are kept. A port: every adapter passes the same contract.
 *
 * Promise: reads return no entry that an invalidation hit which had resolved before they were called (in bounded mode: within the bound, and at once in the
 * invalidating process). They answer within the deadline and never reject. The store may lose any entry at any time.
 */
export interface CacheStore {
  readonly register: Register;
  /** How long one read may take. */
  readonly deadlineMs: number;
  /** Looks up the entry at an address. */
  read(address: string, part?: Part): Lookup | Promise<Lookup>;
  /** Looks up many at once, in their order. One round trip, on Cluster one to each node. */
  readMany(addresses: readonly string[], part?: Part): Promise<Lookup[]>;
  /**
   * Stores a computed entry at an address for as long as it may be fresh or stale; with a `version` only if nothing was put or removed there since that was asked
   * for. Resolves false when it was not stored. Never rejects.
   */
  write(address: string, draft: EntryDraft, version?: string): Promise<boolean>;
  /**
   * Names the latest `put` or `remove` at an address. A computation asks before it begins, so that a name is left there if there is none (`mark`): one that is lost can then be told from one that was
   * never there. It hands the name to `write`. `undefined`: the store is away. Never rejects.
   */
  version(address: string, mark?: 'mark'): Promise<string | undefined>;
  /**
   * Stores what is so, whatever is being computed. Computations that asked for their version before will not replace it. Resolves false when it was not
   * stored; the former entry may then still be there. Never rejects.
   */
  put(address: string, draft: EntryDraft): Promise<boolean>;
  /**
   * {@link CacheStore.put} if what stands at the address is still what a lookup saw there. Resolves whether it was stored.
   *
   * @throws {RedisError} When that could not be confirmed.
   */
  putIfSeen(address: string, draft: EntryDraft, seen: Buffer | undefined): Promise<boolean>;
  /**
   * Has what a lookup saw at an address begin a lifetime anew. Resolves false when something else stands there now.
   *
   * @throws {RedisError} When that could not be confirmed.
   */
  renew(address: string, seen: Buffer, lifetime: Lifetime): Promise<boolean>;
  /**
   * Removes the entry at an address, and those that are being computed for it.
   *
   * @throws {RedisError} When that could not be confirmed.
   */
  remove(address: string): Promise<void>;
  /**
   * Addresses that begin so and at which an entry may be served, a page at a time. One may come twice, and what is written meanwhile may be missing.
   *
   * @throws {SuiteError} When the store is away, or a page takes longer than five seconds.
   */
  list(start: string): AsyncIterable<readonly string[]>;
}

/** How long an entry may be served. */
export type Lifetime = Pick<EntryDraft, 'freshMs' | 'staleMs'>;

/** How long `put` and `remove` are remembered. */
export const TOMBSTONE_MS = 180_000;

/** A computation that took longer is not stored where it matters what was put or removed meanwhile: that may have been forgotten. */
export const MAX_COMPUTE_MS = 120_000;
