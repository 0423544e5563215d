import { parse } from 'cookie';
import { sign, unsign } from 'cookie-signature';
import type { Request } from 'express';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { CookieOptions } from 'express-session';
import { ConfigError } from '../core/errors.ts';
import type { Secret, SessionCookieOptions, SessionOptions } from './options.ts';

/** The id a request's cookie proves, and whether an older secret has signed it. */
export interface SentCookie {
  readonly id: string;
  readonly isOld: boolean;
}

/** How the id of a session travels. */
export interface SessionCookie {
  readonly name: string;
  /** The first signs, all verify. */
  readonly secrets: readonly [Secret, ...Secret[]];
  /** Attributes for a new session of a request. */
  attributes(req: Request): CookieOptions;
  /** Where the cookie is sent to. */
  pathFor(req: Request): string;
  read(req: Pick<IncomingMessage, 'headers'>): SentCookie | undefined;
  /** Value of the cookie for an id. */
  sign(id: string): string;
  isSecure(req: Request): boolean;
}

const MIN_SECRET_BYTES = 32;
/** Of one name. Somebody with a page on a neighbouring domain can send more, and each costs a signature. */
const MAX_COOKIES = 10;

/**
 * @throws {ConfigError} When there is no secret, one is too short, or an attribute contradicts another.
 */
export function toSessionCookie(options: SessionOptions): SessionCookie {
  const secrets = toSecrets(options.secret);
  const { cookie = {}, proxy } = options;
  if (typeof cookie !== 'function') checkAttributes(cookie);
  const name = options.name ?? nameFor(cookie);
  if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(name)) throw new ConfigError(`name: ${JSON.stringify(name)} is no cookie name.`);
  if (typeof cookie !== 'function') checkPrefix(name, cookie);
  const isSecure = (req: Request): boolean => isSecureRequest(req, proxy);
  return {
    name,
    secrets,
    isSecure,
    attributes: (req) => resolve(typeof cookie === 'function' ? cookie(req) : cookie, isSecure(req)),
    pathFor: (req) => (typeof cookie === 'function' ? cookie(req) : cookie).path ?? '/',
    sign: (id) => `s:${sign(id, secrets[0])}`,
    read({ headers: { cookie: header } }) {
      const first = header === undefined ? undefined : parse(header)[name];
      if (header === undefined || first === undefined) return undefined;
      return verify(first, secrets) ?? verifyAny(valuesOf(header, name), secrets);
    },
  };
}

function verify(value: string, secrets: readonly Secret[]): SentCookie | undefined {
  if (!value.startsWith('s:')) return undefined;
  for (const [age, secret] of secrets.entries()) {
    const id = unsign(value.slice(2), secret);
    if (id !== false) return { id, isOld: age > 0 };
  }
  return undefined;
}

function verifyAny(values: readonly string[], secrets: readonly Secret[]): SentCookie | undefined {
  for (const value of values.slice(0, MAX_COOKIES)) {
    const found = verify(value, secrets);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A cookie that was set for a domain above, or for another path, comes beside the session's own, in any order. */
function valuesOf(header: string, name: string): string[] {
  return header.split(';').flatMap((pair) => parse(pair)[name] ?? []);
}

function toSecrets(secret: SessionOptions['secret']): readonly [Secret, ...Secret[]] {
  const [first, ...others] = isSecret(secret) ? [secret] : (secret ?? []);
  if (first === undefined) {
    throw new ConfigError('secret: sessions need one. Make one with: openssl rand -base64 32');
  }
  for (const one of [first, ...others]) {
    if (!isSecret(one) || Buffer.byteLength(one) < MIN_SECRET_BYTES) {
      throw new ConfigError(
        `secret: each has ${MIN_SECRET_BYTES} random characters or more. Make one with: openssl rand -base64 32`,
      );
    }
  }
  return [first, ...others];
}

function isSecret(value: unknown): value is Secret {
  return typeof value === 'string' || value instanceof Uint8Array;
}

/** A name with a prefix is accepted by browsers only with the attributes it promises: nobody can set it from a subdomain or over plain HTTP. */
function nameFor(cookie: Required<SessionOptions>['cookie']): string {
  if (typeof cookie === 'function' || cookie?.secure !== true) return 'sid';
  return isHostOnly(cookie) ? '__Host-sid' : '__Secure-sid';
}

function isHostOnly({ domain, path = '/' }: SessionCookieOptions): boolean {
  return domain === undefined && path === '/';
}

function checkAttributes(cookie: SessionCookieOptions): void {
  if (cookie.partitioned === true && cookie.secure !== true) {
    throw new ConfigError('cookie.partitioned: browsers take it only with cookie.secure: true.');
  }
  if (cookie.sameSite === 'none' && cookie.secure === false) {
    throw new ConfigError("cookie.sameSite: browsers take 'none' only with cookie.secure: true.");
  }
  const { maxAge } = cookie as { maxAge?: unknown };
  if (maxAge !== undefined && maxAge !== null && (typeof maxAge !== 'number' || !(maxAge >= 1_000))) {
    throw new ConfigError(`cookie.maxAge: write milliseconds, 1000 at least, not ${JSON.stringify(maxAge)}.`);
  }
}

function checkPrefix(name: string, cookie: SessionCookieOptions): void {
  const isFine = name.startsWith('__Host-')
    ? cookie.secure === true && isHostOnly(cookie)
    : !name.startsWith('__Secure-') || cookie.secure === true;
  if (!isFine) {
    throw new ConfigError(
      `name: browsers take ${name} only with cookie.secure: true${name.startsWith('__Host-') ? ", path '/' and no domain" : ''}.`,
    );
  }
}

/** `auto` follows the connection. express-session 1.19 itself does not resolve it where attributes come from a function. */
function resolve(cookie: SessionCookieOptions, isSecure: boolean): CookieOptions {
  const { secure = 'auto', sameSite = 'lax', ...others } = cookie;
  return {
    httpOnly: true,
    ...others,
    secure: secure === 'auto' ? isSecure : secure,
    sameSite: sameSite === 'auto' ? (isSecure ? 'none' : 'lax') : sameSite,
  };
}

/** As express-session decides it. */
function isSecureRequest(req: Request, proxy: boolean | undefined): boolean {
  if ((req.socket as Partial<TLSSocket>).encrypted === true) return true;
  if (proxy === undefined) return req.secure;
  const forwarded = req.headers['x-forwarded-proto'];
  return (
    proxy &&
    String(forwarded ?? '')
      .split(',')[0]
      ?.trim()
      .toLowerCase() === 'https'
  );
}
