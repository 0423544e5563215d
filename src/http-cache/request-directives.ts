import type { Request } from 'express';
import { parseCacheControl, secondsOf } from './cache-control.ts';
import type { PolicyConfig } from './policy.ts';

/** What a client asks of caches on the way (RFC 9111 §5.2.1). */
export interface RequestDirectives {
  readonly noStore: boolean;
  readonly noCache: boolean;
  readonly onlyIfCached: boolean;
  /** The oldest response it takes. */
  readonly maxAgeMs: number | undefined;
  /** How much longer a response must be fresh. */
  readonly minFreshMs: number;
  /** By how much a response may be past its lifetime. */
  readonly maxStaleMs: number;
  /** By how much, when the handler fails (RFC 5861 §4). */
  readonly staleIfErrorMs: number;
}

const NONE: RequestDirectives = Object.freeze({
  noStore: false,
  noCache: false,
  onlyIfCached: false,
  maxAgeMs: undefined,
  minFreshMs: 0,
  maxStaleMs: 0,
  staleIfErrorMs: 0,
});

/** Reads the client's directives, if the policy honours them. */
export function requestDirectives(req: Request, policy: PolicyConfig): RequestDirectives {
  const { 'cache-control': field, pragma } = req.headers;
  if ((field === undefined && pragma === undefined) || !policy.honorsDirectives(req)) return NONE;
  // Pragma counts only where there is no Cache-Control (RFC 9111 §5.4).
  if (field === undefined) return { ...NONE, noCache: /(?:^|[\s,])no-cache(?:[\s,]|$)/i.test(String(pragma)) };
  const directives = parseCacheControl(field);
  return {
    noStore: directives.has('no-store'),
    noCache: directives.has('no-cache'),
    onlyIfCached: directives.has('only-if-cached'),
    maxAgeMs: secondsOf(directives, 'max-age'),
    minFreshMs: secondsOf(directives, 'min-fresh') ?? 0,
    maxStaleMs: directives.get('max-stale') === true ? Infinity : (secondsOf(directives, 'max-stale') ?? 0),
    staleIfErrorMs: secondsOf(directives, 'stale-if-error') ?? 0,
  };
}
