import { expireAfter } from '../core/deadline.ts';
import type { Lookup } from '../cache/store.ts';
import { createAudience } from './audience.ts';
import { UNREADABLE } from '../codec/codec.ts';
import { compute, computeUnstored, knownOf } from './compute.ts';
import type { Computed, Party } from './computed.ts';
import { MAX_SHARED_MS } from './claims.ts';
import { decide, mayStandIn } from './freshness.ts';
import { type LoadRequest, StoredValue } from './load.ts';
import { waitFor } from './patience.ts';
import type { DataState } from './state.ts';

/** How often a caller looks again at what others have computed, before he computes for himself. */
const MAX_ROUNDS = 5;
/** What takes longer is not stored: nobody has to finish it. */
const MAX_LOAD_MS = 120_000;

/** One caller of a load. */
interface Caller {
  /** Takes him out of the audience of the load he waits for. */
  leave(): void;
}

/** Where a lookup has led to. */
class Position<T> {
  readonly lookup: Lookup;
  readonly stored: StoredValue<T> | undefined;
  constructor(lookup: Lookup, stored: StoredValue<T> | undefined) {
    this.lookup = lookup;
    this.stored = stored;
  }
}

/** The value of a request whose lookup has been made: stored, or loaded. */
export function answer<T>(state: DataState, request: LoadRequest<T>, lookup: Lookup): T | Promise<T> {
  const stored = storedOf<T>(state, request, lookup);
  return stored instanceof Promise
    ? stored.then((value) => answerFrom(state, request, new Position(lookup, value)))
    : answerFrom(state, request, new Position(lookup, stored));
}

/** What a lookup has found, read; `undefined` when there is none, or it cannot be read. */
function storedOf<T>(
  { values }: DataState,
  { settings }: Pick<LoadRequest<T>, 'settings'>,
  { found }: Lookup,
): StoredValue<T> | undefined | Promise<StoredValue<T> | undefined> {
  if (found === undefined) return undefined;
  const toStored = (value: unknown): StoredValue<T> | undefined =>
    value === UNREADABLE ? undefined : new StoredValue(found, value as T);
  const value = values.ofEntry(found.entry, settings.schema);
  return value instanceof Promise ? value.then(toStored) : toStored(value);
}

function answerFrom<T>(state: DataState, request: LoadRequest<T>, position: Position<T>): T | Promise<T> {
  const { stored } = position;
  const { settings, address, key } = request;
  const decision = stored === undefined ? 'load' : decide(stored.found, settings);
  if (stored !== undefined && decision !== 'load') {
    state.tellServed(stored.found, key);
    if (decision === 'serve-and-refresh') refreshBehind(state, request, position);
    return stored.value;
  }
  const standIn = stored !== undefined && !settings.fresh && mayStandIn(stored.found, settings) ? stored : undefined;
  if (standIn !== undefined && state.paused.has(address)) {
    state.tellServed(standIn.found, key);
    return standIn.value;
  }
  const caller: Caller = { leave: () => undefined };
  const onLateFailure = (error: unknown): void => {
    if (settings.signal?.aborted !== true || error !== settings.signal.reason) state.pause(request, error);
  };
  const { softMs, hardMs, signal } = settings; // Copying all of it would take longer than anything else here.
  const patience = { softMs, hardMs, signal, key, standIn, onLeave: () => caller.leave(), onLateFailure };
  return waitFor(obtain(state, request, position, caller), patience).catch((error: unknown) => {
    if (standIn === undefined || settings.signal?.aborted === true) throw error;
    state.pause(request, error);
    return standIn.value;
  });
}

/** Loads a value or waits for another's load, until there is one to be returned. */
async function obtain<T>(state: DataState, request: LoadRequest<T>, first: Position<T>, caller: Caller): Promise<T> {
  for (let position = first, round = 0; ; round++) {
    request.settings.signal?.throwIfAborted(); // He waits no more, so he begins nothing either.
    const computed = await join(state, request, position, { caller, round });
    if (computed !== 'again') return (await computed.take(request.settings.schema)) as T;
    const lookup = await state.store.read(request.address);
    const stored = await storedOf<T>(state, request, lookup);
    if (stored !== undefined && decide(stored.found, request.settings) !== 'load') return stored.value;
    position = new Position(lookup, stored);
  }
}

