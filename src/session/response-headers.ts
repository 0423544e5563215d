import { serialize } from 'cookie';
import type { Response } from 'express';
import type { SessionExchange } from './exchange.ts';
import { compare, toFields } from './session-data.ts';

/**
 * Keeps a response that a session had a part in out of shared caches. Who said `public` has decided that, unless the response sets the session's cookie: that is for one user whatever
 * the handler says.
 */
export function addPrivacy(res: Response, hasCookie: boolean): void {
  res.vary('Cookie');
  const given = String(res.getHeader('cache-control') ?? '')
    .split(',')
    .map((directive) => directive.trim())
    .filter((directive) => directive !== '');
  const isPublic = (directive: string): boolean => /^(?:public|s-maxage)\b/i.test(directive);
  if (given.some((directive) => /^(?:private|no-store)$/i.test(directive))) return;
  if (given.some(isPublic) && !hasCookie) return;
  const kept = given.filter((directive) => !isPublic(directive));
  res.setHeader('Cache-Control', ['private', ...kept].join(', '));
}

/** Sends the cookie of a known session again: signed with the new secret, or because its idle timeout begins anew; takes back that of one that has ended. True when it did. */
export function renewCookie(exchange: SessionExchange): boolean {
  const { req, res, cookie, originalId, sent, store } = exchange;
  if (isObject(req.session) && store.isBlank(req.session) && sent() !== undefined) {
    const { expires: _expires, maxAge: _maxAge, ...attributes } = cookie.attributes(req);
    const value = serialize(cookie.name, '', { ...attributes, expires: new Date(0) } as Parameters<
      typeof serialize
    >[2]);
    res.appendHeader('Set-Cookie', value);
    return true;
  }
  const { session, sessionID } = req as Partial<SessionExchange['req']>;
  if (session === undefined || sessionID === undefined || sessionID !== originalId) return false; // express-session sets that of a new one.
  const attributes = session.cookie as unknown as { data: Parameters<typeof serialize>[2]; secure?: boolean };
  if (attributes.secure === true && !cookie.isSecure(req)) return false;
  if (!mustRenew(exchange)) return false;
  session.touch();
  res.appendHeader('Set-Cookie', serialize(cookie.name, cookie.sign(sessionID), attributes.data));
  return true;
}

function mustRenew({ req, store, engine, options, sent, cookie }: SessionExchange): boolean {
  const { session } = req;
  const base = store.baseOf(session);
  if (base === undefined || store.isDetached(session)) return false;
  const expires = typeof session.cookie.originalMaxAge === 'number';
  if (expires && compare(base.record.fields, toFields(session)).changed.length > 0) return false; // express-session does it.
  return (
    (cookie.secrets.length > 1 && sent()?.isOld === true) ||
    (expires && options.rolling !== false && engine.isTouchDue(base, session))
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
