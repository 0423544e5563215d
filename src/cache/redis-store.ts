import type { Connection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import type { Register } from '../register/register.ts';
import { decodeEntry, encodeEntry } from './entry.ts';
import { isWorthStoring, toFound } from './found.ts';
import { type CacheStore, type Lookup, UNAVAILABLE } from './store.ts';

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
    async write(address, draft) {
      if (!isWorthStoring(draft, register)) return false;
      const key = keys.entry(address);
      const lifetimeMs = Math.ceil(draft.freshMs + draft.staleMs);
      if (lifetimeMs < 1) return false;
      const bytes = encodeEntry(draft, register.now());
      return guard({ operation: 'store entry', key, fallback: () => false }, async () => {
        await client.set(key, bytes, 'PX', lifetimeMs);
        return true;
      });
    },
    async drop(address) {
      const key = keys.entry(address);
      await guard({ operation: 'drop entry', key, fallback: () => 0 }, () => client.unlink(key));
    },
  };
}
