import type { Request } from 'express';
import { ipKeyGenerator } from 'express-rate-limit';
import { ConfigError, LimitKeyError } from '../core/errors.ts';
import { canonicalAddress } from './client-address.ts';

/** Names the client of a request. */
export type RequestKey = (req: Request) => string | Promise<string>;

/** Bits of an IPv6 address that belong to one client. */
const DEFAULT_SUBNET = 56;

/**
 * The client's address: an IPv6 client is its /56 network, IPv4 in any disguise (mapped, NAT64) is IPv4. Express' `trust proxy` must say how many proxies are yours.
 *
 * @throws {ConfigError} At a request, when `trust proxy` is `true`: every client could write an address of its choice into X-Forwarded-For.
 */
export function ip(options: { readonly subnet?: number } = {}): (req: Request) => string {
  const { subnet = DEFAULT_SUBNET } = options;
  if (!Number.isInteger(subnet) || subnet < 32 || subnet > 128) {
    throw new ConfigError('subnet: write how many bits of an IPv6 address make a client, from 32 to 128.');
  }
  return (req) => {
    const address = addressOf(req);
    if (address === undefined) throw new LimitKeyError(`The client's address is not an IP address.`);
    return address.includes(':') ? ipKeyGenerator(address, subnet) : address;
  };
}

/** Once per process: a client can send the header as well. */
let hasWarned = false;

function warnOfProxy(): void {
  hasWarned = true;
  process.emitWarning(
    "A request came with X-Forwarded-For, but 'trust proxy' is not set: behind a proxy all clients share the limit of its address. Say how many proxies are yours: app.set('trust proxy', 1). Without one, ignore this.",
    'ExpressRedisSuiteWarning',
  );
}

/**
 * The address of a request, in its one spelling.
 *
 * @throws {ConfigError} When clients choose it.
 */
export function addressOf(req: Request): string | undefined {
  const trusted: unknown = req.app.get('trust proxy');
  if (trusted === true) {
    throw new ConfigError(
      "'trust proxy' is true, so clients choose their own address. Say how many proxies are yours: app.set('trust proxy', 1).",
    );
  }
  if (trusted === false && !hasWarned && req.headers['x-forwarded-for'] !== undefined) warnOfProxy();
  return req.ip === undefined ? undefined : canonicalAddress(req.ip);
}

/** Who has logged in; others by `otherwise`. Default: `req.user.id`, and the address. */
export function user(
  select: (req: Request) => string | number | undefined = ownId,
  otherwise: RequestKey = ip(),
): RequestKey {
  return async (req) => {
    const id = select(req);
    return id === undefined ? `anonymous:${await otherwise(req)}` : `user:${toText(id, 'user')}`;
  };
}

function ownId(req: Request): string | number | undefined {
  return (req as { user?: { id?: string | number } }).user?.id;
}

/** A request header, such as an API key; requests without it by `otherwise`. A client may send what it likes: check the key before, or its owner has as many limits as keys. */
export function header(name: string, otherwise: RequestKey = ip()): RequestKey {
  return async (req) => {
    const value = req.get(name);
    return value === undefined || value === '' ? `none:${await otherwise(req)}` : `header:${value}`;
  };
}

/** A cookie, read by cookie-parser (signed ones first); requests without it by `otherwise`. */
export function cookie(name: string, otherwise: RequestKey = ip()): RequestKey {
  return async (req) => {
    const { signedCookies, cookies } = req as { signedCookies?: Cookies; cookies?: Cookies };
    const value = own(signedCookies, name) ?? own(cookies, name);
    if (value === undefined || value === '' || value === false) return `none:${await otherwise(req)}`;
    return `cookie:${toText(value, `cookie ${name}`)}`;
  };
}

type Cookies = Readonly<Record<string, unknown>>;

function own(cookies: Cookies | undefined, name: string): unknown {
  return cookies !== undefined && Object.hasOwn(cookies, name) ? cookies[name] : undefined;
}

/** Several keys as one: every combination is a client. No part can be spelled to reach into the next. */
export function combine(...keys: readonly RequestKey[]): RequestKey {
  if (keys.length === 0) throw new ConfigError('combine takes keys, such as combine(ip(), user()).');
  return async (req) => {
    const parts = await Promise.all(keys.map(async (key) => key(req)));
    return parts.map((part) => encodeURIComponent(toText(part, 'combine').toWellFormed())).join('|');
  };
}

function toText(value: unknown, what: string): string {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  if (typeof value === 'string' && value !== '') return value;
  throw new LimitKeyError(`${what}: the key of a limit must be a non-empty string, not ${typeof value}.`);
}
