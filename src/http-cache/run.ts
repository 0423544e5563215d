import { entryKey } from '../cache/tags.ts';
import type { EntryDraft } from '../cache/entry.ts';
import type { Lease, LeaseOutcome } from '../cache/leases.ts';
import { inTime, within } from '../core/deadline.ts';
import { hasUsedSession } from '../core/request-marks.ts';
import type { Dependencies } from '../register/ledger.ts';
import type { Stamp } from '../register/mirror.ts';
import type { Forward } from './cache-status.ts';
import { compressBody } from './compress.ts';
import { wholeFor } from './content.ts';
import { type Exchange, isOver, tell } from './exchange.ts';
import { recordFill } from './fill.ts';
import { attachHandle } from './handle.ts';
import { completionOf } from './partial.ts';
import type { Fill, FillOutcome } from './reception.ts';
import type { Recorded } from './recorded.ts';
import { flagsOf } from './response-head.ts';
import { validationOf } from './revalidate.ts';
import type { Outcome, SharedResponse } from './shared.ts';
import type { Stored } from './stale.ts';
import { isTracked, track } from './track.ts';
import { warnOfSession, warnOfUndeclared } from './undeclared.ts';
import type { Located } from './vary.ts';

/** A request waits for another's answer so long at most, then runs its own handler. */
const MAX_WAIT_MS = 5_000;

/** A handler run that a lookup has led to. */
export interface Run {
  readonly lookup: Located;
  readonly stamp: Stamp;
  readonly forward: Forward;
  /** What is stored and may not be sent as it is. */
  readonly basis: Stored | undefined;
}

/** Who is told what becomes of a handler run. */
export interface Sharing {
  /** Requests of this process, as soon as the handler has ended. */
  share(outcome: Outcome): void;
  /** Other processes, once a response is on its way to the store. */
  settle(outcome: LeaseOutcome): void;
}

const NOBODY: Sharing = { share: () => undefined, settle: () => undefined };

/** Runs the handler; requests that come meanwhile wait for what it answers, in this process and in others. */
export function lead(exchange: Exchange, run: Run, again: () => Promise<void>): void | Promise<void> {
  const share = beginFlight(exchange, run.stamp);
  if (exchange.state.backend.leases === undefined || exchange.config.coalesce === 'process') {
    return withWholeBasis(exchange, run, (whole) => runHandler(exchange, whole, { ...NOBODY, share }));
  }
  return claim(exchange, run.lookup).then((claimed) => {
    if (claimed === 'again' || claimed === 'refused') share(claimed);
    if (claimed === 'again') return again();
    const sharing = claimed === 'refused' ? NOBODY : { share, settle: claimed.settle };
    return withWholeBasis(exchange, run, (whole) => runHandler(exchange, whole, sharing));
  });
}

/** What was read in part, or is compressed for others, is made whole before it is validated: it will be stored again, or sent. */
export function withWholeBasis(
  exchange: Exchange,
  run: Run,
  go: (run: Run) => void | Promise<void>,
): void | Promise<void> {
  const { basis, lookup } = run;
  const whole = basis && wholeFor(exchange, basis, lookup);
  return whole instanceof Promise ? whole.then((read) => go({ ...run, basis: read })) : go(run);
}

/** Others may join from now on, until the returned function says what became of it. */
export function beginFlight({ config, key, state, flightKey }: Exchange, stamp: Stamp): (outcome: Outcome) => void {
  let share: (outcome: Outcome) => void = () => undefined;
  const shared = new Promise<Outcome>((resolve) => {
    share = resolve;
  });
  // A flight that takes longer ends for others, so that a handler that never answers holds back only those who came with it.
  const outcome = within<Outcome>(MAX_WAIT_MS, shared, 'refused');
  const end = state.flights.begin(flightKey, { stamp, known: knownOf(key, config) }, outcome);
  outcome.then(end, end);
  return share;
}

/** What is known to invalidate a response before its handler has run. */
function knownOf(key: Exchange['key'], { tags }: Exchange['config']): Dependencies {
  return { key: entryKey('h', key.name), tags: typeof tags === 'function' ? [] : tags };
}

