import type { Request } from 'express';
import type { CacheConfig } from './options.ts';

/** Why the cache stays out of a request, in the words of Cache-Status (RFC 9211 §2.2). */
export type Bypass = 'method' | 'bypass';

/** Only the handler can judge these (RFC 9110 §13.1, §7.8). */
const HANDLERS_OWN = ['if-match', 'if-unmodified-since', 'upgrade'] as const;

/** Whether the cache may look at all: GET and HEAD without a body ("fat GET" is not told apart by the key) or preconditions that are the handler's. */
export function bypassOf(req: Request, { policy }: Pick<CacheConfig, 'policy'>): Bypass | undefined {
  const isQuery = req.method === 'QUERY' && policy.query === 'cache';
  if (req.method !== 'GET' && req.method !== 'HEAD' && !isQuery) return 'method';
  // A full URL or a fragment in the request line: parsers disagree about what is path and query then.
  if (!req.originalUrl.startsWith('/') || req.originalUrl.includes('#')) return 'bypass';
  const { headers } = req;
  if (!isQuery && hasBody(req)) return 'bypass';
  for (const name of HANDLERS_OWN) if (headers[name] !== undefined) return 'bypass';
  return undefined;
}

export function hasBody({ headers }: Request): boolean {
  if (headers['transfer-encoding'] !== undefined) return true;
  return headers['content-length'] !== undefined && headers['content-length'] !== '0';
}

/** Whether a request says who is asking in a way that the key does not hold, so that it shares only what is for everybody. */
export function isCredentialed(req: Request, config: CacheConfig, user: string | undefined): boolean {
  if (user !== undefined) return false;
  if (hasUnkeyedAuthorization(req, config)) return true;
  const areCookiesOpen = config.cookies === 'bypass' || config.cookies === 'track';
  return areCookiesOpen && req.headers.cookie !== undefined && !config.vary.includes('cookie');
}

function hasUnkeyedAuthorization(req: Request, config: CacheConfig): boolean {
  return config.policy.authorization === 'public' && hasAuthorization(req, config);
}

/** Whether RFC 9111 §3.5 is about this request: what answers it may be shared with all who ask, once it may be stored. */
export function isAuthorizedByTheBook(req: Request, config: CacheConfig): boolean {
  return config.policy.authorization === 'rfc9111' && hasAuthorization(req, config);
}

/** Authorization that the key does not hold. */
function hasAuthorization(req: Request, { vary, user }: CacheConfig): boolean {
  return req.headers.authorization !== undefined && !vary.includes('authorization') && user === undefined;
}
