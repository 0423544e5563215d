import type { Request, Response } from 'express';
import type { EntryDraft } from '../cache/entry.ts';
import { entryKey, toTags, urlTag } from '../cache/tags.ts';
import { digest } from '../core/digest.ts';
import { hasUsedSession } from '../core/request-marks.ts';
import { tapResponse } from '../http/tap-response.ts';
import type { Stamp } from '../register/mirror.ts';
import { addCacheStatus, type CacheStatus } from './cache-status.ts';
import { type Conditions, conditionsOf, describesBody, isNotModified } from './conditional.ts';
import { fieldNames } from './field-names.ts';
import { type HandlerWishes, MAX_TAGS } from './handle.ts';
import { type FieldReader, freshnessOf } from './lifetime.ts';
import type { CacheConfig } from './options.ts';
import { isMarkedPublic, mayStoreFor } from './policy.ts';
import { clientCacheControl } from './replay.ts';
import type { RequestKey } from './request-key.ts';
import { flagsOf, headersBefore, type StorableHead, storableHead } from './response-head.ts';

/** A request whose handler runs and whose response may be stored. */
export interface Fill {
  readonly req: Request;
  readonly res: Response;
  readonly config: CacheConfig;
  readonly key: RequestKey;
  readonly stamp: Stamp;
  readonly wishes: HandlerWishes;
  readonly needsPublic: boolean;
  readonly forward: Extract<CacheStatus, { forward: unknown }>['forward'];
  /** The register's time. */
  readonly now: () => number;
  /** A function of the route's options threw. */
  readonly report: (error: unknown) => void;
}

/** A response that was recorded whole. */
export interface Recorded {
  readonly draft: EntryDraft;
  readonly head: StorableHead;
  readonly body: Buffer;
  /** Names of the request headers it varies by, beyond those in the key. */
  readonly varyNames: readonly string[];
}

/** What becomes of a fill: each is called at most once, and one of them is. */
export interface FillOutcome {
  /** The handler has sent all of it. Also after a refusal, when it was its client that had left. */
  recorded(response: Recorded): void;
  /** Nobody can wait for it. `isFinal`: nor for the next response of this key, probably. */
  refused(isFinal: boolean): void;
}

interface Plan {
  readonly freshMs: number;
  readonly head: StorableHead;
  readonly tags: readonly string[];
  readonly varyNames: readonly string[];
  readonly isPublic: boolean;
  readonly promisedBytes: number | undefined;
}

/** Lets the handler answer its client directly and records what it sends on the way, as long as it may be stored. */
export function recordFill(fill: Fill, outcome: FillOutcome): void {
  const { req, res, config } = fill;
  const startedAt = performance.now();
  const before = headersBefore(res);
  const conditions = hideConditions(req);
  let plan: Plan | undefined;
  let chunks: Buffer[] = [];
  let size = 0;
  let isSettled = false;
  let hasClientLeft = false;

  function refuse(isFinal: boolean): void {
    plan = undefined;
    chunks = [];
    if (!isSettled) outcome.refused(isFinal);
    isSettled = true;
  }

  tapResponse(res, {
    head() {
      restoreConditions(req, conditions);
      addVary(res, config.vary);
      plan = tryPlan(fill, before);
      if (plan === undefined) refuse(true);
      addCacheStatus(res, { forward: fill.forward, isStored: plan !== undefined });
      if (plan !== undefined) addClientTtl(res, config);
      return answersNotModified(res, conditions) ? 'mute' : 'send';
    },
    chunk(bytes) {
      if (plan === undefined) return false;
      size += bytes.length;
      if (size <= config.maxBytes) chunks.push(bytes);
      else refuse(true);
      return size <= config.maxBytes;
    },
    end() {
      // A handler may stop early when its client has left: then only a promised length proves that it is whole.
      const isWhole = plan?.promisedBytes === undefined ? !hasClientLeft : plan.promisedBytes === size;
      // Sessions set their cookie when the headers leave, after the plan was made; a handler may have come to use one since.
      if (plan === undefined || !isWhole || res.hasHeader('set-cookie') || hasUsedSession(req)) return refuse(false);
      isSettled = true;
      outcome.recorded(toRecorded(fill, plan, Buffer.concat(chunks), performance.now() - startedAt));
    },
    failed: () => refuse(false),
    closed() {
      hasClientLeft = true;
      if (!isSettled) outcome.refused(false);
      isSettled = true;
    },
  });
}