/** Becomes the one that computes, over all processes; or learns that another has stored a response (`again`), or has none that can be shared or takes too long (`refused`). */
export async function claim(
  { state, group, flightKey, key, config }: Exchange,
  lookup: Located,
): Promise<Pick<Sharing, 'settle'> | 'again' | 'refused'> {
  const giveUpAt = performance.now() + MAX_WAIT_MS;
  const { leases } = state.backend;
  if (leases === undefined) return NOBODY;
  const { address, bytes, stamp } = lookup;
  const known = knownOf(key, config);
  const isOfUse = (theirs: Stamp): boolean => state.backend.store.register.judge(theirs, () => known) === 'valid';
  for (let deadlineAt = lookup.deadlineAt; performance.now() < giveUpAt;) {
    const lease = await askInTime(leases.ask(address, { group, seen: bytes, stamp, isOfUse }), deadlineAt);
    deadlineAt = Infinity; // From now on others are waited for, and each question has a deadline of its own.
    if (lease.state === 'changed') return 'again';
    if (lease.state === 'mine') return lease;
    if (lease.state === 'unavailable') return NOBODY;
    const ended = await lease.ended;
    if (ended === 'stored' || ended === 'left') return 'again';
    if (ended === 'refused') state.uncacheable.set(flightKey, true);
    if (ended === 'refused' || ended === 'failed') return 'refused';
  }
  return 'refused';
}

/** Lookup and lease have one deadline; what comes later is given back. */
async function askInTime(asked: Promise<Lease>, deadlineAt: number): Promise<Lease> {
  let isLate = false;
  void asked.then((lease) => isLate && lease.state === 'mine' && lease.settle('left'));
  const lease = await inTime<Lease>(deadlineAt, asked, { state: 'unavailable' });
  isLate = true;
  return lease;
}

/** Runs the handler for this request. */
export function runHandler(exchange: Exchange, run: Run, sharing: Sharing = NOBODY): void {
  const { req, res, config } = exchange;
  if (isOver(res)) {
    sharing.share('again');
    sharing.settle('left');
    return;
  }
  tell(exchange, 'misses', 'cache:miss');
  const fill: Fill = {
    exchange,
    stamp: run.stamp,
    forward: run.forward,
    address: run.lookup.address,
    varyNames: run.lookup.varyNames ?? [],
    basis: run.basis,
    asked: askedOf(exchange, run),
    tracker: isTracked(config) ? track(req, res, config) : undefined,
    wishes: attachHandle(res),
  };
  recordFill(fill, outcomeOf(fill, sharing));
  exchange.next();
}

/** Runs the handler of a request that nothing stored can answer; what it answers is stored by the caller. */
export function runUnshared(
  exchange: Exchange,
  { stamp, forward }: Pick<Run, 'stamp' | 'forward'>,
  onRecorded: (response: Recorded) => void,
): void {
  const { res, state } = exchange;
  tell(exchange, 'bypasses', 'cache:bypass');
  const nothing = { basis: undefined, asked: undefined, tracker: undefined };
  const fill: Fill = {
    exchange,
    stamp,
    forward,
    address: exchange.key.address,
    varyNames: [],
    ...nothing,
    wishes: attachHandle(res),
  };
  recordFill(fill, {
    recorded(response) {
      state.uncacheable.delete(exchange.flightKey);
      onRecorded(response);
    },
    refused: () => undefined,
    abandoned: () => undefined,
    failed: () => undefined,
  });
  exchange.next();
}

/** Stores a response that was recorded by {@link runUnshared}. */
export function storeLate(exchange: Exchange, response: Recorded): void {
  store(exchange, locate(exchange, response), NOBODY.settle);
}

/** Asks the handler to validate or complete what is stored. A client's own Cache-Control would make Express answer in full. */
function askedOf({ req, config }: Exchange, { basis }: Run): Fill['asked'] {
  if (basis === undefined) return undefined;
  const isForAll = req.method !== 'HEAD' && req.headers.range === undefined;
  const completion = isForAll ? completionOf(basis.head, config.maxBytes) : undefined;
  const asked = validationOf(basis.head) ?? completion;
  if (asked === undefined || config.policy.forwardsDirectives) return asked;
  return { ...asked, 'cache-control': undefined, pragma: undefined };
}

