import type { EntryDraft } from '../cache/entry.ts';
import type { Lookup } from '../cache/store.ts';
import { entryKey, keyPurge } from '../cache/tags.ts';
import { toTtlMs, type Ttl } from '../core/duration.ts';
import { RedisError } from '../core/errors.ts';
import { matchesGlob } from '../core/glob.ts';
import { inBatches } from '../core/in-batches.ts';
import { type Encoded, UNREADABLE } from '../codec/codec.ts';
import type { CacheKey, DataCache } from './data-cache.ts';
import { keptAs, lifetimeOf } from './freshness.ts';
import { addressOf, type KeySpace } from './key-space.ts';
import { type KeepSettings, schemaOf, type SettingsOf } from './settings.ts';
import type { StandardSchema } from './schema.ts';
import type { DataState } from './state.ts';

/** So many are sent at a time: the connection has a bound for what is unanswered. */
const AT_ONCE = 1_000;
/** So often what others change meanwhile is looked at again. */
const MAX_ROUNDS = 10;

type Operations = Omit<
  DataCache,
  'getOrSet' | 'getOrSetMany' | 'namespace' | 'explain' | 'increment' | 'decrement' | 'counter'
>;

/** Everything that is about values by key and loads nothing. */
export function createOperations(state: DataState, space: KeySpace, settingsOf: SettingsOf): Operations {
  const { store, values, codec, counters } = state;
  const { register } = store;

  /** A fresh value; {@link UNREADABLE} when there is none. */
  function valueIn({ found }: Lookup, schema: StandardSchema | undefined): unknown {
    return found?.state === 'fresh' ? values.ofEntry(found.entry, schema) : UNREADABLE;
  }

  async function toResult(key: string, lookup: Lookup, schema: StandardSchema | undefined): Promise<unknown> {
    const value = await valueIn(lookup, schema);
    if (value === UNREADABLE || lookup.found === undefined) {
      state.tellMissed(key, lookup.stamp !== undefined);
      return undefined;
    }
    state.tellServed(lookup.found, key);
    return value;
  }

  function encode(key: string, value: unknown): Encoded | Promise<Encoded> {
    let cause: unknown;
    const encoded = codec.encode(value, (error) => {
      cause = error;
    });
    if (encoded === undefined)
      throw new TypeError(`"${key}": the value cannot be stored (a function, a promise, a cycle).`, { cause });
    return codec.pack(encoded);
  }

  function draftOf(
    key: string,
    { flags, body }: Encoded,
    settings: KeepSettings,
    stamp: EntryDraft['stamp'],
  ): EntryDraft {
    const lifetime = lifetimeOf(settings);
    return {
      key: entryKey('d', key),
      tags: settings.tags,
      stamp,
      flags,
      body,
      computeMs: 0,
      metadata: '',
      ...lifetime,
    };
  }

  /** Stores what is so. Where that fails the former value must not outlive it. */
  async function put(key: string, encoding: Encoded | Promise<Encoded>, settings: KeepSettings): Promise<boolean> {
    const encoded = await encoding;
    const stamp = (await register.refresh()) ? register.stamp() : undefined;
    const isStored = stamp !== undefined && (await store.put(addressOf(key), draftOf(key, encoded, settings, stamp)));
    if (isStored) state.tellStored(key);
    else register.owe([keyPurge('d', key)]);
    return isStored;
  }

  async function remove(key: string): Promise<void> {
    const address = addressOf(key);
    try {
      await Promise.all([store.remove(address), counters.remove(address)]);
    } catch (error) {
      register.owe([keyPurge('d', key)]);
      throw error;
    }
  }

  async function freshHead(key: string): Promise<Lookup['found']> {
    const { found } = await store.read(addressOf(key), 'head');
    return found?.state === 'fresh' ? found : undefined;
  }

  return {
    async get<T>(key: CacheKey, options?: Parameters<DataCache['get']>[1]) {
      const schema = schemaOf(options);
      const full = space.full(key);
      const reading = store.read(addressOf(full));
      return toResult(full, reading instanceof Promise ? await reading : reading, schema) as Promise<T | undefined>;
    },
    async getMany<T>(keys: readonly CacheKey[], options?: Parameters<DataCache['getMany']>[1]) {
      const schema = schemaOf(options);
      const full = keys.map(space.full);
      const lookups = await store.readMany(full.map(addressOf));
      return Promise.all(lookups.map((lookup, i) => toResult(full[i] ?? '', lookup, schema) as Promise<T | undefined>));
    },
    async has(key) {
      return (await freshHead(space.full(key))) !== undefined;
    },
    async set(key, value, options) {
      const settings = keptAs(value, settingsOf.keep(options, key));
      const full = space.full(key);
      return put(full, encode(full, value), settings);
    },
    async setMany(entries, options) {
      const pairs =
        Symbol.iterator in entries ? [...(entries as Iterable<readonly [CacheKey, unknown]>)] : Object.entries(entries);
      // All are checked before the first is stored.
      const encoded = pairs.map(([key, value]) => {
        const full = space.full(key);
        return { full, encoding: encode(full, value), settings: keptAs(value, settingsOf.keep(options, key)) };
      });
      const last = new Map(encoded.map((each) => [each.full, each])); // Compressing may take the former of two longer.
      const stored = await inBatches(
        [...last.values()],
        (each) => put(each.full, each.encoding, each.settings),
        AT_ONCE,
      );
      return stored.every(Boolean);
    },
    async setIfAbsent(key, value, options) {
      const settings = keptAs(value, settingsOf.keep(options, key));
      const full = space.full(key);
      const address = addressOf(full);
      const encoded = await encode(full, value);
      for (let round = 0; round < MAX_ROUNDS; round++) {
        const lookup = await store.read(address);
        if (lookup.stamp === undefined)
          throw new RedisError('set if absent', 'Redis did not say whether there is a value.');
        if ((await valueIn(lookup, undefined)) !== UNREADABLE) return false;
        if (await store.putIfSeen(address, draftOf(full, encoded, settings, lookup.stamp), lookup.bytes)) {
          state.tellStored(full);
          return true;
        }
      }
      throw new RedisError('set if absent', `"${full}" changed all the time, or there is no room for it.`);
    },
    delete: async (key) => remove(space.full(key)),
    async deleteMany(keys) {
      await inBatches(keys.map(space.full), remove, AT_ONCE);
    },
    async ttl(key) {
      const found = await freshHead(space.full(key));
      return found && found.entry.freshMs - found.ageMs;
    },
    async expire(key: CacheKey, ttl: Ttl) {
      const freshMs = toTtlMs(ttl, 'ttl');
      return renew(space.full(key), () => freshMs);
    },
    touch: async (key) => renew(space.full(key), ({ freshMs }) => freshMs),
    async clear() {
      await register.invalidate([{ mode: 'hard', kind: 'prefix', value: entryKey('d', space.prefix) }]);
      state.events.tell('cache:cleared', { prefix: space.prefix });
    },
    async *keys(pattern = '*') {
      const start = space.full(literalStart(pattern));
      for await (const page of store.list(entryKey('d', start))) {
        for (const address of page) {
          const key = address.slice(entryKey('d', space.prefix).length);
          if (matchesGlob(pattern, key)) yield key;
        }
      }
    },
  };

  async function renew(key: string, lifetimeMs: (entry: { readonly freshMs: number }) => number): Promise<boolean> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const found = await freshHead(key);
      if (found === undefined) return false;
      const { entry } = found;
      const lifetime = { freshMs: lifetimeMs(entry), staleMs: entry.staleMs };
      if (await store.renew(addressOf(key), entry.bytes, lifetime)) return true;
    }
    return false;
  }
}

/** What all texts begin with that a pattern matches. */
function literalStart(pattern: string): string {
  return /^[^*?\\[]*/.exec(pattern)?.[0] ?? '';
}
