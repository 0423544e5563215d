import type { Kept, MemoryTier, Moment } from './memory-tier.ts';
import type { RedisStore } from './redis-store.ts';
import { Hit, toFound } from './found.ts';
import { type CacheStore, type Lookup, type Part, UNAVAILABLE } from './store.ts';

/** Options of {@link createTieredStore}. */
export interface TieredStoreOptions {
  readonly redis: RedisStore;
  readonly tier: MemoryTier;
  /** How old what is known of Redis may be. */
  readonly maxStalenessMs: number;
  /** What becomes of a copy about which Redis cannot be asked. */
  readonly onUnverifiable: 'bypass' | 'serve';
}

/**
 * Entries in Redis, with copies of those lately used in the memory of this process. A copy is judged by the register like what is read, so it moves no body, and within the bound of `maxStaleness` it needs
 * no Redis at all. Data can also be set and deleted, which the register does not know: so a copy of it is compared with what stands in Redis, by its header, as often as the bound says.
 */
export function createTieredStore({ redis, tier, maxStalenessMs, onUnverifiable }: TieredStoreOptions): CacheStore {
  const { register } = redis;

  function read(address: string, part: Part = 'whole'): Lookup | Promise<Lookup> {
    const kept = tier.get(address);
    if (kept === undefined) return fetch(address, part);
    const isTrusted = isOnlyInvalidated(address) || isRecent(kept);
    const verified = isTrusted && register.refresh();
    if (verified === true) return lookupOf(kept) ?? fetch(address, part);
    if (!isFresh(kept)) return fetch(address, part); // Redis is asked anyway: once.
    return verified === false
      ? verify(address, kept, part)
      : verified.then((isVerified) => answer(address, kept, part, isVerified));
  }

  /** A copy that is not fresh any more says nothing: Redis may have a newer one. */
  function isFresh({ entry }: Kept): boolean {
    return toFound(entry, register)?.state === 'fresh';
  }

  async function verify(address: string, kept: Kept, part: Part): Promise<Lookup> {
    const askedAt = performance.now();
    const [isCurrent, isVerified] = await Promise.all([redis.isCurrent(address, kept.entry.bytes), register.refresh()]);
    if (isCurrent === false) {
      tier.drop(address);
      return fetch(address, part);
    }
    if (isCurrent === true) tier.verified(address, kept, askedAt);
    return answer(address, kept, part, isCurrent === true && isVerified);
  }

  function answer(address: string, kept: Kept, part: Part, isVerified: boolean): Lookup | Promise<Lookup> {
    if (isVerified) return lookupOf(kept) ?? fetch(address, part);
    return onUnverifiable === 'serve' ? (lookupOf(kept) ?? UNAVAILABLE) : UNAVAILABLE;
  }

  /** The copy, judged once more by what the register has answered meanwhile. */
  function lookupOf({ entry }: Kept): Lookup | undefined {
    const found = toFound(entry, register);
    if (found?.state !== 'fresh') return undefined;
    tier.count('hits');
    return new Hit(found, register.stamp());
  }

  function isRecent({ verifiedAt }: Kept): boolean {
    return performance.now() - verifiedAt < maxStalenessMs;
  }

  async function fetch(address: string, part: Part): Promise<Lookup> {
    const since = tier.now();
    const lookup = await redis.read(address, part);
    return keep(address, lookup, since);
  }

  function keep(address: string, lookup: Lookup, since: Moment): Lookup {
    tier.count('misses');
    const { found } = lookup;
    if (found?.state !== 'fresh' || found.entry.body.length !== found.entry.bodyBytes) return lookup;
    tier.keep(address, found.entry.bytes, since);
    const kept = tier.get(address);
    return kept === undefined ? lookup : { ...lookup, found: { ...found, entry: kept.entry } };
  }

  return {
    register,
    deadlineMs: redis.deadlineMs,
    read,
    async readMany(addresses, part = 'whole') {
      const since = tier.now();
      const absent = addresses.filter((address) => {
        const kept = tier.get(address);
        return kept === undefined || !isFresh(kept);
      });
      const fetched = redis.readMany(absent, part);
      const lookups = new Map<string, Lookup | Promise<Lookup>>();
      const missing = new Set(absent);
      for (const address of addresses) if (!missing.has(address)) lookups.set(address, read(address, part));
      for (const [i, lookup] of (await fetched).entries()) {
        const address = absent[i] ?? '';
        lookups.set(address, keep(address, lookup, since));
      }
      return Promise.all(addresses.map(async (address) => lookups.get(address) ?? UNAVAILABLE));
    },
    write: redis.write,
    version: redis.version,
    put(address, draft) {
      tier.drop(address);
      return redis.put(address, draft);
    },
    putIfSeen(address, draft, seen) {
      tier.drop(address);
      return redis.putIfSeen(address, draft, seen);
    },
    renew(address, seen, lifetime) {
      tier.drop(address);
      return redis.renew(address, seen, lifetime);
    },
    remove(address) {
      tier.drop(address);
      return redis.remove(address);
    },
    list: redis.list,
  };
}

/** Responses are never set or deleted by key. */
function isOnlyInvalidated(address: string): boolean {
  return address.startsWith('h:');
}