/** One attempt: another's load if there is one that may be shared, else a new one. */
async function join<T>(
  state: DataState,
  request: LoadRequest<T>,
  { lookup, stored }: Position<T>,
  { caller, round }: { readonly caller: Caller; readonly round: number },
): Promise<Computed | 'again'> {
  const { address, key, settings } = request;
  if (round === 0) state.tellMissed(key, lookup.stamp !== undefined);
  if (lookup.stamp === undefined) return loadUnstored(state, request);
  const isLast = round >= MAX_ROUNDS;
  const flight = settings.fresh || isLast ? undefined : state.flights.find(address);
  const party = flight && state.parties.get(flight.outcome);
  const share = party === undefined ? 'no' : await mayShare(state, address, party);
  settings.signal?.throwIfAborted();
  if (share === 'unknown') return loadUnstored(state, request);
  if (flight === undefined || party === undefined || share === 'no' || party.audience.hasLeft) {
    const mode = settings.fresh || isLast || settings.coalesce === 'process' ? 'alone' : 'wait';
    const own: Party = { audience: createAudience(MAX_LOAD_MS) };
    caller.leave = own.audience.enter();
    return begin(state, request, { stamp: lookup.stamp, seen: lookup.bytes, basis: stored, mode }, own);
  }
  caller.leave = party.audience.enter();
  request.onWait?.();
  const computed = await flight.outcome;
  // Absent when it takes too long to be waited for: one of those who did begins another.
  return typeof computed === 'object' && computed.isValid() ? computed : 'again';
}

/** Loads without the store, one at a time. */
function loadUnstored<T>(state: DataState, request: LoadRequest<T>): Promise<Computed> {
  const load = (): Promise<Computed> => computeUnstored(state, request, createAudience(MAX_LOAD_MS));
  return state.turnstile.share(request.address, load, request.onWait);
}

/** Whether a caller may be given what a computation makes: not if it began before something was set or deleted which he must see. */
async function mayShare(
  { store }: DataState,
  address: string,
  { claim, audience }: Party,
): Promise<'yes' | 'no' | 'unknown'> {
  if (audience.hasLeft) return 'no'; // Its loader is told to stop.
  if (claim === undefined) return 'yes'; // It begins after he has asked.
  if (claim.version === undefined) return 'unknown';
  const version = await store.version(address);
  if (version === undefined) return 'unknown';
  return version === claim.version ? 'yes' : 'no';
}

/** Begins a load that others of this process may share. */
function begin<T>(
  state: DataState,
  request: LoadRequest<T>,
  origin: Parameters<typeof compute>[2],
  party: Party,
): Promise<Computed | 'again'> {
  const outcome = compute(state, request, origin, party);
  const shared = expireAfter<Computed | 'again' | undefined>(MAX_SHARED_MS, outcome, undefined);
  const end = state.flights.begin(request.address, { stamp: origin.stamp, known: knownOf(request) }, shared);
  state.parties.set(shared, party);
  // A lookup that was sent before the value was stored finds nothing and joins: the flight lasts until it is stored.
  outcome.then((computed) => (computed === 'again' ? end() : void computed.written.then(end)), end);
  void shared.then((computed) => computed ?? end(), end);
  return outcome;
}

/** Loads anew what was returned, once at a time over all processes. Where it fails a moment passes before the next attempt. */
function refreshBehind<T>(state: DataState, request: LoadRequest<T>, { lookup, stored }: Position<T>): void {
  const { address, settings } = request;
  if (lookup.stamp === undefined || state.paused.has(address) || state.flights.find(address) !== undefined) return;
  const party: Party = { audience: createAudience(MAX_LOAD_MS) };
  party.audience.enter();
  const mode = settings.coalesce === 'process' ? 'alone' : 'give-way';
  begin(state, request, { stamp: lookup.stamp, seen: lookup.bytes, basis: stored, mode }, party).catch(
    (error: unknown) => state.pause(request, error),
  );
}
