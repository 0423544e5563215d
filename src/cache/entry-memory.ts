import { LRUCache } from 'lru-cache';
import type { Beside } from './beside.ts';
import { decodeEntry, type Entry } from './entry.ts';

/** What one entry takes beside its bytes (objects, the table), roughly, as measured: counted, or many small entries would exceed the bound by far. */
const OVERHEAD_BYTES = 900;

/** Where entries are kept in this process, bounded in bytes; the least recently used go first. */
export interface EntryMemory<Kept extends {}> {
  readonly entries: LRUCache<string, Kept>;
  /** An entry that is about to be kept, with a place for what is made of it; `undefined` when it is none. */
  read(address: string, bytes: Buffer): Entry | undefined;
}

/** Creates an empty memory. An entry that takes more than `maxEntryBytes`, with what is beside it, stays out. */
export function createEntryMemory<Kept extends { readonly entry: Entry }>(
  maxBytes: number,
  maxEntryBytes = maxBytes,
): EntryMemory<Kept> {
  let besideBytes = 0;
  const entries = new LRUCache<string, Kept>({
    maxSize: maxBytes,
    maxEntrySize: maxEntryBytes,
    sizeCalculation: ({ entry }, address) => sizeOf(entry, address),
    dispose: ({ entry }) => void (besideBytes -= besideBytesOf(entry)),
  });

  const keep: Beside['keep'] = (beside, made, maxShare) => {
    const { address } = beside;
    const kept = entries.peek(address);
    if (kept?.entry.beside !== beside || beside.made !== undefined) return false;
    if (besideBytes + made.bytes > maxShare * maxBytes) return false;
    if (sizeOf(kept.entry, address) + made.bytes > maxEntryBytes) return false;
    entries.delete(address); // How large it is is asked when it comes in.
    beside.made = made;
    besideBytes += made.bytes;
    entries.set(address, kept);
    return true;
  };

  return {
    entries,
    read(address, bytes) {
      const entry = decodeEntry(bytes);
      return entry && { ...entry, beside: { address, uses: 0, made: undefined, keep } };
    },
  };
}

/** What an entry in this process' memory takes, in bytes. */
function sizeOf(entry: Entry, address: string): number {
  return entry.bytes.length + 2 * address.length + OVERHEAD_BYTES + besideBytesOf(entry);
}

function besideBytesOf({ beside }: Entry): number {
  return beside?.made?.bytes ?? 0;
}