function outcomeOf(fill: Fill, { share, settle }: Sharing): FillOutcome {
  const { exchange, tracker } = fill;
  const { state, flightKey, req } = exchange;
  const warn = (varyNames: readonly string[]): void => {
    if (!state.isDevelopment) return;
    if (hasUsedSession(req)) warnOfSession(exchange.route);
    else if (tracker !== undefined) warnOfUndeclared(exchange.route, tracker, varyNames);
  };
  return {
    recorded(response) {
      const shared = locate(exchange, response);
      warn(response.varyNames);
      if (!mayBeShared(shared)) {
        share('refused');
        return store(exchange, shared, () => settle('refused'));
      }
      state.uncacheable.delete(flightKey);
      state.landed.set(flightKey, { response: shared, landedAt: performance.now() });
      share(shared);
      store(exchange, shared, settle);
    },
    refused(isFinal) {
      // Of what one client did not want stored others may want it.
      const isOfResponse = isFinal && !exchange.directives.noStore;
      if (isOfResponse && req.method === 'GET' && req.headers.range === undefined)
        state.uncacheable.set(flightKey, true);
      share('refused');
      settle(isFinal ? 'refused' : 'failed');
      warn([]);
    },
    abandoned() {
      share('again');
      settle('left');
    },
    failed() {
      state.refreshPaused.set(flightKey, true);
      share('failed');
      settle('failed');
    },
  };
}

/** What is stale as it comes is one request's answer: whoever else wants it has to ask (RFC 9111 §4). */
function mayBeShared({ draft, head }: SharedResponse): boolean {
  return draft.freshMs > 0 || (head.staleWhileRevalidate ?? 0) > -draft.freshMs;
}

/** Its place; where it varies, the place of its variant. */
function locate({ key }: Exchange, response: Recorded): SharedResponse {
  const { varyNames } = response;
  return { ...response, address: varyNames.length === 0 ? key.address : key.variant(varyNames) };
}

/** Stores a response, with a marker in the place of its key where it varies, and tells other processes behind that. */
function store(exchange: Exchange, shared: SharedResponse, settle: Sharing['settle']): void {
  const { key, state, config } = exchange;
  const { store: cacheStore } = state.backend;
  const { varyNames, address, draft } = shared;
  if (!state.variants.hasRoom(key, varyNames, config.maxVariants)) return settle('refused');
  const knownMs = state.variants.learn(key, varyNames, draft.freshMs + draft.staleMs);
  const write = (written: EntryDraft): void => {
    // Nobody waits: the command is on its way before the last byte of the response, so this process' next read comes behind it.
    const writing = cacheStore.write(address, written);
    void writing.then((isStored) => isStored && tell(exchange, 'stores', 'cache:store'));
    if (varyNames.length === 0) return settle('stored');
    // As long as the longest-lived variant.
    const lifetime = { staleMs: Math.max(written.staleMs, knownMs - written.freshMs) };
    const marker = {
      ...written,
      ...lifetime,
      flags: flagsOf.marker,
      metadata: varyNames.join(),
      body: Buffer.alloc(0),
    };
    // On Cluster these are different nodes: only their answers tell that both are in place.
    void Promise.all([writing, cacheStore.write(key.address, marker)]).then(() => settle('stored'));
  };
  if (shared.body.length < config.compressBytes || shared.head.coding !== undefined) return write(draft);
  packDraft(shared, config.compressBytes).then(write, () => write(draft));
}

async function packDraft({ head, body, draft }: SharedResponse, minBytes: number): Promise<EntryDraft> {
  const packed = await compressBody(head, body, minBytes);
  if (packed.coding === undefined) return draft;
  const metadata = JSON.stringify({ ...head, coding: packed.coding, size: body.length });
  return { ...draft, metadata, body: packed.body };
}
