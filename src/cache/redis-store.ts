import { randomUUID } from 'node:crypto';
import type { ChainableCommander } from 'ioredis';
import type { Connection } from '../redis/connection.ts';
import { noFallback } from '../redis/guard.ts';
import type { Keys } from '../redis/keys.ts';
import type { Register } from '../register/register.ts';
import { acceptFill } from './accept-fill.lua.ts';
import { decodeEntry, encodeEntry, type EntryDraft } from './entry.ts';
import { isWorthStoring, toFound } from './found.ts';
import { type CacheStore, type Lookup, TOMBSTONE_MS, UNAVAILABLE } from './store.ts';

const FAILED = Symbol('failed');
/** What is read of an entry when its body may not be needed: small entries are in it whole. */
const HEAD_BYTES = 4_096;

/** Entries in Redis. A read is one GET, with the register's question beside it in the same round trip. */
export function createRedisStore(connection: Connection, keys: Keys, register: Register): CacheStore {
  const { client, guard } = connection;

  return {
    register,
    deadlineMs: connection.deadlineMs,
    async read(address, part = 'whole'): Promise<Lookup> {
      const key = keys.entry(address);
      // First the read, then the question: an answer from before the read proves nothing about what is read.
      const reply = guard({ operation: 'read entry', key, fallback: () => FAILED }, () =>
        part === 'whole' ? client.getBuffer(key) : client.getrangeBuffer(key, 0, HEAD_BYTES - 1),
      );
      const verified = register.refresh();
      const read = await reply;
      if (verified !== true && !(await verified)) return UNAVAILABLE;
      if (typeof read === 'symbol') return UNAVAILABLE;
      const bytes = read === null || read.length === 0 ? undefined : read;
      const entry = bytes && decodeEntry(bytes, part);
      // So long a description is rare: then all of it is read after all.
      if (entry === undefined && part === 'head' && bytes?.length === HEAD_BYTES) return this.read(address);
      return { found: entry && toFound(entry, register), stamp: register.stamp(), bytes };
    },
    async write(address, draft, version) {
      if (!isWorthStoring(draft, register, version)) return false;
      const key = keys.entry(address);
      return guard({ operation: 'store entry', key, fallback: () => false }, () =>
        version === undefined ? setEntry(key, draft) : fillEntry(address, draft, version),
      );
    },
    version(address) {
      const key = keys.tombstone(address);
      return guard({ operation: 'read version', key, fallback: () => undefined }, async () => {
        return (await client.get(key)) ?? '';
      });
    },
    async put(address, draft) {
      if (!isWorthStoring(draft, register)) return false;
      const key = keys.entry(address);
      return guard({ operation: 'store entry', key, fallback: () => false }, async () => {
        const writes = client.multi().set(keys.tombstone(address), randomUUID(), 'PX', TOMBSTONE_MS);
        await all(writes.set(key, encodeEntry(draft, register.now()), 'PX', lifetimeOf(draft)));
        return true;
      });
    },
    async remove(address) {
      const key = keys.entry(address);
      await guard({ operation: 'remove entry', key, fallback: noFallback }, () =>
        all(client.multi().set(keys.tombstone(address), randomUUID(), 'PX', TOMBSTONE_MS).unlink(key)),
      );
    },
  };

  async function setEntry(key: string, draft: EntryDraft): Promise<boolean> {
    await client.set(key, encodeEntry(draft, register.now()), 'PX', lifetimeOf(draft));
    return true;
  }

  /** Two commands in one trip. On Cluster all three keys are in one slot. */
  async function fillEntry(address: string, draft: EntryDraft, version: string): Promise<boolean> {
    const filled = keys.filled(address, randomUUID());
    const places = { entry: keys.entry(address), filled, tombstone: keys.tombstone(address) };
    const [, isAccepted] = await Promise.all([setEntry(filled, draft), acceptFill(client, places, { version })]);
    return isAccepted === 1;
  }
}

function lifetimeOf({ freshMs, staleMs }: EntryDraft): number {
  return Math.ceil(freshMs + staleMs);
}

/** A transaction answers with an error per command, or as a whole. */
async function all(transaction: ChainableCommander): Promise<void> {
  for (const [error] of (await transaction.exec()) ?? []) if (error !== null) throw error;
}
