import { createBounded } from '../core/bounded.ts';
import { type CacheStore, type Lookup, UNAVAILABLE } from '../cache/store.ts';
import { inTime } from '../core/deadline.ts';
import { fieldNames } from './field-names.ts';
import { isMarker } from './response-head.ts';
import type { RequestKey } from './request-key.ts';

/** A lookup, and where it ended. */
export interface Located extends Lookup {
  /** Where the response is, or would be as far as is known. */
  readonly address: string;
  /** Until when whoever waits may go on waiting for Redis, on the clock of this process. */
  readonly deadlineAt: number;
  /** Names of the headers whose values selected it. Default: none. */
  readonly varyNames?: readonly string[];
  /** There are responses for this key, but none for the values of the headers they vary by. */
  readonly isVaryMiss?: boolean;
}

/** How much of an entry is needed. */
export type Part = 'whole' | 'head';

/** Finds the stored variant of a response that a request selects (RFC 9111 §4.1). */
export interface VariantReader {
  read(key: RequestKey, part: Part): Located | Promise<Located>;
  /** Whether one more variant may be stored at this key. */
  hasRoom(key: RequestKey, names: readonly string[], maxVariants: number): boolean;
  /** Remembers what a response at this key varies by, and that this variant is stored for so long. Returns for how long any is: what they vary by must be known as long. */
  learn(key: RequestKey, names: readonly string[], keptMs: number): number;
}

const MAX_REMEMBERED = 10_000;

interface Remembered {
  readonly names: readonly string[];
  /** Addresses of variants that this process stored, and until when they are kept. */
  readonly stored: Map<string, number>;
}

/**
 * Where a response varies, its place without variants holds a marker that names the headers. Each process remembers what markers say, so that a hit is one read
 * all the same; what is remembered wrongly costs a second read and never selects a wrong variant, because names and values are both part of a variant's address.
 */
export function createVariantReader(store: CacheStore): VariantReader {
  const remembered = createBounded<string, Remembered>(MAX_REMEMBERED);

  function remember(address: string, names: readonly string[]): Remembered {
    const known = remembered.get(address);
    if (known?.names.join() === names.join()) return known;
    const created = { names, stored: new Map<string, number>() };
    remembered.set(address, created);
    return created;
  }

  /** Reads follow each other here, and one deadline is for all of them. */
  async function readBy(deadlineAt: number, address: string, part: Part): Promise<Located> {
    const lookup = store.read(address, part);
    if (!(lookup instanceof Promise)) return locate(lookup, address, deadlineAt);
    return locate(await inTime(deadlineAt, lookup, UNAVAILABLE), address, deadlineAt);
  }

  async function readVariant(key: RequestKey, names: readonly string[], part: Part): Promise<Located> {
    const deadlineAt = performance.now() + store.deadlineMs;
    const address = key.variant(names);
    const lookup = { ...locate(await store.read(address, part), address, deadlineAt), varyNames: names };
    if (lookup.found !== undefined || lookup.stamp === undefined) return lookup;
    const base = await readBy(deadlineAt, key.address, part);
    const current = namesIn(base);
    if (current === undefined) {
      if (base.found === undefined || isMarker(base.found.entry)) return base;
      remembered.delete(key.address);
      return base;
    }
    remember(key.address, current);
    if (current.join() === names.join()) return { ...lookup, isVaryMiss: true };
    return asVariant(await readBy(deadlineAt, key.variant(current), part), current);
  }

  function follow(key: RequestKey, lookup: Located, part: Part): Located | Promise<Located> {
    const names = namesIn(lookup);
    if (names === undefined) return lookup;
    remember(key.address, names);
    return readBy(lookup.deadlineAt, key.variant(names), part).then((variant) => asVariant(variant, names));
  }

  return {
    read(key, part) {
      const names = remembered.size === 0 ? undefined : remembered.get(key.address)?.names;
      if (names !== undefined) return readVariant(key, names, part);
      const deadlineAt = performance.now() + store.deadlineMs;
      const lookup = store.read(key.address, part);
      return lookup instanceof Promise
        ? lookup.then((outcome) => follow(key, locate(outcome, key.address, deadlineAt), part))
        : follow(key, locate(lookup, key.address, deadlineAt), part);
    },
    hasRoom(key, names, maxVariants) {
      const known = names.length === 0 ? undefined : remembered.get(key.address);
      if (known === undefined || known.stored.size < maxVariants || known.names.join() !== names.join()) return true;
      const now = performance.now();
      for (const [address, until] of known.stored) if (until <= now) known.stored.delete(address);
      return known.stored.size < maxVariants || known.stored.has(key.variant(names));
    },
    learn(key, names, keptMs) {
      if (names.length === 0) {
        remembered.delete(key.address);
        return keptMs;
      }
      const { stored } = remember(key.address, names);
      const now = performance.now();
      stored.set(key.variant(names), now + keptMs);
      return Math.max(...stored.values()) - now;
    },
  };
}

/** A class, as all that hits make: see `cache/found`. */
class LocatedLookup implements Located {
  readonly found: Lookup['found'];
  readonly stamp: Lookup['stamp'];
  readonly bytes: Lookup['bytes'];
  readonly address: string;
  readonly deadlineAt: number;
  constructor({ found, stamp, bytes }: Lookup, address: string, deadlineAt: number) {
    this.found = found;
    this.stamp = stamp;
    this.bytes = bytes;
    this.address = address;
    this.deadlineAt = deadlineAt;
  }
}

function locate(lookup: Lookup, address: string, deadlineAt: number): Located {
  return new LocatedLookup(lookup, address, deadlineAt);
}

function asVariant(lookup: Located, varyNames: readonly string[]): Located {
  return lookup.found === undefined ? { ...lookup, isVaryMiss: true } : { ...lookup, varyNames };
}

function namesIn({ found }: Lookup): readonly string[] | undefined {
  return found === undefined || !isMarker(found.entry) ? undefined : fieldNames(found.entry.metadata.toString());
}
