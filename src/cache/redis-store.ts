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

/** Entries in Redis. A read is one GET, with the register's question beside it in the same round trip. */
export function createRedisStore(connection: Connection, keys: Keys, register: Register): CacheStore {
  const { client, guard } = connection;

  return {
    register,
    deadlineMs: connection.deadlineMs,
    async read(address): Promise<Lookup> {
      const key = keys.entry(address);
      // First the read, then the question: an answer from before the read proves nothing about what is read.
      const reply = guard({ operation: 'read entry', key, fallback: () => FAILED }, () => client.getBuffer(key));
      const verified = register.refresh();
      const bytes = await reply;
      if (verified !== true && !(await verified)) return UNAVAILABLE;
      if (bytes === FAILED) return UNAVAILABLE;
      const entry = bytes === null ? undefined : decodeEntry(bytes as Buffer);
      return { found: entry && toFound(entry, register), stamp: register.stamp() };
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
