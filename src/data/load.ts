import { toTtlMs } from '../core/duration.ts';
import type { EntryDraft } from '../cache/entry.ts';
import { dependenciesOf } from '../cache/entry.ts';
import { entryKey, toTags } from '../cache/tags.ts';
import type { Found } from '../cache/store.ts';
import type { Stamp } from '../register/mirror.ts';
import type { Codec, Encoded } from '../codec/codec.ts';
import type { LoadContext, Loader, StaleValue } from './data-cache.ts';
import { keptAs, lifetimeOf } from './freshness.ts';
import type { KeepSettings, LoadSettings } from './settings.ts';

/** A stored value, read. */
export class StoredValue<T = unknown> {
  readonly found: Found;
  readonly value: T;
  constructor(found: Found, value: T) {
    this.found = found;
    this.value = value;
  }
}

/** One call that may load. */
export interface LoadRequest<T = unknown> {
  /** As the caller spelled it. */
  readonly key: string;
  readonly address: string;
  readonly settings: LoadSettings<T>;
  readonly load: Loader<T>;
  /** It is not its turn to load: somebody else does. */
  onWait?(): void;
}

/** A call that needs nothing but its key. */
export class LoadCall<T> implements LoadRequest<T> {
  readonly key: string;
  readonly address: string;
  readonly settings: LoadSettings<T>;
  readonly load: Loader<T>;
  constructor(key: string, address: string, settings: LoadSettings<T>, load: Loader<T>) {
    this.key = key;
    this.address = address;
    this.settings = settings;
    this.load = load;
  }
}

/** What a loader has made. */
export interface Loaded {
  readonly value: unknown;
  /** What depends on what. */
  readonly tags: readonly string[];
  /** Absent when the value is not to be stored, or cannot be. */
  readonly stored?: { readonly encoded: Encoded; readonly draft: Omit<EntryDraft, 'flags' | 'body'> } | undefined;
  /** It should have been stored, but there is no way to write it down. */
  readonly refusal?: { readonly cause: unknown } | undefined;
}

/** What a load starts from. */
export interface LoadOrigin {
  readonly stamp: Stamp;
  /** What is stored and may not be returned as it is. */
  readonly basis: StoredValue | undefined;
  readonly signal: () => AbortSignal;
}

/** What a loader said while it was running. */
interface Wishes {
  tags: readonly string[];
  freshMs: number | undefined;
  isSkipped: boolean;
  validator: string;
  isUnchanged: boolean;
}

/** What loaders share. */
interface LoaderState {
  readonly codec: Codec;
  /** Addresses whose loaders are on the stack now: who asks for one of them would wait for himself. */
  readonly onStack: Set<string>;
}

/** Runs a loader, and says how what it made is to be stored. Its errors pass through. */
export async function runLoader<T>(
  request: LoadRequest<T>,
  origin: LoadOrigin,
  { codec, onStack }: LoaderState,
): Promise<Loaded> {
  const wishes: Wishes = { tags: [], freshMs: undefined, isSkipped: false, validator: '', isUnchanged: false };
  const startedAt = performance.now();
  const value = await callLoader(request, contextOf(request, origin, wishes), onStack);
  const computeMs = performance.now() - startedAt;
  const tags = tagsOf(request, value, wishes, origin.basis);
  const lifetime = lifetimeFor(request.settings, value, wishes);
  if (lifetime === undefined) return { value, tags };
  let refusal: Loaded['refusal'];
  const noteRefusal = (cause: unknown): void => void (refusal = { cause });
  const encoded = unchangedBody(value, wishes, origin.basis) ?? codec.encode(value, noteRefusal);
  if (encoded === undefined) return { value, tags, refusal };
  const key = entryKey('d', request.key);
  const draft = { key, tags, stamp: origin.stamp, computeMs, metadata: wishes.validator, ...lifetime };
  return { value, tags, stored: { encoded, draft } };
}

/** What was confirmed is stored as it was: its value here may be what a schema has made of it. */
function unchangedBody(value: unknown, { isUnchanged }: Wishes, basis: StoredValue | undefined): Encoded | undefined {
  if (!isUnchanged || basis === undefined || value !== basis.value) return undefined;
  const { flags, body } = basis.found.entry;
  return { flags, body };
}

function callLoader<T>(
  { address, load }: LoadRequest<T>,
  context: LoadContext<T>,
  onStack: Set<string>,
): T | Promise<T> {
  onStack.add(address);
  try {
    return load(context);
  } finally {
    onStack.delete(address);
  }
}

function tagsOf<T>(
  { settings, key }: LoadRequest<T>,
  value: T,
  wishes: Wishes,
  basis: StoredValue | undefined,
): readonly string[] {
  const own = toTags(settings.tagsOf?.(value) ?? [], `"${key}"`);
  const former = wishes.isUnchanged && basis !== undefined ? dependenciesOf(basis.found.entry).tags : [];
  if (own.length === 0 && wishes.tags.length === 0 && former.length === 0) return settings.tags;
  return toTags([...settings.tags, ...own, ...wishes.tags, ...former], `"${key}"`);
}

/** How long it is kept; `undefined`: not at all. */
function lifetimeFor(
  settings: KeepSettings,
  value: unknown,
  { isSkipped, freshMs }: Wishes,
): ReturnType<typeof lifetimeOf> | undefined {
  if (isSkipped || (value === undefined && settings.negativeMs === undefined)) return undefined;
  const kept = keptAs(value, settings);
  return lifetimeOf(freshMs === undefined ? kept : { ...kept, freshMs });
}

function contextOf<T>({ key, address }: LoadRequest<T>, { basis, signal }: LoadOrigin, wishes: Wishes): LoadContext<T> {
  const stale = basis === undefined ? undefined : staleOf(basis as StoredValue<T>);
  return {
    key,
    stale,
    get signal() {
      return signal();
    },
    tag(...tags) {
      wishes.tags = toTags([...wishes.tags, ...tags], `"${key}"`);
    },
    ttl(ttl) {
      wishes.freshMs = toTtlMs(ttl, 'ttl');
    },
    skip() {
      wishes.isSkipped = true;
    },
    validator(text) {
      if (typeof text !== 'string') throw new TypeError(`"${address}": a validator is a string.`);
      wishes.validator = text;
    },
    notModified() {
      if (stale === undefined)
        throw new TypeError(`"${key}": notModified() without a stale value. Look at context.stale first.`);
      wishes.isUnchanged = true;
      if (wishes.validator === '') wishes.validator = stale.validator ?? '';
      return stale.value;
    },
  };
}

function staleOf<T>({ found, value }: StoredValue<T>): StaleValue<T> {
  const validator = found.entry.metadata.toString();
  return { value, ageMs: found.ageMs, validator: validator === '' ? undefined : validator };
}
