import type { Request } from 'express';
import { type Duration, toMs } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';

/** How the cache decides: every switch of the two ready policies can be set on its own. */
export interface CachePolicy {
  /** Directives of the client's own Cache-Control and Pragma (RFC 9111 §5.2.1). A function says for which requests they are honoured. */
  readonly requestDirectives: 'ignore' | 'honor' | ((req: Request) => boolean);
  /** Responses that set cookies: not stored, stored without them, or stored with them. */
  readonly setCookie: 'refuse' | 'strip' | 'store';
  /** Requests with cookies, unless the route says otherwise in `cookies`. */
  readonly cookies: 'track' | 'bypass' | 'ignore';
  /** Requests with Authorization share only responses marked `public`; by RFC 9111 §3.5 also those with `must-revalidate` or `s-maxage`. */
  readonly authorization: 'public' | 'rfc9111';
  /** `Vary: Cookie` and `Vary: Authorization`: stored only where the route declares them, or one variant for each value. */
  readonly varyByCredentials: 'declared' | 'vary';
  /** Fraction of a response's age since Last-Modified that it counts as fresh, if it does not say (RFC 9111 §4.2.2). 0: off. */
  readonly heuristicFraction: number;
  /** The most that this gives. */
  readonly maxHeuristic: Duration;
  /** Statuses that may be stored: the safe ones (never 5xx), or any that is final. Errors always need a lifetime of their own; 428, 429, 431 and 511 are never stored (RFC 6585). */
  readonly statuses: 'safe' | 'any';
  /** `private="field"` and `no-cache="field"`: about the whole response, or about these fields (RFC 9111 §5.2.2.4, §5.2.2.7). */
  readonly qualifiedDirectives: 'whole' | 'fields';
  /** `must-understand` (RFC 9111 §5.2.2.3). */
  readonly mustUnderstand: 'ignore' | 'honor';
  /** Stale responses when the handler fails: where a `stale-if-error` allows it, or wherever nothing forbids it (RFC 9111 §4.2.4). */
  readonly staleOnError: 'declared' | 'allowed';
  /** Lifetimes: of the route as well, or of the response's headers alone. */
  readonly lifetime: 'route' | 'headers';
  /** Response fields for shared caches, the most specific first (RFC 9213). */
  readonly targetedFields: readonly string[];
  /** How long stale responses are kept, to be validated or served instead of errors. */
  readonly retain: Duration;
  /** 206 responses: passed on, or stored, used and completed (RFC 9111 §3.3, §3.4). */
  readonly partial: 'pass' | 'store';
  /** Responses to POST with the request's own URL in Content-Location and a lifetime: passed on, or stored for GET (RFC 9110 §9.3.3). */
  readonly post: 'pass' | 'store';
  /** QUERY requests: passed on, or cached by URL and body (RFC 10008). */
  readonly query: 'pass' | 'cache';
  /** A weak ETag for stored responses without one. */
  readonly etag: 'add' | 'keep';
  /** Accept-Encoding and Accept-Language are brought into one spelling for key and handler, and blanks around commas do not count in what `Vary` names. */
  readonly normalize: boolean;
}

/** The origin is this program: its handlers are trusted, clients are not. */
export const appPolicy: CachePolicy = Object.freeze({
  requestDirectives: 'ignore',
  setCookie: 'refuse',
  cookies: 'track',
  authorization: 'public',
  varyByCredentials: 'declared',
  heuristicFraction: 0,
  maxHeuristic: '1d',
  statuses: 'safe',
  qualifiedDirectives: 'whole',
  mustUnderstand: 'ignore',
  staleOnError: 'declared',
  lifetime: 'route',
  targetedFields: Object.freeze(['CDN-Cache-Control']),
  retain: 0,
  partial: 'pass',
  post: 'pass',
  query: 'pass',
  etag: 'add',
  normalize: false,
});

