import { LRUCache } from 'lru-cache';
import type { Entry } from '../cache/entry.ts';
import { type CacheStore, type Lookup, UNAVAILABLE } from '../cache/store.ts';
import { within } from '../core/deadline.ts';
import { fieldNames } from './field-names.ts';
import { isMarker } from './response-head.ts';
import type { RequestKey } from './request-key.ts';

/** Finds the stored variant of a response that a request selects (RFC 9111 §4.1). */
export interface VariantReader {
  read(key: RequestKey): Lookup | Promise<Lookup>;
  /** Remembers what a response at this key varies by. */
  learn(key: RequestKey, names: readonly string[]): void;
}

const MAX_REMEMBERED = 10_000;

/**
 * Where a response varies, its place without variants holds a marker that names the headers. Each process remembers what markers say, so that a hit is one read
 * all the same; what is remembered wrongly costs a second read and never selects a wrong variant, because names and values are both part of a variant's address.
 */
export function createVariantReader(store: CacheStore): VariantReader {
  const remembered = new LRUCache<string, readonly string[]>({ max: MAX_REMEMBERED });

  /** Reads follow each other here, and one deadline is for all of them. */
  function readBy(deadlineAt: number, address: string): Promise<Lookup> {
    const lookup = store.read(address);
    if (!(lookup instanceof Promise)) return Promise.resolve(lookup);
    return within(Math.max(0, deadlineAt - performance.now()), lookup, UNAVAILABLE);
  }

  async function readVariant(key: RequestKey, names: readonly string[]): Promise<Lookup> {
    const deadlineAt = performance.now() + store.deadlineMs;
    const lookup = await store.read(key.variant(names));
    if (lookup.found !== undefined || lookup.stamp === undefined) return lookup;
    const base = await readBy(deadlineAt, key.address);
    const current = namesIn(base);
    if (current === undefined) return base.found === undefined || !isMarker(base.found.entry) ? base : lookup;
    remembered.set(key.address, current);
    return current.join() === names.join() ? lookup : readBy(deadlineAt, key.variant(current));
  }

  function follow(key: RequestKey, lookup: Lookup, deadlineAt: number): Lookup | Promise<Lookup> {
    const names = namesIn(lookup);
    if (names === undefined) return lookup;
    remembered.set(key.address, names);
    return readBy(deadlineAt, key.variant(names));
  }

  return {
    read(key) {
      const names = remembered.size === 0 ? undefined : remembered.get(key.address);
      if (names !== undefined) return readVariant(key, names);
      const deadlineAt = performance.now() + store.deadlineMs;
      const lookup = store.read(key.address);
      return lookup instanceof Promise
        ? lookup.then((outcome) => follow(key, outcome, deadlineAt))
        : follow(key, lookup, deadlineAt);
    },
    learn(key, names) {
      if (names.length > 0) remembered.set(key.address, names);
      else remembered.delete(key.address);
    },
  };
}

function namesIn({ found }: Lookup): readonly string[] | undefined {
  return found === undefined || !isMarker(found.entry) ? undefined : markedNames(found.entry);
}

function markedNames({ metadata }: Entry): readonly string[] {
  return fieldNames(metadata.toString());
}
