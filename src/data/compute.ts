import type { EntryDraft } from '../cache/entry.ts';
import { entryKey } from '../cache/tags.ts';
import type { Dependencies } from '../register/ledger.ts';
import type { Stamp } from '../register/mirror.ts';
import type { Audience } from './audience.ts';
import { type Claim, claim, type ClaimMode } from './claims.ts';
import { UNREADABLE } from '../codec/codec.ts';
import type { Computed, Party } from './computed.ts';
import { type Loaded, type LoadRequest, runLoader, type StoredValue } from './load.ts';
import type { KeepSettings } from './settings.ts';
import type { DataState } from './state.ts';

/** Where a computation begins. */
export interface ComputeOrigin {
  readonly stamp: Stamp;
  /** What the lookup found at the address. */
  readonly seen: Buffer | undefined;
  readonly basis: StoredValue | undefined;
  readonly mode: ClaimMode;
}

const NEVER = { generation: 0, clock: 0 };

/** Computes a value once it is this process' turn, and stores it; `again`: another process has been quicker. */
export async function compute<T>(
  state: DataState,
  request: LoadRequest<T>,
  { stamp, seen, basis, mode }: ComputeOrigin,
  party: Party,
): Promise<Computed | 'again'> {
  const { address } = request;
  const onWait = (): void => request.onWait?.();
  const { store, leases } = state;
  const claimed = await claim(store, leases, { address, seen, mode, stamp, known: knownOf(request), onWait });
  if (claimed === 'again') return 'again';
  if (party.audience.hasLeft) {
    claimed.settle('left'); // While it waited for its turn.
    return 'again';
  }
  party.claim = claimed;
  try {
    const loaded = await runLoader(request, { stamp, basis, signal: () => party.audience.signal }, state);
    return commit(state, request, { loaded, stamp, claimed });
  } catch (error) {
    claimed.settle('failed');
    throw error;
  } finally {
    party.audience.close();
  }
}

/** What is known to invalidate a value before it is computed. */
export function knownOf({
  key,
  settings,
}: Pick<LoadRequest, 'key'> & { readonly settings: KeepSettings }): Dependencies {
  return { key: entryKey('d', key), tags: settings.tags };
}

/** Computes a value that cannot be stored now: what it depends on cannot be watched. */
export async function computeUnstored<T>(
  state: DataState,
  request: LoadRequest<T>,
  audience: Audience,
): Promise<Computed> {
  try {
    const origin = { stamp: NEVER, basis: undefined, signal: () => audience.signal };
    const loaded = await runLoader(request, origin, state);
    return {
      ...shareable(state, loaded),
      written: Promise.resolve(false),
      isValid: () => false,
    };
  } finally {
    audience.close();
  }
}

function commit(
  state: DataState,
  { address, key }: Pick<LoadRequest, 'address' | 'key'>,
  { loaded, stamp, claimed }: { readonly loaded: Loaded; readonly stamp: Stamp; readonly claimed: Claim },
): Computed {
  const { store } = state;
  const written = write(state, { address, key }, loaded, claimed);
  return {
    ...shareable(state, loaded),
    written,
    isValid: () => store.register.judge(stamp, () => ({ key: entryKey('d', key), tags: loaded.tags })) === 'valid',
  };
}

function shareable({ values }: DataState, { stored, value }: Loaded): Pick<Computed, 'take'> {
  return {
    take(schema) {
      if (stored === undefined) return value;
      const taken = values.ofEncoded(stored.encoded, schema);
      // What its own schema refuses, or its own serializer cannot read, is still what the loader has made.
      const orValue = (decoded: unknown): unknown => (decoded === UNREADABLE ? value : decoded);
      return taken instanceof Promise ? taken.then(orValue) : orValue(taken);
    },
  };
}

/** Stores it, and tells those who wait in other processes behind that. Never rejects. */
async function write(
  state: DataState,
  { address, key }: Pick<LoadRequest, 'address' | 'key'>,
  { stored, refusal }: Loaded,
  { version, settle }: Claim,
): Promise<boolean> {
  if (refusal !== undefined) state.tellUnstorable(key, refusal);
  if (stored === undefined || version === undefined) {
    settle('refused');
    return false;
  }
  const packed = state.codec.pack(stored.encoded);
  const encoded = packed instanceof Promise ? await packed : packed;
  const draft: EntryDraft = { ...stored.draft, ...encoded };
  const writing = state.store.write(address, draft, version);
  settle('stored'); // In the same trip, behind it.
  const isStored = await writing;
  if (isStored) state.tellStored(key);
  return isStored;
}
