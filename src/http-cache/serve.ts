import { refreshBehind } from './background.ts';
import { addCacheStatus, type Forward, HitStatus } from './cache-status.ts';
import { type Content, contentFor } from './content.ts';
import { bypass, type Exchange, isOver, tell } from './exchange.ts';
import { follow } from './follow.ts';
import { rangeInPart } from './partial.ts';
import { replay, statusKey, Telling } from './replay.ts';
import { lead, type Run, runHandler, withWholeBasis } from './run.ts';
import type { SharedResponse } from './shared.ts';
import { type Decision, decide, type Stored, totalAge, ttlOf } from './stale.ts';
import { servable } from './stored.ts';
import type { Located, Part } from './vary.ts';

/** How often a request waits for others' answers that turn out not to be for it. */
const MAX_JOINS = 3;

/** How much of an entry a request is likely to need: whoever asks under conditions is likely to have the body. */
export function partNeeded({ req: { method, headers } }: Exchange): Part {
  if (method === 'HEAD') return 'head';
  const isConditional = headers['if-none-match'] !== undefined || headers['if-modified-since'] !== undefined;
  return isConditional && headers.range === undefined ? 'head' : 'whole';
}

/** Answers a request after its lookup: from the cache, from another request's handler run, or by running its own. */
export function serve(exchange: Exchange, lookup: Located, joins = 0): void | Promise<void> {
  if (isOver(exchange.res)) return undefined;
  const stored = servable(exchange, lookup.found);
  const decision = stored && decide(stored, exchange.directives);
  if (stored !== undefined && decision !== undefined && mayAnswer(exchange, stored, decision, lookup)) {
    const content = contentFor(exchange, stored, lookup);
    if (!(content instanceof Promise)) return serveStored(exchange, stored, content);
    return content.then((read) =>
      read === undefined
        ? forward(exchange, { lookup, joins, stored: undefined, reason: 'uri-miss' })
        : serveStored(exchange, stored, read),
    );
  }
  return forward(exchange, { lookup, joins, stored, reason: reasonOf(lookup, stored, decision) });
}

function mayAnswer(exchange: Exchange, stored: Stored, decision: Decision, lookup: Located): boolean {
  if (decision === 'stale' || decision === 'request' || !hasBytesFor(exchange, stored)) return false;
  return decision === 'serve' || refreshBehind(exchange, lookup, stored);
}

/** A stored part answers only who asks for bytes within it (RFC 9111 §3.3). */
function hasBytesFor({ req }: Exchange, { head }: Stored): boolean {
  if (head.part === undefined) return true;
  const isPlain = req.method === 'GET' && req.headers['if-range'] === undefined;
  return isPlain && rangeInPart(head.part, req.headers) !== undefined;
}

function reasonOf(lookup: Located, stored: Stored | undefined, decision: Decision | undefined): Forward {
  if (stored === undefined) return lookup.isVaryMiss === true ? 'vary-miss' : 'uri-miss';
  if (decision === 'request') return 'request';
  return decision === 'serve' ? 'partial' : 'stale';
}

function serveStored(exchange: Exchange, stored: Stored, content: Content): void {
  const isFresh = stored.state === 'fresh';
  tell(exchange, isFresh ? 'hits' : 'stale', isFresh ? 'cache:hit' : 'cache:stale');
  replay(exchange, content, new Telling(totalAge(stored), new HitStatus(ttlOf(stored))));
}

interface Forwarding {
  readonly lookup: Located;
  readonly joins: number;
  readonly stored: Stored | undefined;
  readonly reason: Forward;
}

/** The handler is asked, by this request or by one that has come before. */
function forward(exchange: Exchange, { lookup, joins, stored, reason }: Forwarding): void | Promise<void> {
  const { state, flightKey } = exchange;
  if (exchange.directives.onlyIfCached) return sendGatewayTimeout(exchange);
  if (lookup.stamp === undefined) return serveWithoutStore(exchange);
  // `request` is for what was fresh (RFC 9211 §2.2).
  const isStale = reason === 'request' && stored?.state === 'stale';
  const run: Run = { lookup, stamp: lookup.stamp, forward: isStale ? 'stale' : reason, basis: stored };
  if (!mayShare(exchange, reason) || joins >= MAX_JOINS) {
    return withWholeBasis(exchange, run, (whole) => runHandler(exchange, whole));
  }
  const again = async (): Promise<void> =>
    serve(exchange, await state.variants.read(exchange.key, partNeeded(exchange)), joins + 1);
  const outcome = state.flights.find(flightKey)?.outcome ?? (joins === 0 ? landedSince(exchange) : undefined);
  if (outcome !== undefined) return follow(exchange, { ...run, outcome, again });
  return lead(exchange, run, again);
}

/** Others may wait for this request's handler run, and it for theirs; not where it wants bytes, or a validation, of its own. */
function mayShare({ req, state, flightKey, directives }: Exchange, reason: Forward): boolean {
  if (req.method === 'HEAD' || req.headers.range !== undefined || reason === 'request') return false;
  if (directives.noCache || directives.noStore) return false;
  return !state.uncacheable.has(flightKey);
}

/** The response of a flight that this request's lookup came too early to find stored and too late to join. */
function landedSince({ state, flightKey, startedAt }: Exchange): Promise<SharedResponse> | undefined {
  const landed = state.landed.get(flightKey);
  return landed === undefined || landed.landedAt < startedAt ? undefined : Promise.resolve(landed.response);
}

function serveWithoutStore(exchange: Exchange): void {
  exchange.state.backend.httpStatistics.count(exchange.route, 'errors');
  addCacheStatus(exchange.res, { forward: 'bypass', detail: 'store-unavailable' }, statusKey(exchange));
  bypass(exchange, exchange.key);
}

/** RFC 9111 §5.2.1.7: nothing stored answers, and nobody else may be asked. Without Cache-Status: nothing was forwarded, nothing hit (RFC 9211 §2). */
function sendGatewayTimeout(exchange: Exchange): void {
  tell(exchange, 'misses', 'cache:miss');
  exchange.res.writeHead(504, { 'Content-Length': 0 });
  exchange.res.end();
}
