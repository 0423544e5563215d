import { randomUUID } from 'node:crypto';
import { createBounded } from '../core/bounded.ts';
import type { Register } from '../register/register.ts';
import { createEntryMemory } from './entry-memory.ts';
import { encodeEntry, encodeInstants, type Entry, type EntryDraft, writingOf } from './entry.ts';
import { Hit, isWorthStoring, toFound } from './found.ts';
import { type CacheStore, type Lookup, TOMBSTONE_MS } from './store.ts';

const MAX_TOMBSTONES = 100_000;

interface Kept {
  readonly entry: Entry;
}

/** Entries in this process, bounded in bytes; the least recently used go first. */
export function createMemoryStore(register: Register, maxBytes: number): CacheStore {
  const memory = createEntryMemory<Kept>(maxBytes);
  const { entries } = memory;

  /** Once one is forgotten before its time, all computations under way count as older than it. */
  let forgotten = 0;
  const tombstones = createBounded<string, string>(MAX_TOMBSTONES, {
    ttl: TOMBSTONE_MS,
    dispose: (_version, _address, reason) => {
      if (reason === 'evict') forgotten++;
    },
  });

  return {
    register,
    deadlineMs: 1_000, // Never needed: it answers at once.
    read,
    readMany: async (addresses) => addresses.map(read),
    async write(address, draft, version) {
      if (version !== undefined && version !== versionOf(address)) return false;
      return isWorthStoring(draft, register, version) && keep(address, draft);
    },
    async version(address) {
      return versionOf(address);
    },
    async put(address, draft) {
      bury(address);
      return isWorthStoring(draft, register) && keep(address, draft);
    },
    async putIfSeen(address, draft, seen) {
      if (writingOf(entries.get(address)?.entry.bytes) !== writingOf(seen)) return false;
      bury(address);
      return isWorthStoring(draft, register) && keep(address, draft);
    },
    async renew(address, seen, lifetime) {
      const entry = entries.get(address)?.entry;
      if (entry === undefined || writingOf(entry.bytes) !== writingOf(seen)) return false;
      // Whoever has the old one keeps it as it is.
      const bytes = Buffer.from(entry.bytes);
      encodeInstants(register.now(), lifetime).copy(bytes, 40);
      place(address, bytes);
      return true;
    },
    async remove(address) {
      bury(address);
    },
    async *list(start) {
      const isThere = (kept: Kept | undefined): boolean =>
        kept !== undefined && toFound(kept.entry, register) !== undefined;
      // Peeking: who lists them uses none.
      yield [...entries.keys()].filter((address) => address.startsWith(start) && isThere(entries.peek(address)));
    },
  };

  function read(address: string): Lookup {
    const entry = entries.get(address)?.entry;
    if (entry === undefined) return { stamp: register.stamp() };
    const found = toFound(entry, register);
    if (found !== undefined) return new Hit(found, register.stamp());
    entries.delete(address);
    return { stamp: register.stamp(), bytes: entry.bytes };
  }

  function keep(address: string, draft: EntryDraft): boolean {
    place(address, encodeEntry(draft, register.now()));
    return entries.has(address);
  }

  function place(address: string, bytes: Buffer): void {
    const entry = memory.read(address, bytes);
    if (entry !== undefined) entries.set(address, { entry });
  }

  function bury(address: string): void {
    entries.delete(address);
    tombstones.set(address, randomUUID());
  }

  function versionOf(address: string): string {
    return `${forgotten}:${tombstones.get(address) ?? ''}`;
  }
}
