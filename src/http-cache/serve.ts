import { LRUCache } from 'lru-cache';
import type { Entry } from '../cache/entry.ts';
import type { Found, Lookup } from '../cache/store.ts';
import { entryKey, urlTag } from '../cache/tags.ts';
import { within } from '../core/deadline.ts';
import type { Stamp } from '../register/mirror.ts';
import { addCacheStatus } from './cache-status.ts';
import { bypass, type Exchange, tell } from './exchange.ts';
import { type Fill, recordFill, type Recorded } from './fill.ts';
import { attachHandle } from './handle.ts';
import { replay } from './replay.ts';
import { decodeHead, flagsOf, isMarker, isPublic, type ResponseHead } from './response-head.ts';
import type { SharedResponse } from './shared.ts';

/** A request waits for another's answer so long at most, then runs its own handler. */
const MAX_WAIT_MS = 5_000;
/** How often a request waits for others' answers that turn out not to be for it. */
const MAX_JOINS = 3;

interface Stored extends Found {
  readonly head: ResponseHead;
}

/** Answers a request after its lookup: from the cache, from another request's handler run, or by running its own. */
export function serve(exchange: Exchange, lookup: Lookup, joins = 0): void | Promise<void> {
  const { state, flightKey, req } = exchange;
  const { stamp } = lookup;
  const stored = servable(exchange, lookup.found);
  if (stored?.state === 'fresh') return serveStored(exchange, stored);
  if (stamp === undefined) return serveWithoutStore(exchange);
  const flight = state.flights.find(flightKey);
  if (stored !== undefined && flight !== undefined) return serveStored(exchange, stored);
  const forward = stored === undefined ? 'uri-miss' : 'stale';
  if (req.method === 'HEAD' || joins >= MAX_JOINS || state.uncacheable.has(flightKey)) {
    return runHandler(exchange, stamp, forward);
  }
  const outcome = flight?.outcome ?? (joins === 0 ? landedSince(exchange) : undefined);
  return outcome === undefined ? lead(exchange, stamp, forward) : follow(exchange, outcome, stamp, joins);
}

/** The response of a flight that this request's lookup came too early to find stored and too late to join. */
function landedSince({ state, flightKey, startedAt }: Exchange): Promise<SharedResponse> | undefined {
  const landed = state.landed.get(flightKey);
  return landed === undefined || landed.landedAt < startedAt ? undefined : Promise.resolve(landed.response);
}

/** What was found, if it may be shared with this request and can be sent. */
function servable(exchange: Exchange, found: Found | undefined): Stored | undefined {
  if (found === undefined || isMarker(found.entry)) return undefined;
  if (exchange.needsPublic && !isPublic(found.entry)) return undefined;
  if (!isUrlAlive(exchange, found.entry)) return undefined;
  const head = headOf(found.entry);
  return head && { ...found, head };
}

/** With a key of the route's own, requests of several URLs share an entry, which carries only the URL of the first: each also heeds purges of its own. */
function isUrlAlive({ config, key, state }: Exchange, stamp: Stamp): boolean {
  if (config.key === undefined) return true;
  const own = { key: entryKey('h', key.name), tags: [urlTag(key.url)] };
  return state.backend.store.register.judge(stamp, () => own) !== 'dead';
}

/** Heads by their bytes: what is sent many times is read and checked once. */
const heads = new LRUCache<string, ResponseHead>({ max: 1_000 });
const headsInMemory = new WeakMap<Entry, ResponseHead>();

function headOf(entry: Entry): ResponseHead | undefined {
  const known = headsInMemory.get(entry);
  if (known !== undefined) return known;
  const text = entry.metadata.toString('latin1');
  const head = heads.get(text) ?? decodeHead(entry.metadata);
  if (head === undefined) return undefined;
  heads.set(text, head);
  headsInMemory.set(entry, head);
  return head;
}

function serveStored(exchange: Exchange, { head, entry, ageMs, state }: Stored): void {
  const isFresh = state === 'fresh';
  tell(exchange, isFresh ? 'hits' : 'stale', isFresh ? 'cache:hit' : 'cache:stale');
  // Softly purged: its lifetime ended with the purge.
  const ttlMs = isFresh ? entry.freshMs - ageMs : Math.min(entry.freshMs - ageMs, -1);
  const { req, res, config } = exchange;
  replay(req, res, { head, body: entry.body, ageMs, status: { hit: true, ttlMs } }, config);
}