/** A shared cache in front of a stranger's origin, by the book (RFC 9111). */
export const rfc9111Policy: CachePolicy = Object.freeze({
  requestDirectives: 'honor',
  setCookie: 'store',
  cookies: 'ignore',
  authorization: 'rfc9111',
  varyByCredentials: 'vary',
  heuristicFraction: 0.1,
  maxHeuristic: '1d',
  statuses: 'any',
  qualifiedDirectives: 'fields',
  mustUnderstand: 'honor',
  staleOnError: 'allowed',
  lifetime: 'headers',
  targetedFields: Object.freeze(['CDN-Cache-Control']),
  retain: '1d',
  partial: 'store',
  post: 'store',
  query: 'cache',
  etag: 'keep',
  normalize: true,
});

/** {@link CachePolicy}, resolved. */
export interface PolicyConfig extends Omit<CachePolicy, 'requestDirectives' | 'maxHeuristic' | 'retain'> {
  readonly honorsDirectives: (req: Request) => boolean;
  /** The client's directives are the handler's to see, also while the cache asks it a question of its own. */
  readonly forwardsDirectives: boolean;
  readonly maxHeuristicMs: number;
  readonly retainMs: number;
}

const WORDS = {
  setCookie: ['refuse', 'strip', 'store'],
  cookies: ['track', 'bypass', 'ignore'],
  authorization: ['public', 'rfc9111'],
  varyByCredentials: ['declared', 'vary'],
  statuses: ['safe', 'any'],
  qualifiedDirectives: ['whole', 'fields'],
  mustUnderstand: ['ignore', 'honor'],
  staleOnError: ['declared', 'allowed'],
  lifetime: ['route', 'headers'],
  partial: ['pass', 'store'],
  post: ['pass', 'store'],
  query: ['pass', 'cache'],
  etag: ['add', 'keep'],
  normalize: [true, false],
} as const satisfies Partial<Record<keyof CachePolicy, readonly unknown[]>>;

/**
 * Checks and resolves a policy. Switches that are not given are those of {@link appPolicy}.
 *
 * @throws {ConfigError} When it is none, or a switch has no such position.
 */
export function toPolicy(policy: 'app' | 'rfc9111' | Partial<CachePolicy>): PolicyConfig {
  if (policy === 'app') return resolve(appPolicy);
  if (policy === 'rfc9111') return resolve(rfc9111Policy);
  if (typeof policy !== 'object' || (policy as unknown) === null) {
    throw new ConfigError("policy is 'app', 'rfc9111' or an object such as { ...rfc9111Policy, setCookie: 'refuse' }.");
  }
  checkOptions('policy', policy, Object.keys(appPolicy));
  const given = (Object.entries(policy) as [string, unknown][]).filter(([, value]) => value !== undefined);
  return resolve({ ...appPolicy, ...(Object.fromEntries(given) as Partial<CachePolicy>) });
}

function resolve(policy: CachePolicy): PolicyConfig {
  for (const [name, words] of Object.entries(WORDS) as [keyof typeof WORDS, readonly unknown[]][]) {
    if (!words.includes(policy[name])) throw new ConfigError(`policy.${name} is one of ${words.join(', ')}.`);
  }
  const { requestDirectives, heuristicFraction, maxHeuristic, retain, targetedFields, ...rest } = policy;
  const fraction: unknown = heuristicFraction;
  if (typeof fraction !== 'number' || !(fraction >= 0 && fraction <= 1)) {
    throw new ConfigError('policy.heuristicFraction is a number from 0 to 1.');
  }
  const fields: unknown = targetedFields;
  if (!Array.isArray(fields) || !fields.every((name) => typeof name === 'string' && name !== '')) {
    throw new ConfigError('policy.targetedFields is a list of field names.');
  }
  return {
    ...rest,
    heuristicFraction,
    targetedFields,
    honorsDirectives: toPredicate(requestDirectives),
    forwardsDirectives: requestDirectives === 'honor',
    maxHeuristicMs: toMs(maxHeuristic, 'policy.maxHeuristic'),
    retainMs: toMs(retain, 'policy.retain'),
  };
}

function toPredicate(requestDirectives: CachePolicy['requestDirectives']): (req: Request) => boolean {
  if (typeof requestDirectives === 'function') return requestDirectives;
  if (['ignore', 'honor'].includes(requestDirectives)) return () => requestDirectives === 'honor';
  throw new ConfigError('policy.requestDirectives is ignore, honor or a function of the request.');
}
