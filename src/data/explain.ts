import { decodeEntry, dependenciesOf, type Entry } from '../cache/entry.ts';
import type { Lookup } from '../cache/store.ts';
import type { Explanation } from './data-cache.ts';
import { isSoftlyPurged } from './freshness.ts';
import { addressOf } from './key-space.ts';
import type { DataState } from './state.ts';

/** Says what is known about a key. */
export async function explain(state: DataState, key: string): Promise<Explanation> {
  const address = addressOf(key);
  const isInMemory = state.leases === undefined || state.tier?.get(address) !== undefined;
  const lookup = await state.store.read(address);
  if (lookup.stamp === undefined) {
    return { state: 'unavailable', reason: 'Redis is away: loaders run, nothing is stored.', tier: undefined };
  }
  const entry = lookup.bytes && decodeEntry(lookup.bytes, 'head');
  if (entry === undefined) {
    const reason = lookup.bytes === undefined ? 'Nothing is stored.' : 'What is stored was written by another version.';
    return { state: 'absent', reason, tier: undefined };
  }
  return { ...verdictOf(state, entry, lookup), ...factsOf(state, entry), tier: isInMemory ? 'memory' : 'redis' };
}

function verdictOf(
  { store }: DataState,
  entry: Entry,
  { found }: Lookup,
): Pick<Explanation, 'state' | 'reason' | 'invalidatedBy'> {
  const hits = store.register.blame(entry, () => dependenciesOf(entry));
  if (found?.state === 'fresh') return { state: 'fresh', reason: 'It is returned.' };
  if (found !== undefined) {
    return isSoftlyPurged(found)
      ? {
          state: 'stale',
          reason: `Softly invalidated by ${hits.join(', ')}: getOrSet returns it and loads it anew behind.`,
          invalidatedBy: hits,
        }
      : { state: 'stale', reason: 'Past its lifetime: kept for staleWhileRevalidate or failSafe.' };
  }
  if (hits.length > 0) return { state: 'invalid', reason: `Invalidated by ${hits.join(', ')}.`, invalidatedBy: hits };
  return { state: 'stale', reason: 'Past its lifetime: no longer returned.' };
}

function factsOf({ store }: DataState, entry: Entry): Partial<Explanation> {
  const ageMs = Math.max(0, store.register.now() - entry.storedAt);
  const validator = entry.metadata.toString();
  return {
    ageMs,
    ttlMs: entry.freshMs - ageMs,
    tags: dependenciesOf(entry).tags,
    bytes: entry.bodyBytes,
    computeMs: entry.computeMs,
    validator: validator === '' ? undefined : validator,
  };
}
