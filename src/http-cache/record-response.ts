import type { Response } from 'express';
import { digest } from '../core/digest.ts';
import { hasUsedSession } from '../core/request-marks.ts';
import { addCacheStatus } from './cache-status.ts';
import { isCompressible } from './compress.ts';
import { type Conditions, describesBody, heedsConditions, isNotModified } from './conditional.ts';
import type { Fill, Filling, Reception } from './reception.ts';
import type { FieldReader } from './freshness.ts';
import { disown } from './exchange.ts';
import { tagLineOf } from './groups.ts';
import { joinParts, partOf } from './partial.ts';
import { inheritPlan, type Plan, planOf, type Representation, toRecorded } from './plan.ts';
import type { Recorded } from './recorded.ts';
import { clientCacheControl, statusKey } from './replay.ts';
import {
  type HeadersBefore,
  reasonOf,
  removedHeaders,
  resetReason,
  type StorableHead,
  storableHeaders,
} from './response-head.ts';
import { agrees, identifies, mergeHeaders, readerOf, validationOf } from './revalidate.ts';

/** The handler's answer goes to its client as it comes, and is kept while it may be stored. */
export function recordResponse(filling: Filling): Reception {
  const { fill, outcome, conditions, startedAt } = filling;
  const { req, res, config } = fill.exchange;
  const promisedBytes = lengthOf(res);
  // Whoever caches further on has to tell apart what the key tells apart.
  for (const name of config.vary) res.vary(name);
  const isTooLarge = (promisedBytes ?? 0) > config.maxBytes;
  let plan = isTooLarge ? undefined : tryPlan(filling);
  const isStored = plan !== undefined && req.method !== 'HEAD';
  let chunks: Buffer[] = [];
  let size = 0;

  function refuse(isFinal: boolean): void {
    plan = undefined;
    chunks = [];
    outcome.refused(isFinal);
  }

  if (plan === undefined) refuse(true);
  const handlerStatus = res.statusCode;
  const mode = answersNotModified(res, conditions) ? 'mute' : 'send';
  describe(fill, plan, { isStored, ...(mode === 'mute' && { forwardStatus: handlerStatus }) });
  return {
    mode,
    chunk(bytes) {
      if (plan === undefined) return false;
      size += bytes.length;
      if (size <= config.maxBytes) chunks.push(bytes);
      else refuse(true);
      return size <= config.maxBytes;
    },
    end(hasClientLeft) {
      if (plan === undefined || isSpoiled(fill, plan)) return refuse(true);
      const computeMs = performance.now() - startedAt;
      if (req.method === 'HEAD') {
        const freshened = freshenByHead(fill, plan, computeMs);
        return freshened === undefined ? refuse(false) : outcome.recorded(freshened);
      }
      // A handler may stop early when its client has left: then only a promised length proves that it is whole.
      const isWhole = promisedBytes === undefined ? !hasClientLeft : promisedBytes === size;
      const recorded = isWhole ? complete(fill, plan, Buffer.concat(chunks), computeMs) : undefined;
      return recorded === undefined ? refuse(false) : outcome.recorded(recorded);
    },
  };
}

function lengthOf(res: Response): number | undefined {
  const length = res.getHeader('content-length');
  return length === undefined ? undefined : Number(length);
}

/** Whatever functions of the route's options throw must not break a response that has begun, in a callback perhaps where nobody catches it. */
function tryPlan(filling: Filling): Plan | undefined {
  const { fill, delayMs } = filling;
  const { exchange, wishes, tracker } = fill;
  if (!mayBeRecorded(filling)) return undefined;
  try {
    const response = representationOf(fill, filling.before);
    return response && planOf(response, { exchange, wishes, tracker, delayMs });
  } catch (error) {
    exchange.state.backend.events.report('cache: tags or condition', error);
    return undefined;
  }
}

/** GET and what stands for it; HEAD only to freshen what GET stored (RFC 9111 §4.3.5). A 304 to conditions of nobody's says nothing. */
function mayBeRecorded({ fill: { exchange, basis } }: Filling): boolean {
  const { req } = exchange;
  if (req.method === 'HEAD') return mayFreshen(exchange, basis);
  return req.method !== 'POST' || isOfItsOwnUrl(exchange);
}

/** Where the cache has made up the validator itself, HEAD proves nothing: anybody could keep an old body alive by it. */
function mayFreshen({ res, config }: Fill['exchange'], basis: Fill['basis']): boolean {
  if (basis === undefined || basis.head.part !== undefined || res.statusCode !== basis.head.status) return false;
  return config.policy.etag === 'keep' || validationOf(basis.head) !== undefined;
}

/** RFC 9110 §9.3.3: a response to POST may answer GET when it has a lifetime and names the request's own URL. */
function isOfItsOwnUrl({ req, res, key }: Fill['exchange']): boolean {
  const location = res.getHeader('content-location');
  const base = key.origin + req.originalUrl;
  if (res.statusCode !== 200 || location === undefined || !URL.canParse(String(location), base)) return false;
  return new URL(String(location), base).href === new URL(base).href;
}

/** Reads the header fields of a response. */
export function fieldOf(res: Response): FieldReader {
  return (name) => {
    const value = res.getHeader(name);
    return typeof value === 'number' ? String(value) : value;
  };
}

