import { createBounded } from '../core/bounded.ts';
import { noFallback } from '../redis/guard.ts';
import type { Place } from '../register/place.ts';
import { addToCounter } from './add-to-counter.lua.ts';

/** Whole numbers by address, beside the entries: no invalidation hits them. */
export interface Counters {
  /** Adds, and resolves the sum. One that begins ends after `ttlMs`, if that is given. */
  add(address: string, by: number, ttlMs: number | undefined): Promise<number>;
  /** 0 where there is none. */
  get(address: string): Promise<number>;
  remove(address: string): Promise<void>;
}

const MAX_COUNTERS = 100_000;

/** The counters of a place. What they say is never guessed: they reject when Redis is away. */
export function countersOf({ connection, keys }: Place): Counters {
  if (connection === undefined) return createMemoryCounters();
  const { client, guard } = connection;
  return {
    async add(address, by, ttlMs = 0) {
      const counter = keys.counter(address);
      const sum = await guard({ operation: 'count', key: counter, fallback: noFallback }, () =>
        addToCounter(client, { counter }, { by, ttlMs: Math.ceil(ttlMs) }),
      );
      return Number(sum);
    },
    async get(address) {
      const key = keys.counter(address);
      return Number(await guard({ operation: 'read counter', key, fallback: noFallback }, () => client.get(key)));
    },
    async remove(address) {
      const key = keys.counter(address);
      await guard({ operation: 'remove counter', key, fallback: noFallback }, () => client.unlink(key));
    },
  };
}

function createMemoryCounters(): Counters {
  const counts = createBounded<string, number>(MAX_COUNTERS);
  return {
    async add(address, by, ttlMs) {
      const before = counts.get(address);
      const sum = (before ?? 0) + by;
      if (before === undefined) counts.set(address, sum, ttlMs === undefined ? {} : { ttl: ttlMs });
      else counts.set(address, sum, { noUpdateTTL: true, ttl: counts.getRemainingTTL(address) });
      return sum;
    },
    get: async (address) => counts.get(address) ?? 0,
    async remove(address) {
      counts.delete(address);
    },
  };
}
