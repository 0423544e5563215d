import type { Entry } from '../cache/entry.ts';
import type { Found } from '../cache/store.ts';
import type { RequestDirectives } from './request-directives.ts';
import type { ResponseHead } from './response-head.ts';

/** A stored response that this request may have. */
export interface Stored extends Found {
  readonly head: ResponseHead;
}

/** What to do with a stored response: send it, send it and make it anew meanwhile, or ask the handler, and why. */
export type Decision = 'serve' | 'serve-and-refresh' | 'stale' | 'request';

/** RFC 9111 §4: whether a stored response answers a request as it is. */
export function decide(stored: Stored, wanted: RequestDirectives): Decision {
  if (wanted.noCache || wanted.noStore) return 'request';
  const ageMs = totalAge(stored);
  if (wanted.maxAgeMs !== undefined && ageMs > wanted.maxAgeMs) return 'request';
  if (stored.state === 'fresh') return stored.entry.freshMs - stored.ageMs < wanted.minFreshMs ? 'request' : 'serve';
  // max-age without max-stale takes nothing stale (§5.2.1.1).
  if (wanted.minFreshMs > 0 || (wanted.maxAgeMs !== undefined && wanted.maxStaleMs === 0)) return 'request';
  const { staleWhileRevalidate = 0 } = stored.head;
  if (isSoftlyPurged(stored) ? stored.head.revalidate !== 'must' : staleBy(stored) < staleWhileRevalidate) {
    return 'serve-and-refresh';
  }
  return stored.head.revalidate === undefined && staleBy(stored) < wanted.maxStaleMs ? 'serve' : 'stale';
}

/** Whether a stored response may take the place of an error. `allowed`: the policy lets it wherever nothing forbids it. */
export function mayReplaceError(
  stored: Stored,
  wanted: RequestDirectives,
  staleOnError: 'declared' | 'allowed',
): boolean {
  const { revalidate, staleIfError = 0 } = stored.head;
  if (wanted.noCache || wanted.noStore) return false;
  if (stored.state === 'fresh') return true;
  if (revalidate === 'must') return false;
  if (isSoftlyPurged(stored)) return true;
  if (staleBy(stored) < staleIfError) return true;
  return revalidate === undefined && (staleOnError === 'allowed' || staleBy(stored) < wanted.staleIfErrorMs);
}

/** A purge ended its lifetime, not time. */
function isSoftlyPurged({ state, ageMs, entry }: Stored): boolean {
  return state === 'stale' && ageMs < entry.freshMs;
}

/** By how much it is past its lifetime, in milliseconds. */
function staleBy({ ageMs, entry }: Stored): number {
  return ageMs - entry.freshMs;
}

/** Its age as clients are told: since it was stored, and before that. */
export function totalAge({ ageMs, head }: Pick<Stored, 'ageMs' | 'head'>): number {
  return ageMs + (head.age ?? 0);
}

/** What is left of its lifetime, for Cache-Status; below 0 when it is stale. */
export function ttlOf(stored: Stored): number {
  const leftMs = stored.entry.freshMs - stored.ageMs;
  return isSoftlyPurged(stored) ? -1 : leftMs;
}

/** Whether all of the body was read. */
export function isWhole({ body, bodyBytes }: Entry): boolean {
  return body.length === bodyBytes;
}