function serveWithoutStore(exchange: Exchange): void {
  exchange.state.backend.httpStatistics.count(exchange.route, 'errors');
  addCacheStatus(exchange.res, { forward: 'bypass' });
  bypass(exchange, exchange.key);
}

/** Runs the handler; requests that come meanwhile wait for what it answers. */
function lead(exchange: Exchange, stamp: Stamp, forward: Fill['forward']): void {
  const { config, key, state, flightKey } = exchange;
  let share: (response: SharedResponse | undefined) => void = () => undefined;
  const response = new Promise<SharedResponse | undefined>((resolve) => {
    share = resolve;
  });
  // A flight that takes longer ends for others, so that a handler that never answers holds back only those who came with it.
  const outcome = within(MAX_WAIT_MS, response, undefined);
  const tags = typeof config.tags === 'function' ? [] : config.tags;
  const end = state.flights.begin(flightKey, { stamp, known: { key: entryKey('h', key.name), tags } }, outcome);
  outcome.then(end, end);
  runHandler(exchange, stamp, forward, share);
}

function runHandler(
  exchange: Exchange,
  stamp: Stamp,
  forward: Fill['forward'],
  share: (response: SharedResponse | undefined) => void = () => undefined,
): void {
  const { req, res, config, key, state, flightKey, needsPublic, next } = exchange;
  tell(exchange, 'misses', 'cache:miss');
  const { now } = state.backend.store.register;
  const report = (error: unknown): void => state.backend.events.report('cache: tags or condition', error);
  const fill: Fill = { req, res, config, key, stamp, needsPublic, forward, now, report, wishes: attachHandle(res) };
  recordFill(fill, {
    recorded(response) {
      state.uncacheable.delete(flightKey);
      const shared = store(exchange, response);
      state.landed.set(flightKey, { response: shared, landedAt: performance.now() });
      share(shared);
    },
    refused(isFinal) {
      if (isFinal && req.method === 'GET') state.uncacheable.set(flightKey, true);
      share(undefined);
    },
  });
  next();
}

/** Stores a response at its place; where it varies, in the place of its variant, with a marker in its own. */
function store(exchange: Exchange, response: Recorded): SharedResponse {
  const { key, state } = exchange;
  const { draft, varyNames } = response;
  const { store: cacheStore } = state.backend;
  const address = varyNames.length === 0 ? key.address : key.variant(varyNames);
  state.variants.learn(key, varyNames);
  // Nobody waits: the command is on its way before the last byte of the response, so this process' next read comes behind it.
  void cacheStore.write(address, draft).then((isStored) => isStored && tell(exchange, 'stores', 'cache:store'));
  if (varyNames.length > 0) {
    const marker = { ...draft, flags: flagsOf.marker, metadata: varyNames.join(), body: Buffer.alloc(0) };
    void cacheStore.write(key.address, marker);
  }
  return { ...response, address };
}

/** Waits for another request's response. Whatever it comes to, this request is answered: by it, or by a lookup or handler of its own. */
async function follow(
  exchange: Exchange,
  outcome: Promise<SharedResponse | undefined>,
  stamp: Stamp,
  joins: number,
): Promise<void> {
  const { req, res, config, state, key, needsPublic } = exchange;
  const response = await outcome;
  if (response === undefined) return runHandler(exchange, stamp, 'uri-miss');
  const { draft, body, varyNames, address } = response;
  const isMine = address === (varyNames.length === 0 ? key.address : key.variant(varyNames));
  const { register } = state.backend.store;
  const isValid = register.judge(draft.stamp, () => draft) === 'valid' && isUrlAlive(exchange, draft.stamp);
  const head = headOfShared(response);
  if (isMine && isValid && head !== undefined && (!needsPublic || isPublic(draft))) {
    tell(exchange, 'misses', 'cache:miss');
    const status = { forward: 'uri-miss', isCollapsed: true } as const;
    return replay(req, res, { head, body, ageMs: 0, status }, config);
  }
  return serve(exchange, await state.variants.read(key), joins + 1);
}

const sharedHeads = new WeakMap<SharedResponse, ResponseHead | undefined>();

function headOfShared(response: SharedResponse): ResponseHead | undefined {
  const head = sharedHeads.get(response) ?? decodeHead(Buffer.from(response.draft.metadata));
  sharedHeads.set(response, head);
  return head;
}
