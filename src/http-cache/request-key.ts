import type { Request } from 'express';
import { digest } from '../core/digest.ts';
import type { CacheConfig } from './options.ts';

/** What a request asks for, as far as the cache tells requests apart. */
export interface RequestKey {
  /** What the user of this package sees and can purge by: `api:GET:/products?page=2`, or what `key` returned. */
  readonly name: string;
  /** Path and query, for the URL's tag. */
  readonly url: string;
  /** Where responses without `Vary` are stored. Injective: no part can be spelled so that it reaches into the next. */
  readonly address: string;
  /** Where the response for these values of the request headers in `Vary` is stored. */
  variant(names: readonly string[]): string;
}

/** The key of a request: scheme, host as Express trusts them, everything declared, and path and query or what `key` makes of the request. */
export function requestKey(req: Request, config: CacheConfig, user: string | undefined): RequestKey {
  const origin = originOf(req);
  const url = config.query === undefined ? req.originalUrl : withQuery(req.originalUrl, config.query);
  const name = config.keyPrefix + (config.key === undefined ? `GET:${url}` : customKey(config.key, req));
  const declared = declaredParts(req, config, user);
  // A custom key and a URL never share an address, or a client could spell a URL like another route's key.
  const kind = config.key === undefined ? 'u' : 'k';
  return {
    name,
    url,
    address: `h:${origin}|${declared}|${kind}|${name}`,
    variant: (names) => `h:${origin}|${declared}~${headerDigest(req, names)}|${kind}|${name}`,
  };
}

function customKey(key: (req: Request) => string, req: Request): string {
  const custom: unknown = key(req);
  if (typeof custom !== 'string') throw new TypeError(`cache: key(req) must return a string, not ${typeof custom}.`);
  return custom;
}

/** Headers, user and cookies as one hash, because they may be credentials; nothing when none is declared. */
function declaredParts(req: Request, config: CacheConfig, user: string | undefined): string {
  if (config.vary.length === 0 && user === undefined && typeof config.cookies === 'string') return '';
  const cookies = typeof config.cookies === 'string' ? [] : config.cookies.map((name) => cookieValues(req, name));
  return digest(JSON.stringify([config.vary.map((name) => req.headers[name] ?? null), user ?? null, cookies]));
}

function headerDigest(req: Request, names: readonly string[]): string {
  return digest(JSON.stringify(names.map((name) => [name, req.headers[name] ?? null])));
}

/** All values of a cookie: a parser may take the first or the last. */
function cookieValues(req: Request, name: string): string[] {
  return (req.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`));
}

/** Scheme and host. Forwarded ones count only where Express' `trust proxy` says so. Escaped: a Host header may hold anything. */
function originOf(req: Request): string {
  return `${encodeURIComponent(req.protocol)}://${encodeURIComponent(hostOf(req))}`;
}

function hostOf(req: Request): string {
  const { host = req.headers[':authority'] ?? '' } = req.headers;
  const forwarded = req.headers['x-forwarded-host'];
  if (typeof forwarded !== 'string') return String(host);
  const isTrusted = req.app.get('trust proxy fn') as
    ((address: string | undefined, hop: number) => boolean) | undefined;
  return isTrusted?.(req.socket.remoteAddress, 0) === true ? (forwarded.split(',', 1)[0] ?? '').trim() : String(host);
}

/**
 * The URL with the declared parameters only, in their declared order. A parameter counts under its decoded name, and `page[]` or `page[a]` count as `page`: query
 * parsers hand them to handlers under that name.
 */
function withQuery(url: string, names: readonly string[]): string {
  const at = url.indexOf('?');
  if (at < 0) return url;
  const sent: [string, string][] = [...new URLSearchParams(url.slice(at))];
  const kept = names.flatMap((name) => sent.filter(([key]) => key === name || key.startsWith(`${name}[`)));
  const query = new URLSearchParams(kept).toString();
  return query === '' ? url.slice(0, at) : `${url.slice(0, at)}?${query}`;
}
