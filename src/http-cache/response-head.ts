import { type ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http';
import type { Entry } from '../cache/entry.ts';
import { fieldNames } from './field-names.ts';

/** Bits of an entry's flags. */
const PUBLIC = 1;
const MARKER = 2;

/** Whether the handler marked it `public`. */
export function isPublic({ flags }: Pick<Entry, 'flags'>): boolean {
  return (flags & PUBLIC) !== 0;
}

/** Whether it is no response but says by what the responses vary. */
export function isMarker({ flags }: Pick<Entry, 'flags'>): boolean {
  return (flags & MARKER) !== 0;
}

/** Flags of a response, and of a marker. */
export const flagsOf = { response: (isMarkedPublic: boolean) => (isMarkedPublic ? PUBLIC : 0), marker: MARKER };

/** Status and headers of a stored response. Several lines of one name are a list; names keep their case. */
export interface ResponseHead {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string | readonly string[]])[];
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

/** What of it is stored, as JSON. */
export type StorableHead = Pick<ResponseHead, 'status' | 'headers'>;

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
  'date',
  'cache-status',
  'x-cache',
  'content-length',
  'set-cookie',
  'retry-after',
  'ratelimit',
  'ratelimit-policy',
]);

function isNeverStored(name: string): boolean {
  return NEVER_STORED.has(name) || name.startsWith('ratelimit-') || name.startsWith('x-ratelimit-');
}

/** Headers that were there before the handler ran, by lower-case name. Middleware sets them anew on every request: only what the handler changed is stored. */
export type HeadersBefore = ReadonlyMap<string, string>;

export function headersBefore(res: ServerResponse): HeadersBefore {
  return new Map(Object.entries(res.getHeaders()).map(([name, value]) => [name, String(value)]));
}

/** What of a response's head is stored: what the handler set, in its own spelling. */
export function storableHead(res: ServerResponse, before: HeadersBefore): StorableHead {
  const dropped = new Set(fieldNames(res.getHeader('connection') as string | undefined));
  const headers: [string, string | string[]][] = [];
  for (const name of rawHeaderNames(res)) {
    const key = name.toLowerCase();
    const value = res.getHeader(name);
    if (value === undefined || isNeverStored(key) || dropped.has(key) || before.get(key) === String(value)) continue;
    headers.push([name, Array.isArray(value) ? value.map(String) : String(value)]);
  }
  return { status: res.statusCode, headers };
}

/** Header names in the handler's spelling; HTTP/2 has no other spelling than lower case. */
function rawHeaderNames(res: ServerResponse & { getRawHeaderNames?: () => string[] }): string[] {
  return res.getRawHeaderNames?.() ?? res.getHeaderNames();
}

/** Reads and checks a stored head again: what comes from Redis may have been written by others. `undefined` when it is not fit to be sent. */
export function decodeHead(metadata: Buffer): ResponseHead | undefined {
  try {
    const { status, headers } = JSON.parse(metadata.toString()) as StorableHead;
    if (!Number.isInteger(status) || status < 200 || status > 599) return undefined;
    let etag: string | undefined;
    let lastModified: string | undefined;
    for (const [name, value] of headers) {
      validateHeaderName(name);
      for (const line of linesOf(value)) validateHeaderValue(name, line);
      const key = name.toLowerCase();
      if (key === 'set-cookie' || key === 'transfer-encoding' || key === 'content-length') return undefined;
      if (key === 'etag') etag = String(value);
      if (key === 'last-modified') lastModified = String(value);
    }
    return { status, headers, etag, lastModified };
  } catch {
    return undefined;
  }
}

function linesOf(value: unknown): string[] {
  const lines: unknown = typeof value === 'string' ? [value] : value;
  if (Array.isArray(lines) && lines.every((line) => typeof line === 'string')) return lines;
  throw new TypeError('A header value is text or a list of texts.');
}