/** Express answers 304 by itself when the client's request is conditional; a cold entry would then be recorded empty. */
function hideConditions(req: Request): Conditions {
  const conditions = conditionsOf(req.headers);
  delete req.headers['if-none-match'];
  delete req.headers['if-modified-since'];
  return conditions;
}

function restoreConditions(req: Request, { ifNoneMatch, ifModifiedSince }: Conditions): void {
  if (ifNoneMatch !== undefined) req.headers['if-none-match'] = ifNoneMatch;
  if (ifModifiedSince !== undefined) req.headers['if-modified-since'] = ifModifiedSince;
}

function fieldOf(res: Response): FieldReader {
  return (name) => {
    const value = res.getHeader(name);
    return typeof value === 'number' ? String(value) : value;
  };
}

/** Whatever these functions throw must not break a response that has begun, in a callback perhaps where nobody catches it. */
function tryPlan(fill: Fill, before: ReturnType<typeof headersBefore>): Plan | undefined {
  try {
    return planOf(fill, before);
  } catch (error) {
    fill.report(error);
    return undefined;
  }
}

function planOf(
  { req, res, config, wishes, needsPublic, now }: Fill,
  before: ReturnType<typeof headersBefore>,
): Plan | undefined {
  if (req.method !== 'GET' || wishes.isSkipped || hasUsedSession(req)) return undefined;
  const field = fieldOf(res);
  const freshness = freshnessOf(field, now());
  const freshMs = mayStoreFor(
    { status: res.statusCode, field, freshness, handlerTtlMs: wishes.ttlMs, needsPublic },
    config,
  );
  const length = field('content-length');
  const promisedBytes = length === undefined ? undefined : Number(length);
  if (freshMs === undefined || (promisedBytes ?? 0) > config.maxBytes) return undefined;
  if (!meetsCondition(req, res, config)) return undefined;
  const routeTags = typeof config.tags === 'function' ? config.tags(req, res) : config.tags;
  if (routeTags.length + wishes.tags.length > MAX_TAGS) return undefined;
  return {
    freshMs: freshMs * (1 - config.jitter * Math.random()),
    head: storableHead(res, before),
    tags: [...toTags(routeTags, 'cache'), ...wishes.tags],
    varyNames: fieldNames(field('vary')).filter((name) => !config.vary.includes(name)),
    isPublic: isMarkedPublic(freshness),
    promisedBytes,
  };
}

/** Only true is yes: what has no types may answer nothing, or a promise. */
function meetsCondition(req: Request, res: Response, { condition }: CacheConfig): boolean {
  const answer: unknown = condition === undefined || condition(req, res);
  return answer === true;
}

function toRecorded({ key, stamp }: Fill, plan: Plan, body: Buffer, computeMs: number): Recorded {
  const { status, headers } = plan.head;
  const hasEtag = headers.some(([name]) => name.toLowerCase() === 'etag');
  // Weak: compression on the way out may change the bytes.
  const head =
    hasEtag || status !== 200 ? plan.head : { status, headers: [...headers, ['ETag', `W/"${digest(body)}"`] as const] };
  const draft: EntryDraft = {
    key: entryKey('h', key.name),
    tags: [...plan.tags, urlTag(key.url)],
    stamp,
    flags: flagsOf.response(plan.isPublic),
    freshMs: plan.freshMs,
    staleMs: 0,
    computeMs,
    metadata: JSON.stringify(head),
    body,
  };
  return { draft, head, body, varyNames: plan.varyNames };
}

/** Whoever caches further on has to tell apart what the key tells apart. */
function addVary(res: Response, names: readonly string[]): void {
  for (const name of names) res.vary(name);
}

function addClientTtl(res: Response, config: CacheConfig): void {
  if (config.clientTtlMs !== undefined && !res.hasHeader('cache-control')) {
    res.setHeader('Cache-Control', clientCacheControl(config, 0));
  }
}

/** Turns a 200 into the 304 that the client's own validators ask for. */
function answersNotModified(res: Response, conditions: Conditions): boolean {
  const etag = res.getHeader('etag');
  const lastModified = res.getHeader('last-modified');
  const validators = {
    etag: etag === undefined ? undefined : String(etag),
    lastModified: lastModified === undefined ? undefined : String(lastModified),
  };
  if (res.statusCode !== 200 || !isNotModified(conditions, validators)) return false;
  res.statusCode = 304;
  for (const name of res.getHeaderNames())
    if (describesBody(name) || name === 'transfer-encoding') res.removeHeader(name);
  return true;
}
