import { type ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http';
import type { Entry } from '../cache/entry.ts';
import { fieldNames } from './field-names.ts';

/** Bits of an entry's flags. */
const PUBLIC = 1;
const MARKER = 2;
const NEUTRAL = 4;

/** Whether it may be shared with requests that say who is asking: the handler marked it `public`, or was seen not to look. */
export function isForEverybody({ flags }: Pick<Entry, 'flags'>): boolean {
  return (flags & (PUBLIC | NEUTRAL)) !== 0;
}

/** Whether the handler marked it `public`. */
export function isMarkedPublic({ flags }: Pick<Entry, 'flags'>): boolean {
  return (flags & PUBLIC) !== 0;
}

/** Whether the handler was seen not to look at who is asking. */
export function isNeutral({ flags }: Pick<Entry, 'flags'>): boolean {
  return (flags & NEUTRAL) !== 0;
}

/** Whether it is no response but says by what the responses vary. */
export function isMarker({ flags }: Pick<Entry, 'flags'>): boolean {
  return (flags & MARKER) !== 0;
}

/** Flags of a response, and of a marker. */
export const flagsOf = {
  response: ({ isPublic, isNeutral }: { isPublic: boolean; isNeutral: boolean }) =>
    (isPublic ? PUBLIC : 0) | (isNeutral ? NEUTRAL : 0),
  marker: MARKER,
};

/** What of a response is stored beside its body, as JSON. Times in milliseconds; 0 and absent mean the same. */
export interface StorableHead {
  readonly status: number;
  /** Where it is not the usual one. */
  readonly reason?: string | undefined;
  /** Several lines of one name are a list; names keep their case. */
  readonly headers: readonly (readonly [name: string, value: string | readonly string[]])[];
  /** How old it was when it was stored. */
  readonly age?: number | undefined;
  /** How long past its freshness it may be served while it is refreshed. */
  readonly staleWhileRevalidate?: number | undefined;
  /** How long past its freshness it may be served when the handler fails. */
  readonly staleIfError?: number | undefined;
  /** Whether it may not be served stale: never (`must`), or only where a directive of its own allows it (`declared`). */
  readonly revalidate?: 'must' | 'declared' | undefined;
  /** Which bytes a 206 holds, of how many, and what was asked for. */
  readonly part?: StoredPart | undefined;
  /** How the body is compressed here. */
  readonly coding?: 'gzip' | undefined;
  /** Its length without that. */
  readonly size?: number | undefined;
  /** What earlier middleware had put on the request whose handler was watched, by name. */
  readonly shape?: readonly string[] | undefined;
  /** Names of headers that earlier middleware sets and the handler took back. */
  readonly removed?: readonly string[] | undefined;
  /** It was told apart by what caches further out do not know of: they may not keep it for others. */
  readonly isForOne?: boolean | undefined;
  /** The ETag is of the cache's making. */
  readonly hasOwnEtag?: boolean | undefined;
}

export interface StoredPart {
  readonly first: number;
  readonly last: number;
  readonly length: number;
  readonly asked?: string | undefined;
}

/** Status and headers of a stored response, checked. */
export interface ResponseHead extends StorableHead {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  readonly date: string | undefined;
  readonly setsCookies: boolean;
}

/** Fields that are about one connection or one passage, not about the response (RFC 9110 §7.6.1, RFC 9111 §3.1), and those this cache writes anew. */
const NEVER_STORED = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'age',
  'cache-status',
  'x-cache',
  'content-length',
  'ratelimit',
  'ratelimit-policy',
]);

function isNeverStored(name: string): boolean {
  return NEVER_STORED.has(name) || name.startsWith('ratelimit-') || name.startsWith('x-ratelimit-');
}

/** The reason phrase, where there is one: HTTP/2 has none, and Node warns of every use. */
export function reasonOf(res: ServerResponse): string | undefined {
  return res.req.httpVersionMajor < 2 ? res.statusMessage : undefined;
}

/** Has the status speak for itself again. */
export function resetReason(res: ServerResponse): void {
  if (res.req.httpVersionMajor < 2) res.statusMessage = '';
}

/** Headers that were there before the handler ran, by lower-case name. Middleware sets them anew on every request: only what the handler changed is stored. */
export type HeadersBefore = ReadonlyMap<string, number | string | string[]>;

