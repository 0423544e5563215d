import { createBounded } from '../core/bounded.ts';
import { createEntryMemory } from './entry-memory.ts';
import type { Entry } from './entry.ts';

/** An entry that takes more than this part of the bound stays out: it would push out everything else. */
const MAX_PART = 8;
const MAX_CHANGES = 10_000;

/** What a process has in its memory of what is in Redis. */
export interface TierStatistics {
  /** Reads that were answered from memory. */
  readonly hits: number;
  /** Reads for which Redis was asked. */
  readonly misses: number;
  readonly entries: number;
  readonly bytes: number;
}

/** A copy of an entry. */
export interface Kept {
  readonly entry: Entry;
  /** When it was last known to be what stands in Redis, on the clock of this process. */
  readonly verifiedAt: number;
}

/** When something was begun: how many drops there had been, and on the clock of this process. */
export interface Moment {
  readonly drops: number;
  readonly at: number;
}

/** Copies of entries in this process, bounded in bytes; the least recently used go first. */
export interface MemoryTier {
  get(address: string): Kept | undefined;
  /** A moment, for `keep`. */
  now(): Moment;
  /** Keeps a copy of what was sent or read, unless the address was dropped since that began. */
  keep(address: string, bytes: Buffer, since: Moment): void;
  /** It was still what stands in Redis when this was asked. */
  verified(address: string, kept: Kept, at: number): void;
  /** What stands in Redis is about to change, or is not what was kept. */
  drop(address: string): void;
  count(what: 'hits' | 'misses'): void;
  statistics(): TierStatistics;
}

/** Creates an empty tier. */
export function createMemoryTier(maxBytes: number): MemoryTier {
  const { entries, read } = createEntryMemory<Kept>(maxBytes, Math.ceil(maxBytes / MAX_PART));
  const counts = { hits: 0, misses: 0 };
  /** What is forgotten of the drops counts for all addresses. */
  let drops = 0;
  let forgotten = 0;
  const dropped = createBounded<string, number>(MAX_CHANGES, {
    dispose: (moment, _address, reason) => {
      if (reason === 'evict') forgotten = Math.max(forgotten, moment);
    },
  });

  return {
    get: (address) => entries.get(address),
    now: () => ({ drops, at: performance.now() }),
    keep(address, bytes, since) {
      if (since.drops < Math.max(forgotten, dropped.get(address) ?? 0)) return;
      // A copy: what is read is a view of a larger piece of memory.
      const own = Buffer.allocUnsafeSlow(bytes.length);
      bytes.copy(own);
      const entry = read(address, own);
      if (entry !== undefined) entries.set(address, { entry, verifiedAt: since.at });
    },
    verified(address, kept, at) {
      if (entries.peek(address) === kept) (kept as { verifiedAt: number }).verifiedAt = at;
    },
    drop(address) {
      dropped.set(address, ++drops);
      entries.delete(address);
    },
    count: (what) => void counts[what]++,
    statistics: () => ({ ...counts, entries: entries.size, bytes: entries.calculatedSize }),
  };
}
