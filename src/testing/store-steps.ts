import assert from 'node:assert/strict';
import type { EntryDraft } from '../cache/entry.ts';
import type { CacheStore } from '../cache/store.ts';
import type { Stamp } from '../register/mirror.ts';

/** Begins a computation: the stamp that a miss at the address gives. */
export async function compute(store: CacheStore, address: string): Promise<Stamp> {
  const { stamp } = await store.read(address);
  assert.ok(stamp !== undefined, 'the store is not available');
  return stamp;
}

/** An entry for a computation. */
export function draftOf(stamp: Stamp, key: string, fields: Partial<EntryDraft> = {}): EntryDraft {
  const defaults = {
    tags: [],
    flags: 0,
    freshMs: 60_000,
    staleMs: 0,
    computeMs: 0,
    metadata: '',
    body: Buffer.from('x'),
  };
  return { ...defaults, key: `d:${key}`, stamp, ...fields };
}

/** Computes and stores an entry whose key is its address. */
export async function keep(store: CacheStore, address: string, fields: Partial<EntryDraft> = {}): Promise<void> {
  const stamp = await compute(store, address);
  assert.equal(await store.write(address, draftOf(stamp, address, fields)), true, 'the entry was not stored');
}

/** What is found at an address. */
export async function show(store: CacheStore, address: string): Promise<'fresh' | 'stale' | 'none'> {
  const { found, stamp } = await store.read(address);
  assert.ok(stamp !== undefined, 'the store is not available');
  return found?.state ?? 'none';
}