export function headersBefore(res: ServerResponse): HeadersBefore {
  const headers = Object.entries(res.getHeaders());
  return new Map(headers.filter((header): header is [string, number | string | string[]] => header[1] !== undefined));
}

/** Headers of a response that may be stored: what the handler set, in its own spelling. */
export function storableHeaders(res: ServerResponse, before: HeadersBefore): StorableHead['headers'] {
  const refused = new Set(fieldNames(res.getHeader('connection') as string | undefined));
  const headers: [string, string | string[]][] = [];
  for (const name of rawHeaderNames(res)) {
    const key = name.toLowerCase();
    const value = res.getHeader(name);
    if (value === undefined || isNeverStored(key) || refused.has(key)) continue;
    if (before.has(key) && String(before.get(key)) === String(value)) continue;
    headers.push([name, Array.isArray(value) ? value.map(String) : String(value)]);
  }
  return headers;
}

/** Headers that were there before the handler ran, and are not any more. */
export function removedHeaders(res: ServerResponse, before: HeadersBefore): string[] {
  return [...before.keys()].filter((name) => !res.hasHeader(name));
}

/** Header names in the handler's spelling; HTTP/2 has no other spelling than lower case. */
function rawHeaderNames(res: ServerResponse & { getRawHeaderNames?: () => string[] }): string[] {
  return res.getRawHeaderNames?.() ?? res.getHeaderNames();
}

/** Reads and checks a stored head again: what comes from Redis may have been written by others. `undefined` when it is not fit to be sent. */
export function decodeHead(metadata: Buffer): ResponseHead | undefined {
  try {
    const head = JSON.parse(metadata.toString()) as StorableHead;
    if (!Number.isInteger(head.status) || head.status < 200 || head.status > 599) return undefined;
    if (head.reason !== undefined) validateHeaderValue('reason', head.reason);
    for (const [name, value] of head.headers) {
      validateHeaderName(name);
      for (const line of linesOf(value)) validateHeaderValue(name, line);
      const key = name.toLowerCase();
      if (key === 'transfer-encoding' || key === 'content-length') return undefined;
    }
    return isConsistent(head) ? withValidators(head) : undefined;
  } catch {
    return undefined;
  }
}

/** What is not sent but decides how the rest is. */
function isConsistent(head: StorableHead): boolean {
  const { reason, coding, size, revalidate, shape, removed, ...times } = head as {
    readonly [K in keyof StorableHead]: unknown;
  };
  if (reason !== undefined && typeof reason !== 'string') return false;
  for (const ms of [times.age, times.staleWhileRevalidate, times.staleIfError]) {
    if (ms !== undefined && !(typeof ms === 'number' && ms >= 0 && ms < Infinity)) return false;
  }
  if (revalidate !== undefined && revalidate !== 'must' && revalidate !== 'declared') return false;
  if (!isListOfText(shape) || !isListOfText(removed)) return false;
  if (size !== undefined && !(Number.isSafeInteger(size) && Number(size) >= 0)) return false;
  const isEncoded = head.headers.some(([name]) => name.toLowerCase() === 'content-encoding');
  if (coding !== undefined && (coding !== 'gzip' || size === undefined || isEncoded)) return false;
  return head.part === undefined || (head.status === 206 && isPart(head.part));
}

function isListOfText(list: unknown): boolean {
  return list === undefined || (Array.isArray(list) && list.every((name: unknown) => typeof name === 'string'));
}

function isPart({ first, last, length }: StoredPart): boolean {
  return [first, last, length].every(Number.isSafeInteger) && first >= 0 && first <= last && last < length;
}

/** A head with what is asked of it often. */
export function withValidators(head: StorableHead): ResponseHead {
  const found: Record<string, string> = {};
  for (const [name, value] of head.headers) found[name.toLowerCase()] = String(value);
  return {
    ...head,
    etag: found['etag'],
    lastModified: found['last-modified'],
    date: found['date'],
    setsCookies: found['set-cookie'] !== undefined,
  };
}

function linesOf(value: unknown): string[] {
  const lines: unknown = typeof value === 'string' ? [value] : value;
  if (Array.isArray(lines) && lines.every((line) => typeof line === 'string')) return lines;
  throw new TypeError('A header value is text or a list of texts.');
}