function representationOf({ exchange, basis }: Fill, before: HeadersBefore): Representation | undefined {
  const { req, res } = exchange;
  const field = fieldOf(res);
  const headers = storableHeaders(res, before);
  if (req.method !== 'HEAD' || basis === undefined) {
    return { status: res.statusCode, reason: reasonOf(res), field, headers, removed: removedHeaders(res, before) };
  }
  if (!agrees(field, basis.head, basis.head.size ?? basis.entry.bodyBytes)) {
    disown(exchange);
    return undefined;
  }
  if (!identifies(field, basis.head)) return undefined;
  const merged = mergeHeaders(basis.head.headers, headers);
  const { status, reason, removed } = basis.head;
  return { status, reason, field: readerOf(merged, field), headers: merged, removed };
}

/** Says what the client and caches further out should know. */
function describe(
  { exchange, forward, wishes }: Fill,
  plan: Plan | undefined,
  became: { readonly isStored: boolean; readonly forwardStatus?: number },
): void {
  const { res, config } = exchange;
  if (wishes.isPrivate && !res.hasHeader('cache-control')) res.setHeader('Cache-Control', 'private');
  const detail = hasUsedSession(exchange.req) ? 'session-used' : undefined;
  addCacheStatus(res, { forward, ...became, detail }, statusKey(exchange));
  if (plan === undefined) return;
  // From the store it may come in either form.
  if (config.compressBytes !== Infinity && isCompressible(plan.head)) res.vary('Accept-Encoding');
  const tagLine = tagLineOf(config.tagField, plan.tags);
  if (tagLine !== undefined) res.setHeader(...tagLine);
  if (config.clientTtlMs !== undefined && !res.hasHeader('cache-control')) {
    res.setHeader('Cache-Control', clientCacheControl(config, plan.head, 0));
  }
}

/** Whether what was decided when the headers left is not so any more: a cookie came on the way out, or the handler has looked at who is asking since. */
function isSpoiled({ exchange: { req, res, config }, tracker, wishes }: Fill, plan: Plan): boolean {
  if (config.policy.setCookie === 'refuse' && res.hasHeader('set-cookie')) return true;
  if (wishes.isSkipped || wishes.isPrivate || hasUsedSession(req)) return true;
  if (tracker === undefined) return false;
  const identity = tracker.identity();
  if (identity === 'given' || (plan.isNeutral && identity !== 'none')) return true;
  return tracker.keyedHeaders().some((name) => !plan.varyNames.includes(name));
}

function complete(fill: Fill, plan: Plan, body: Buffer, computeMs: number): Recorded | undefined {
  const { exchange, basis } = fill;
  if (plan.head.status !== 206) {
    return toRecorded(fill, { plan, head: withEtag(plan.head, body, exchange.config), body, computeMs });
  }
  const field = readerOf(plan.head.headers);
  const part = partOf(field, exchange.req.headers.range, body.length);
  if (part === undefined) return undefined;
  const etag = field('etag');
  const newer = { head: { ...plan.head, part }, etag: etag === undefined ? undefined : String(etag), body };
  const joined = basis && joinParts({ head: basis.head, body: basis.entry.body }, newer);
  if (basis === undefined || joined === undefined || joined.body.length > exchange.config.maxBytes) {
    // A part for a client that has others may leave out what that client knows (RFC 9110 §15.3.7).
    const isDescribed = exchange.req.headers['if-range'] === undefined;
    return isDescribed ? toRecorded(fill, { plan, head: asWhole(newer.head), body, computeMs }) : undefined;
  }
  const headers = mergeHeaders(basis.head.headers, newer.head.headers);
  const inherited = inheritPlan(plan, fill);
  if (inherited === undefined) return undefined;
  const head = asWhole({ ...inherited.head, headers, part: joined.part });
  return toRecorded(fill, { plan: inherited, head, body: joined.body, computeMs });
}

/** A part that has become the whole is a 200 (RFC 9110 §15.3.7.3). */
export function asWhole(head: StorableHead): StorableHead {
  const { part, ...rest } = head;
  if (part === undefined || part.first !== 0 || part.last !== part.length - 1) return head;
  return {
    ...rest,
    status: 200,
    reason: undefined,
    headers: rest.headers.filter(([name]) => name.toLowerCase() !== 'content-range'),
  };
}

/** Weak: compression on the way out may change the bytes. */
function withEtag(head: StorableHead, body: Buffer, { policy }: Fill['exchange']['config']): StorableHead {
  const hasEtag = head.headers.some(([name]) => name.toLowerCase() === 'etag');
  if (hasEtag || head.status !== 200 || policy.etag === 'keep') return head;
  return { ...head, headers: [...head.headers, ['ETag', `W/"${digest(body)}"`]], hasOwnEtag: true };
}

function freshenByHead(fill: Fill, plan: Plan, computeMs: number): Recorded | undefined {
  const { basis } = fill;
  const inherited = inheritPlan(plan, fill);
  if (basis === undefined || inherited === undefined) return undefined;
  const { coding, size } = basis.head;
  // The handler's own may have taken its place.
  const hasOwnEtag = basis.head.hasOwnEtag === true && readerOf(plan.head.headers)('etag') === basis.head.etag;
  const head = { ...inherited.head, coding, size, hasOwnEtag };
  return toRecorded(fill, { plan: inherited, head, body: basis.entry.body, computeMs });
}

/** Turns a success into the 304 that the client's own validators ask for. */
function answersNotModified(res: Response, conditions: Conditions): boolean {
  const text = (name: string): string | undefined => {
    const value = res.getHeader(name);
    return value === undefined ? undefined : String(value);
  };
  const validators = { etag: text('etag'), lastModified: text('last-modified') };
  if (!heedsConditions(res.statusCode) || !isNotModified(conditions, validators)) return false;
  res.statusCode = 304;
  resetReason(res);
  for (const name of res.getHeaderNames()) {
    if (describesBody(name) || name === 'transfer-encoding') res.removeHeader(name);
  }
  return true;
}
