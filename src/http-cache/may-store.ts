import type { CacheConfig } from './options.ts';
import { scopeOf, secondsOf } from './cache-control.ts';
import type { FieldReader, Freshness } from './freshness.ts';
import { heuristicLifetime } from './freshness.ts';
import { fieldNames, isToken } from './field-names.ts';

/** What is known of a response when its headers are about to leave. */
export interface ResponseFacts {
  readonly status: number;
  readonly field: FieldReader;
  readonly freshness: Freshness;
  /** The time, in milliseconds. */
  readonly now: number;
  /** Set by the handler through `res.cache.ttl()`. */
  readonly handlerTtlMs: number | undefined;
  /** Only what is for everybody may be stored. */
  readonly mustBeForEverybody: boolean;
  /** The request had Authorization, which is not in the key. */
  readonly isAuthorized: boolean;
  /** The handler did not look at who is asking. */
  readonly isNeutral: boolean;
  /** Only a lifetime that is given counts, as for POST (RFC 9110 §9.3.3). */
  readonly mustBeExplicit: boolean;
}

/** How a response may be stored. */
export interface Storage {
  /** What is left of its lifetime. 0: only to be validated. Below: by how much it was stale when it came, which counts for how long it may be served stale. */
  readonly freshMs: number;
  /** How long it is kept past that. */
  readonly keepMs: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  /** Whether it may not be served stale: never, or only as one of the two above says. */
  readonly revalidate: 'must' | 'declared' | undefined;
  /** Fields that may not be stored with it. */
  readonly droppedFields: readonly string[];
}

/** Statuses that a route's ttl covers: final, complete and no errors. */
const COVERED_BY_TTL = new Set([200, 203, 204, 300, 301, 308]);
const NEGATIVE = new Set([404, 410]);
/** Safe to store where the handler itself says for how long. Not among them: partial and validating answers, challenges, refusals for load, all of 5xx. */
const SAFE = new Set([...COVERED_BY_TTL, ...NEGATIVE, 302, 303, 307, 400, 402, 403, 405, 406, 409, 414, 415, 422, 451]);
/** RFC 9110 §15.1: what may be stored by a heuristic. */
const HEURISTIC = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);
/** About one request, connection or moment: 304 and 416 answer fields that the key does not hold, the others may be stored by no cache (RFC 6585 §3-§6). */
const NEVER = new Set([304, 416, 428, 429, 431, 511]);
/** RFC 9111 §5.2.2.3 is for caches that know what a status asks of them: the registered ones. */
const UNDERSTOOD = new Set([
  ...SAFE,
  201,
  202,
  205,
  207,
  208,
  226,
  401,
  407,
  408,
  411,
  412,
  413,
  416,
  417,
  421,
  423,
  424,
]);
for (const status of [425, 426, 428, 431, 500, 501, 502, 503, 504, 505, 506, 507, 508, 511]) UNDERSTOOD.add(status);

/** How a response may be stored; `undefined` when it may not. RFC 9111 §3, §4.2. */
export function mayStore(facts: ResponseFacts, config: CacheConfig): Storage | undefined {
  const { freshness } = facts;
  if (!isStorableStatus(facts, config) || isProhibited(facts, config) || !mayShareVariants(facts.field, config)) {
    return undefined;
  }
  if (facts.mustBeForEverybody && !facts.isNeutral && !isMarkedPublic(freshness)) return undefined;
  if (facts.isAuthorized && !mayStoreAuthorized(facts)) return undefined;
  const isNoCache = scopeOf(freshness.directives, 'no-cache') === 'all';
  const lifetimeMs = lifetimeOf(facts, config);
  const freshMs = isNoCache ? 0 : lifetimeMs;
  if (freshMs === undefined && !isNoCache) return undefined;
  return storageOf(facts, config, freshMs ?? 0, isNoCache);
}

function storageOf(
  { freshness: { directives }, field }: ResponseFacts,
  config: CacheConfig,
  freshMs: number,
  isNoCache: boolean,
): Storage | undefined {
  const revalidate = staleness(directives, isNoCache);
  const mayBeStale = revalidate !== 'must';
  const staleWhileRevalidateMs = mayBeStale
    ? (config.staleWhileRevalidateMs ?? secondsOf(directives, 'stale-while-revalidate') ?? 0)
    : 0;
  const staleIfErrorMs = mayBeStale ? (config.staleIfErrorMs ?? secondsOf(directives, 'stale-if-error') ?? 0) : 0;
  const retainMs =
    hasValidator(field) || (revalidate === undefined && config.policy.retainMs > 0) ? config.policy.retainMs : 0;
  const keepMs = Math.max(staleWhileRevalidateMs, staleIfErrorMs, retainMs && retainMs + Math.max(0, -freshMs));
  if (freshMs + keepMs < 1) return undefined;
  return {
    freshMs,
    keepMs,
    staleWhileRevalidateMs,
    staleIfErrorMs,
    revalidate,
    droppedFields: [...listed(scopeOf(directives, 'private')), ...listed(scopeOf(directives, 'no-cache'))],
  };
}

