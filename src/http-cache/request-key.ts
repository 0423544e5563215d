import { unescape } from 'node:querystring';
import type { Request } from 'express';
import { digest } from '../core/digest.ts';
import { collapseBlanks } from './normalize.ts';
import type { CacheConfig } from './options.ts';

/** What a request is told apart by beside its URL and headers. */
interface Distinction {
  readonly user?: string | undefined;
  /** A digest of its body. */
  readonly body?: string | undefined;
}

/** What a request asks for, as far as the cache tells requests apart: scheme, host as Express trusts them, everything declared, and path and query or what `key` makes of the request. */
export class RequestKey {
  /** What the user of this package sees and can purge by: `api:GET:/products?page=2`, or what `key` returned. */
  readonly name: string;
  /** Path and query, for the URL's tag. */
  readonly url: string;
  /** Scheme and host: what groups belong to. */
  readonly origin: string;
  /** Where responses without `Vary` are stored. Injective: no part can be spelled so that it reaches into the next. */
  readonly address: string;
  private readonly req: Request;
  private readonly config: CacheConfig;
  private readonly declared: string;
  private readonly place: string;

  constructor(req: Request, config: CacheConfig, { user, body }: Distinction = {}) {
    this.req = req;
    this.config = config;
    this.origin = originOf(req);
    this.url = withQuery(req.originalUrl, config.query);
    this.name =
      config.keyPrefix + (config.key === undefined ? `${methodOf(req)}:${this.url}` : customKey(config.key, req));
    this.declared = declaredParts(req, config, user);
    // A custom key and a URL never share an address, or a client could spell a URL like another route's key; nor do two prefixes, of which one may continue the other.
    const content = body === undefined ? '' : `q${body}`;
    const kind = config.key === undefined ? `u${rewritingOf(req, this.url, config)}` : 'k';
    this.place = `${content}${kind}|${config.keyPrefix.length}|${this.name}`;
    this.address = `h:${this.origin}|${this.declared}|${this.place}`;
  }

  /** Where the response for these values of the request headers in `Vary` is stored. */
  variant(names: readonly string[]): string {
    const values = headerDigest(this.req, names, this.config.policy.normalize);
    return `h:${this.origin}|${this.declared}~${values}|${this.place}`;
  }
}

/** Where middleware gave the request another URL, from a header perhaps, that URL counts as well. */
function rewritingOf(req: Request, url: string, { query }: CacheConfig): string {
  const current = req.baseUrl + req.url;
  if (current === req.originalUrl) return '';
  const rewritten = withQuery(current, query);
  return rewritten === url ? '' : digest(rewritten);
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

/** HEAD, and POST whose response is stored for GET, mean the same response as GET. */
function methodOf({ method }: Request): 'GET' | 'QUERY' {
  return method === 'QUERY' ? method : 'GET';
}

/** Values may be credentials, so only a hash of them is in a key. */
function headerDigest(req: Request, names: readonly string[], isNormalized: boolean): string {
  const valueOf = (name: string): unknown => {
    const value = req.headers[name] ?? null;
    return isNormalized && typeof value === 'string' ? collapseBlanks(value) : value;
  };
  return digest(JSON.stringify(names.map((name) => [name, valueOf(name)])));
}

/** All values of a cookie: a parser may take the first or the last. Parsers pass over blanks around its name. */
function cookieValues(req: Request, name: string): string[] {
  return (req.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.split('=', 1)[0]?.trim() === name);
}

/** Scheme and host. Forwarded ones count only where Express' `trust proxy` says so. Escaped: a Host header may hold anything. */
export function originOf(req: Request): string {
  const { headers } = req;
  const isForwarded = headers['x-forwarded-proto'] !== undefined;
  const scheme = isForwarded || isEncrypted(req) ? encodeURIComponent(req.protocol) : 'http';
  return `${scheme}://${escapeHost(hostOf(req))}`;
}

function isEncrypted({ socket }: Request): boolean {
  return (socket as { encrypted?: boolean }).encrypted === true;
}

/** What no host has is escaped. Lone bytes of a header are characters below 256, so this cannot fail. */
function escapeHost(host: string): string {
  return /[^\w.:[\]-]/.test(host) ? host.replace(/[^\w.:[\]-]/g, encodeURIComponent) : host;
}

function hostOf(req: Request): string {
  const { host = req.headers[':authority'] ?? '' } = req.headers;
  const forwarded = req.headers['x-forwarded-host'];
  if (typeof forwarded !== 'string' || forwarded === '') return String(host);
  const isTrusted = req.app.get('trust proxy fn') as
    ((address: string | undefined, hop: number) => boolean) | undefined;
  return isTrusted?.(req.socket.remoteAddress, 0) === true ? (forwarded.split(',', 1)[0] ?? '').trim() : String(host);
}

/** Query parsers stop at so many parameters, so what stands behind them cannot be told to be read or not. */
const MAX_PARAMETERS = 1_000;

/**
 * The URL with the declared parameters only, in their declared order and as they were sent: parsers differ in what they make of odd spellings, and one reading
 * for two spellings would let a client store the response to the one as that to the other.
 */
function withQuery(url: string, names: readonly string[] | undefined): string {
  const at = url.indexOf('?');
  if (names === undefined || at < 0) return url;
  const sent = url.slice(at + 1).split('&');
  if (sent.length >= MAX_PARAMETERS) return url;
  const roots = new Set(names.map(rootOf));
  const kept = [...roots].flatMap((root) =>
    sent.filter((pair) => rootOf(unescape((pair.split('=', 1)[0] ?? '').replaceAll('+', ' '))) === root),
  );
  return kept.length === 0 ? url.slice(0, at) : `${url.slice(0, at)}?${kept.join('&')}`;
}

/** Parsers hand `page[]`, `page[a]`, `[page]` and `page.a` to handlers as `page`. */
function rootOf(parameter: string): string {
  return /^\[*([^[\].]*)/.exec(parameter)?.[1] ?? '';
}
