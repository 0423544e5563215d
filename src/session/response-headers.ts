import { serialize } from 'cookie';
import type { Response } from 'express';
import type { Session } from 'express-session';
import type { SessionExchange } from './exchange.ts';

type Attributes = Parameters<typeof serialize>[2];

/**
 * Keeps a response that a session had a part in out of shared caches. Who said `public` has decided that, unless the response sets the session's cookie: that is for one user whatever
 * the handler says.
 */
export function addPrivacy(res: Response, hasCookie: boolean): void {
  if (hasCookie) addTargetedPrivacy(res);
  addVaryCookie(res);
  const text = res.getHeader('cache-control');
  if (text === undefined) {
    res.setHeader('Cache-Control', 'private');
    return;
  }
  const given = String(text)
    .split(',')
    .map((directive) => directive.trim())
    .filter((directive) => directive !== '');
  const isPublic = (directive: string): boolean => /^(?:public|s-maxage)\b/i.test(directive);
  if (given.some((directive) => /^(?:private|no-store)$/i.test(directive))) return;
  if (given.some(isPublic) && !hasCookie) return;
  const kept = given.filter((directive) => !isPublic(directive));
  res.setHeader('Cache-Control', ['private', ...kept].join(', '));
}

/** Without Express' own `vary`, which a server of WebSockets does not have: it runs the middleware before its handshakes. */
function addVaryCookie(res: Response): void {
  const given = [res.getHeader('vary') ?? []].flat().join(', ');
  if (/(?:^|,)\s*(?:\*|cookie)\s*(?:,|$)/i.test(given)) return;
  res.setHeader('Vary', given === '' ? 'Cookie' : `${given}, Cookie`);
}

/** Those who obey a header of their own do not look at `Cache-Control` (RFC 9213). */
function addTargetedPrivacy(res: Response): void {
  for (const name of res.getHeaderNames()) if (name.endsWith('cdn-cache-control')) res.setHeader(name, 'private');
  res.removeHeader('surrogate-control');
}

/** Adds to a list of its own: the one that is there may be the application's, for every response. */
function appendCookie(res: Response, line: string): void {
  const given = res.getHeader('set-cookie');
  if (given === undefined) res.setHeader('Set-Cookie', line);
  else res.setHeader('Set-Cookie', [...(Array.isArray(given) ? given : [String(given)]), line]);
}

/** Sends the cookie of a new session, sends that of a known one again where it is time for that, and takes back that of one that has ended. True when it did one of them. */
export function sendCookie(exchange: SessionExchange, session: Session | undefined, isSaved: boolean): boolean {
  const { req, res, cookie, sent, store } = exchange;
  if (session === undefined) return false;
  if (sent !== undefined && store.isBlank(session)) {
    const { expires: _expires, maxAge: _maxAge, ...attributes } = cookie.attributes(req);
    const past = { path: '/', ...attributes, expires: new Date(0) } as Attributes; // As express-session defaults it.
    appendCookie(res, serialize(cookie.name, '', past));
    return true;
  }
  const { sessionID } = req as { sessionID?: unknown };
  if (typeof sessionID !== 'string' || !isCookieDue(exchange, session, isSaved)) return false;
  if (session.cookie.secure === true && !cookie.isSecure(req)) return false;
  session.touch();
  const { data } = session.cookie as unknown as { data: Attributes };
  appendCookie(res, serialize(cookie.name, cookie.sign(sessionID), data));
  return true;
}

function isCookieDue(exchange: SessionExchange, session: Session, isSaved: boolean): boolean {
  const { req, store, engine, options, sent } = exchange;
  const base = store.baseOf(session);
  if (req.sessionID !== sent?.id) return isSaved || base !== undefined; // The client does not know it yet.
  if (sent.isOld) return true; // Signed with the new secret.
  const expires = typeof session.cookie.originalMaxAge === 'number';
  if (base === undefined || !expires) return false;
  return isSaved || base.isWritten === true || (options.rolling !== false && engine.isTouchDue(base, session)); // Its end has moved.
}
