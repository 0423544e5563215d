import { LRUCache } from 'lru-cache';
import type { Register } from '../register/register.ts';
import { decodeEntry, encodeEntry, type Entry } from './entry.ts';
import { isWorthStoring, toFound } from './found.ts';
import type { CacheStore } from './store.ts';

/** What the table itself takes for one entry, roughly: counted, or many small entries would exceed the bound by far. */
const OVERHEAD_BYTES = 300;

/** Entries in this process, bounded in bytes; the least recently used go first. */
export function createMemoryStore(register: Register, maxBytes: number): CacheStore {
  const entries = new LRUCache<string, Entry>({
    maxSize: maxBytes,
    sizeCalculation: (entry, address) => entry.bytes.length + 2 * address.length + OVERHEAD_BYTES,
  });

  return {
    register,
    deadlineMs: 1_000, // Never needed: it answers at once.
    read(address) {
      const entry = entries.get(address);
      if (entry === undefined) return { stamp: register.stamp() };
      const found = toFound(entry, register);
      if (found === undefined) entries.delete(address);
      return { found, stamp: register.stamp() };
    },
    async write(address, draft) {
      if (draft.freshMs + draft.staleMs < 1 || !isWorthStoring(draft, register)) return false;
      const entry = decodeEntry(encodeEntry(draft, register.now()));
      if (entry !== undefined) entries.set(address, entry);
      return entries.has(address);
    },
    async drop(address) {
      entries.delete(address);
    },
  };
}
