import type { Request } from 'express';
import type { CacheConfig } from './options.ts';
import type { FieldReader, Freshness } from './lifetime.ts';
import { fieldNames } from './field-names.ts';

/** Why the cache stays out of a request, in the words of Cache-Status (RFC 9211 §2.2). */
export type Bypass = 'method' | 'bypass';

const PRECONDITIONS = ['range', 'if-match', 'if-unmodified-since', 'if-range', 'upgrade'] as const;

/** Whether the cache may look at all: GET and HEAD without a body ("fat GET" is not told apart by the key), ranges or preconditions only the handler can judge. */
export function bypassOf(req: Request): Bypass | undefined {
  if (req.method !== 'GET' && req.method !== 'HEAD') return 'method';
  // A full URL or a fragment in the request line: parsers disagree about what is path and query then.
  if (!req.originalUrl.startsWith('/') || req.originalUrl.includes('#')) return 'bypass';
  const { headers } = req;
  if (headers['transfer-encoding'] !== undefined) return 'bypass';
  if (headers['content-length'] !== undefined && headers['content-length'] !== '0') return 'bypass';
  for (const name of PRECONDITIONS) if (headers[name] !== undefined) return 'bypass';
  return undefined;
}

/** Whether a request says who is asking in a way that the key does not hold, so that only responses marked `public` may be shared with it. */
export function needsPublic(req: Request, config: CacheConfig, user: string | undefined): boolean {
  if (user !== undefined) return false;
  if (req.headers.authorization !== undefined && !config.vary.includes('authorization')) return true;
  return config.cookies === 'bypass' && req.headers.cookie !== undefined && !config.vary.includes('cookie');
}

/** What is known of a response when its headers are about to leave. */
export interface ResponseFacts {
  readonly status: number;
  readonly field: FieldReader;
  readonly freshness: Freshness;
  /** Set by the handler through `res.cache.ttl()`. */
  readonly handlerTtlMs: number | undefined;
  readonly needsPublic: boolean;
}

/** Statuses that a route's ttl covers: final, complete and no errors. */
const COVERED_BY_TTL = new Set([200, 203, 204, 300, 301, 308]);
const NEGATIVE = new Set([404, 410]);
/** Stored only where the handler itself says for how long. Not among them: partial and validating answers, challenges, refusals for load, all of 5xx. */
const STORABLE = new Set([
  ...COVERED_BY_TTL,
  ...NEGATIVE,
  302,
  303,
  307,
  400,
  402,
  403,
  405,
  406,
  409,
  414,
  415,
  422,
  451,
]);

const PROHIBITIONS = ['no-store', 'private', 'no-cache'] as const;

/** How long a response may be stored, in milliseconds; `undefined` when it may not. */
export function mayStoreFor(facts: ResponseFacts, config: CacheConfig): number | undefined {
  const { status, field, freshness } = facts;
  if (!STORABLE.has(status)) return undefined;
  if (PROHIBITIONS.some((name) => freshness.directives.has(name))) return undefined;
  if (facts.needsPublic && !isMarkedPublic(freshness)) return undefined;
  if (field('set-cookie') !== undefined || field('clear-site-data') !== undefined) return undefined;
  if (field('content-range') !== undefined || field('trailer') !== undefined) return undefined;
  if (/^text\/event-stream/i.test(String(field('content-type') ?? ''))) return undefined;
  if (!mayShareVariants(field, config)) return undefined;
  const lifetimeMs = lifetimeOf(facts, config);
  return lifetimeMs === undefined || lifetimeMs < 1 ? undefined : lifetimeMs;
}

/**
 * Whether the handler gave a response to everybody. `public, max-age=0` does not: it lets nobody serve it without asking here who may have it, and
 * `res.sendFile` writes it by default.
 */
export function isMarkedPublic({ directives, lifetimeMs }: Freshness): boolean {
  return directives.has('public') && lifetimeMs !== 0;
}

/** Targeted field, then the route's ttl (the handler's own word first), then Cache-Control and Expires. */
function lifetimeOf({ status, freshness, handlerTtlMs }: ResponseFacts, config: CacheConfig): number | undefined {
  if (freshness.isTargeted && freshness.lifetimeMs !== undefined) return freshness.lifetimeMs;
  const isNegative = NEGATIVE.has(status);
  const isCovered = COVERED_BY_TTL.has(status);
  // A handler may have set it before it failed: it covers no other errors.
  if (handlerTtlMs !== undefined && (isCovered || isNegative)) return handlerTtlMs;
  if (isCovered && config.ttlMs !== undefined) return config.ttlMs;
  return freshness.lifetimeMs ?? (isNegative ? config.negativeTtlMs : undefined);
}

/** A response that varies by who asks is stored only where the route declares how. */
function mayShareVariants(field: FieldReader, config: CacheConfig): boolean {
  const names = fieldNames(field('vary'));
  if (names.includes('*')) return false;
  const isDeclared = (name: string): boolean => config.vary.includes(name) || config.user !== undefined;
  if (names.includes('cookie') && config.cookies === 'bypass' && !isDeclared('cookie')) return false;
  return !names.includes('authorization') || isDeclared('authorization');
}
