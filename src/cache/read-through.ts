import { expireAfter } from '../core/deadline.ts';
import type { Dependencies } from '../register/ledger.ts';
import type { Stamp } from '../register/mirror.ts';
import type { EntryDraft } from './entry.ts';
import { createFlights } from './flights.ts';
import type { CacheStore, Found } from './store.ts';

/** One cache-aside read. */
export interface ReadThrough<T> {
  readonly address: string;
  readonly dependencies: Dependencies;
  readonly load: () => T | Promise<T>;
  /** What is stored for a loaded value; `undefined` when it cannot be. */
  toDraft(value: T, stamp: Stamp, computeMs: number): EntryDraft | undefined;
  /** The value of a stored body; `undefined` when it cannot be read, which counts as a miss. */
  fromBody(body: Buffer): T | undefined;
  write(draft: EntryDraft, version: string): Promise<boolean>;
  onServed(found: Found): void;
  onMissed(isAvailable: boolean): void;
}

/** The moment a load begins. */
interface Origin {
  readonly stamp: Stamp;
  readonly version: string;
}

interface Loaded {
  readonly value: unknown;
  /** Absent when the value cannot be stored, nor shared but by reference. */
  readonly draft: EntryDraft | undefined;
  readonly written: Promise<boolean>;
}

/** A load that takes longer is not waited for by others, who load for themselves: it may never end. */
const MAX_SHARED_MS = 30_000;
/** How often a caller joins another's load that turns out to be invalidated, before it loads for itself. */
const MAX_JOINS = 3;

/** Creates the cache-aside read of a store: one load per address and process at a time. */
export function createReadThrough(store: CacheStore): <T>(request: ReadThrough<T>) => Promise<T> {
  const flights = createFlights<Loaded | undefined>(store.register);

  async function lead<T>(request: ReadThrough<T>, origin: Origin): Promise<Loaded> {
    const startedAt = performance.now();
    const value = await request.load();
    const draft = value === undefined ? undefined : request.toDraft(value, origin.stamp, performance.now() - startedAt);
    // Never rejects, and the caller need not wait for it.
    const written = draft === undefined ? Promise.resolve(false) : request.write(draft, origin.version);
    return { value, draft, written };
  }

  function begin<T>(request: ReadThrough<T>, origin: Origin): Promise<Loaded> {
    const outcome = lead(request, origin);
    const shared = expireAfter<Loaded | undefined>(MAX_SHARED_MS, outcome, undefined);
    const end = flights.begin(request.address, { ...origin, known: request.dependencies }, shared);
    // A lookup that was sent before the value was stored finds nothing and joins: the flight lasts until it is stored.
    outcome.then(({ draft, written }) => (draft === undefined ? end() : void written.then(end)), end);
    void shared.then((loaded) => loaded ?? end(), end);
    return outcome;
  }

  /** Where a load begins now; `undefined` when the store cannot be relied on. */
  async function originOf(address: string, stamp: Stamp | undefined): Promise<Origin | undefined> {
    const version = stamp === undefined ? undefined : await store.version(address);
    return stamp === undefined || version === undefined ? undefined : { stamp, version };
  }

  /** Reloads what was served stale, once at a time. The caller has its value; where it fails the next caller tries again. */
  async function refreshBehind<T>(request: ReadThrough<T>, stamp: Stamp | undefined): Promise<void> {
    const origin = await originOf(request.address, stamp);
    if (origin === undefined || flights.find(request.address, origin.version) !== undefined) return;
    await begin(request, origin).catch(() => undefined);
  }

  return async function readThrough<T>(request: ReadThrough<T>): Promise<T> {
    for (let joins = 0; ; joins++) {
      const { found, stamp } = await store.read(request.address);
      const stored = found && request.fromBody(found.entry.body);
      if (found !== undefined && stored !== undefined) {
        request.onServed(found);
        if (found.state === 'stale') void refreshBehind(request, stamp);
        return stored;
      }
      const origin = await originOf(request.address, stamp);
      const flight = origin && joins < MAX_JOINS ? flights.find(request.address, origin.version) : undefined;
      if (flight === undefined) {
        request.onMissed(origin !== undefined);
        if (origin === undefined) return request.load();
        return (await begin(request, origin)).value as T;
      }
      const loaded = await flight.outcome;
      if (loaded === undefined) return request.load();
      const { value, draft } = loaded;
      const shared = draft === undefined ? (value as T) : request.fromBody(Buffer.from(draft.body));
      const isValid = draft === undefined || store.register.judge(draft.stamp, () => draft) === 'valid';
      if (isValid && (shared !== undefined || draft === undefined)) {
        request.onMissed(true);
        return shared as T;
      }
    }
  };
}
