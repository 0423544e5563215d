import { createBatch } from './batch.ts';
import type { LoaderOfMany } from './data-cache.ts';
import { addressOf } from './key-space.ts';
import type { LoadRequest } from './load.ts';
import { answer } from './read-through.ts';
import type { LoadSettings } from './settings.ts';
import type { DataState } from './state.ts';

/** One of many that are read. */
interface Wanted<T> {
  readonly key: string;
  readonly settings: LoadSettings<T>;
}

/** Reads many keys at once and loads those that are missing by one call. Each goes the way of a single one: shared loads, leases, what stands in. */
export async function loadMany<T>(
  state: DataState,
  wanted: readonly Wanted<T>[],
  { load, nameOf }: { readonly load: LoaderOfMany<T>; readonly nameOf: (key: string) => string },
): Promise<(T | undefined)[]> {
  const distinct = [...new Map(wanted.map((each) => [each.key, each])).values()];
  const keys = distinct.map(({ key }) => key);
  const batch = createBatch<T>(keys, load, nameOf);
  const lookups = await state.store.readMany(keys.map(addressOf));
  const values = await Promise.all(
    distinct.map(async ({ key, settings }, i) => {
      const pass = (): void => batch.pass(key);
      const request: LoadRequest<T> = { key, address: addressOf(key), settings, load: batch.load, onWait: pass };
      try {
        return await answer(state, request, lookups[i] ?? {});
      } finally {
        pass();
      }
    }),
  );
  const byKey = new Map(keys.map((key, i) => [key, values[i]]));
  return wanted.map(({ key }) => byKey.get(key));
}
