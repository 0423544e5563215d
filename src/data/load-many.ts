import { createBatch } from './batch.ts';
import type { LoaderOfMany } from './data-cache.ts';
import { addressOf, type KeySpace } from './key-space.ts';
import type { LoadRequest } from './load.ts';
import { answer } from './read-through.ts';
import type { LoadSettings } from './settings.ts';
import type { DataState } from './state.ts';

/** Reads many keys at once and loads those that are missing by one call. Each goes the way of a single one: shared loads, leases, what stands in. */
export async function loadMany<T>(
  state: DataState,
  space: KeySpace,
  {
    keys,
    load,
    settings,
  }: { readonly keys: readonly string[]; readonly load: LoaderOfMany<T>; readonly settings: LoadSettings<T> },
): Promise<(T | undefined)[]> {
  const full = keys.map(space.full);
  const distinct = [...new Set(full)];
  const batch = createBatch<T>(distinct, load, (key) => key.slice(space.prefix.length));
  const lookups = await state.store.readMany(distinct.map(addressOf));
  const values = await Promise.all(
    distinct.map(async (key, i) => {
      const pass = (): void => batch.pass(key);
      const request: LoadRequest<T> = { key, address: addressOf(key), settings, load: batch.load, onWait: pass };
      try {
        return await answer(state, request, lookups[i] ?? {});
      } finally {
        pass();
      }
    }),
  );
  const byKey = new Map(distinct.map((key, i) => [key, values[i]]));
  return full.map((key) => byKey.get(key));
}