/** RFC 9111 §4.2.4: never stale with these; with `s-maxage` only where the response itself allows it (RFC 5861). */
function staleness(directives: Freshness['directives'], isNoCache: boolean): Storage['revalidate'] {
  if (isNoCache || directives.has('must-revalidate') || directives.has('proxy-revalidate')) return 'must';
  return directives.has('s-maxage') ? 'declared' : undefined;
}

function listed(scope: 'all' | readonly string[]): readonly string[] {
  return scope === 'all' ? [] : scope;
}

function isStorableStatus({ status, freshness, field }: ResponseFacts, { policy }: CacheConfig): boolean {
  if (NEVER.has(status)) return false;
  if (status === 206) return policy.partial === 'store' && field('content-range') !== undefined;
  if (field('content-range') !== undefined && policy.statuses === 'safe') return false;
  if (policy.mustUnderstand === 'honor' && freshness.directives.has('must-understand') && !UNDERSTOOD.has(status)) {
    return false;
  }
  if (policy.statuses === 'safe') return SAFE.has(status);
  return status >= 200 && status < 600;
}

/** What keeps a response out whatever its lifetime. */
function isProhibited({ status, field, freshness: { directives } }: ResponseFacts, { policy }: CacheConfig): boolean {
  const isUnderstood = policy.mustUnderstand === 'honor' && directives.has('must-understand') && UNDERSTOOD.has(status);
  if (directives.has('no-store') && !isUnderstood) return true;
  const isWhole = policy.qualifiedDirectives === 'whole';
  if (isWhole ? directives.has('private') : scopeOf(directives, 'private') === 'all') return true;
  // The app's word about its own responses is heeded in full: what must be asked for each time is not worth keeping.
  if (isWhole && directives.has('no-cache')) return true;
  if (policy.setCookie === 'refuse' && (field('set-cookie') !== undefined || field('clear-site-data') !== undefined)) {
    return true;
  }
  return field('trailer') !== undefined || /^text\/event-stream/i.test(String(field('content-type') ?? ''));
}

/** RFC 9111 §3.5. */
function mayStoreAuthorized({ freshness: { directives } }: ResponseFacts): boolean {
  return directives.has('public') || directives.has('must-revalidate') || directives.has('s-maxage');
}

/**
 * Whether the handler gave a response to everybody. `public, max-age=0` does not: it lets nobody serve it without asking here who may have it, and
 * `res.sendFile` writes it by default.
 */
export function isMarkedPublic({ directives, lifetimeMs }: Freshness): boolean {
  return directives.has('public') && lifetimeMs !== 0;
}

/** What is left of its lifetime. Targeted field, then the route's ttl (the handler's own word first), then Cache-Control and Expires, then a heuristic. */
function lifetimeOf(facts: ResponseFacts, config: CacheConfig): number | undefined {
  const { status, freshness, handlerTtlMs } = facts;
  const left = (lifetimeMs: number | undefined): number | undefined =>
    lifetimeMs === undefined ? undefined : lifetimeMs - freshness.initialAgeMs;
  if (freshness.isTargeted && freshness.lifetimeMs !== undefined) return left(freshness.lifetimeMs);
  const isNegative = NEGATIVE.has(status);
  const isCovered = COVERED_BY_TTL.has(status);
  // A handler may have set it before it failed: it covers no other errors.
  if (handlerTtlMs !== undefined && (isCovered || isNegative)) return handlerTtlMs;
  if (isCovered && config.ttlMs !== undefined) return config.ttlMs;
  if (freshness.lifetimeMs !== undefined) return left(freshness.lifetimeMs);
  if (isNegative && config.negativeTtlMs !== undefined) return config.negativeTtlMs;
  const isHeuristic = HEURISTIC.has(status) || freshness.directives.has('public');
  if (!isHeuristic || facts.mustBeExplicit) return undefined;
  // What says nothing but can be validated is worth keeping for that.
  const isWorthKeeping = config.policy.retainMs > 0 && hasValidator(facts.field);
  return left(heuristicLifetime(facts.field, facts.now, config.policy)) ?? (isWorthKeeping ? left(0) : undefined);
}

function hasValidator(field: FieldReader): boolean {
  return field('etag') !== undefined || field('last-modified') !== undefined;
}

/** A response that varies by who asks is stored only where the route declares how, or where each value has a variant of its own. */
function mayShareVariants(field: FieldReader, config: CacheConfig): boolean {
  const names = fieldNames(field('vary'));
  // What is no list of names may name anything.
  if (names.some((name) => name === '*' || !isToken(name))) return false;
  if (config.policy.varyByCredentials === 'vary') return true;
  const isDeclared = (name: string): boolean => config.vary.includes(name) || config.user !== undefined;
  const areCookiesOpen = config.cookies === 'bypass' || config.cookies === 'track';
  if (names.includes('cookie') && areCookiesOpen && !isDeclared('cookie')) return false;
  return !names.includes('authorization') || isDeclared('authorization');
}
