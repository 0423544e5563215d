import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Register } from '../register/register.ts';
import { decodeEntry, encodeEntry, type Entry, type EntryDraft } from './entry.ts';
import { isWorthStoring, toFound } from './found.ts';
import { type CacheStore, TOMBSTONE_MS } from './store.ts';

/** What the table itself takes for one entry, roughly: counted, or many small entries would exceed the bound by far. */
const OVERHEAD_BYTES = 300;
const MAX_TOMBSTONES = 100_000;

/** Entries in this process, bounded in bytes; the least recently used go first. */
export function createMemoryStore(register: Register, maxBytes: number): CacheStore {
  const entries = new LRUCache<string, Entry>({
    maxSize: maxBytes,
    sizeCalculation: (entry, address) => entry.bytes.length + 2 * address.length + OVERHEAD_BYTES,
  });

  /** Once one is forgotten before its time, all computations under way count as older than it. */
  let forgotten = 0;
  const tombstones = new LRUCache<string, string>({
    max: MAX_TOMBSTONES,
    ttl: TOMBSTONE_MS,
    dispose: (_version, _address, reason) => {
      if (reason === 'evict') forgotten++;
    },
  });

  return {
    register,
    deadlineMs: 1_000, // Never needed: it answers at once.
    read(address) {
      const entry = entries.get(address);
      if (entry === undefined) return { stamp: register.stamp() };
      const found = toFound(entry, register);
      if (found === undefined) entries.delete(address);
      return { found, stamp: register.stamp(), bytes: entry.bytes };
    },
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
    async remove(address) {
      bury(address);
    },
  };

  function keep(address: string, draft: EntryDraft): boolean {
    const entry = decodeEntry(encodeEntry(draft, register.now()));
    if (entry !== undefined) entries.set(address, entry);
    return entries.has(address);
  }

  function bury(address: string): void {
    entries.delete(address);
    tombstones.set(address, randomUUID());
  }

  function versionOf(address: string): string {
    return `${forgotten}:${tombstones.get(address) ?? ''}`;
  }
}
