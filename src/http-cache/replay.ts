import type { Request, Response } from 'express';
import { parseCacheControl } from './cache-control.ts';
import { addCacheStatus, type CacheStatus } from './cache-status.ts';
import { conditionsOf, describesBody, heedsConditions, isNotModified } from './conditional.ts';
import type { Content } from './content.ts';
import type { Exchange } from './exchange.ts';
import type { CacheConfig } from './options.ts';
import { rangeInPart } from './partial.ts';
import { type ByteRange, rangeFor, resolveRange } from './range.ts';
import type { ResponseHead, StorableHead } from './response-head.ts';

/** What is said of a stored response when it is sent. A class, as all that hits make: see `cache/found`. */
export class Telling {
  readonly ageMs: number;
  readonly status: CacheStatus;
  /** Headers that are set already stay. */
  readonly isOverlay: boolean;

  constructor(ageMs: number, status: CacheStatus, isOverlay: boolean = false) {
    this.ageMs = ageMs;
    this.status = status;
    this.isOverlay = isOverlay;
  }
}

const BODILESS = new Set([204, 205, 304]);
/** They are about the content of the whole message (RFC 9530 §2). */
const ABOUT_ALL_BYTES = ['content-digest', 'content-md5'] as const;
/** Up to this size a body leaves as text, one byte a character: Node then sends it with the headers in one piece. Larger ones are not worth the copy. */
const MAX_TEXT_BYTES = 16_384;

/** Sends a stored response: its own status, headers and bytes, with Age and Cache-Status; 304 to a client that has it; the part it asked for; only the head to HEAD. */
export function replay(exchange: Exchange, content: Content, { ageMs, status, isOverlay }: Telling): void {
  const { req, res, config } = exchange;
  const { head } = content;
  if (res.headersSent) return;
  const isUnchanged = heedsConditions(head.status) && isNotModified(conditionsOf(req.headers), head);
  for (const name of head.removed ?? []) res.removeHeader(name);
  // One by one: writeHead copies what it is given, which costs twice as much.
  for (const [name, value] of head.headers) {
    if (isUnchanged && describesBody(name)) continue;
    if (!isOverlay || !res.hasHeader(name)) res.setHeader(name, value);
  }
  if (config.clientTtlMs !== undefined && !res.hasHeader('cache-control')) {
    res.setHeader('Cache-Control', clientCacheControl(config, head, ageMs));
  }
  res.setHeader('Age', String(Math.floor(ageMs / 1_000)));
  addCacheStatus(res, status, statusKey(exchange));
  if (head.size !== undefined) describeCoding(res, head, isUnchanged);
  if (isUnchanged) sendNotModified(res);
  else sendWhole(exchange, content);
}

/** For Cache-Status, where it may be told. */
export function statusKey({ config, key }: Pick<Exchange, 'config' | 'key'>): string | undefined {
  return config.isDebug ? key.name : undefined;
}

/** `max-age` counts from when the response was made, so the age it has already is added. `private` where caches further out do not know what the key tells apart. */
export function clientCacheControl(config: CacheConfig, { isForOne }: StorableHead, ageMs: number): string {
  const { clientTtlMs = 0, user, cookies } = config;
  const isShared = user === undefined && isForOne !== true && typeof cookies === 'string';
  return `${isShared ? '' : 'private, '}max-age=${Math.floor((clientTtlMs + ageMs) / 1_000)}`;
}

/** Kept compressed: it comes in two forms, whose ETag is the same only in meaning (RFC 9110 §8.8.3.3). */
function describeCoding(res: Response, { coding, etag }: ResponseHead, isUnchanged: boolean): void {
  res.vary('Accept-Encoding');
  if (coding === undefined) return;
  if (!isUnchanged) res.setHeader('Content-Encoding', coding);
  if (etag?.startsWith('"') === true) res.setHeader('ETag', `W/${etag}`);
}

function sendNotModified(res: Response): void {
  for (const name of res.getHeaderNames()) if (describesBody(name)) res.removeHeader(name);
  res.writeHead(304);
  res.end();
}

function sendWhole({ req, res, config }: Exchange, content: Content): void {
  const { head, body, bodyBytes } = content;
  const part = partFor(req, content);
  if (part === 'unsatisfiable') return sendUnsatisfiable(res, bodyBytes, config.policy.targetedFields);
  if (part === undefined) {
    if (!BODILESS.has(head.status)) res.setHeader('Content-Length', String(bodyBytes));
    if (head.reason === undefined) res.writeHead(head.status);
    else res.writeHead(head.status, head.reason);
    sendBytes(req, res, body);
    return;
  }
  // RFC 9110 §15.3.7: the 206 that the whole would have been.
  const { first, last, offset, length } = part;
  for (const name of ABOUT_ALL_BYTES) res.removeHeader(name);
  // Compression on the way out would make of these bytes others than the range says.
  if (req.headers['accept-encoding'] !== undefined) res.setHeader('Cache-Control', withoutTransform(res));
  res.setHeader('Content-Range', `bytes ${first + offset}-${last + offset}/${length}`);
  res.setHeader('Content-Length', String(last - first + 1));
  res.writeHead(206);
  sendBytes(req, res, body.subarray(first, last + 1));
}

/** RFC 9111 §5.2.2.6. */
function withoutTransform(res: Response): string {
  const known = res.getHeader('cache-control');
  if (known === undefined) return 'no-transform';
  return parseCacheControl(String(known)).has('no-transform') ? String(known) : `${String(known)}, no-transform`;
}

function sendBytes(req: Request, res: Response, body: Buffer): void {
  if (req.method === 'HEAD') res.end();
  else if (body.length <= MAX_TEXT_BYTES) res.end(body.toString('latin1'), 'latin1');
  else res.end(body);
}

/** Bytes of the stored body, and where it begins in how long a whole. */
interface PartFor extends ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** The part of a stored response that a request asks for (RFC 9110 §14.2); `undefined`: it is sent as it is. */
function partFor(req: Request, { head, bodyBytes }: Content): PartFor | 'unsatisfiable' | undefined {
  if (req.headers.range === undefined || req.method !== 'GET') return undefined;
  if (head.part !== undefined) {
    const within = rangeInPart(head.part, req.headers);
    if (within === 'as-stored' || within === undefined) return undefined;
    return { ...within, offset: head.part.first, length: head.part.length };
  }
  const wanted = head.status === 200 && head.coding === undefined ? rangeFor(req.headers, head) : undefined;
  if (wanted === undefined) return undefined;
  // The last so many bytes of nothing are all of it, and no Content-Range can say so (RFC 9110 §14.1.2).
  if (bodyBytes === 0 && 'suffix' in wanted && wanted.suffix > 0) return undefined;
  const range = resolveRange(wanted, bodyBytes);
  return range === undefined ? 'unsatisfiable' : { ...range, offset: 0, length: bodyBytes };
}

/** RFC 9110 §15.5.17. It is about this request: the lifetime and validators are those of the response that it could not have. */
function sendUnsatisfiable(res: Response, length: number, targeted: readonly string[]): void {
  for (const name of res.getHeaderNames()) if (describesBody(name)) res.removeHeader(name);
  for (const name of ['cache-control', 'expires', 'etag', 'last-modified', ...targeted]) res.removeHeader(name);
  res.setHeader('Content-Range', `bytes */${length}`);
  res.setHeader('Content-Length', '0');
  res.writeHead(416);
  res.end();
}
