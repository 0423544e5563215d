import type { IncomingHttpHeaders } from 'node:http';
import { parseHttpDate } from './http-date.ts';
import type { ResponseHead } from './response-head.ts';

/** Bytes `first` to `last`, both included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** One range as a client asks for it: from a place on, or the last so many bytes. */
type RangeRequest = { readonly first: number; readonly last: number } | { readonly suffix: number };

/** RFC 9110 §14.1.2: one range of bytes. `undefined` for anything else, several ranges among it: then the field is ignored, as §14.2 allows. */
export function parseRange(field: string | undefined): RangeRequest | undefined {
  const match = field === undefined ? null : /^bytes=(?:(\d+)-(\d*)|-(\d+))$/i.exec(field);
  if (match === null) return undefined;
  const [, first, last, suffix] = match;
  if (first === undefined) return { suffix: Number(suffix) };
  const range = { first: Number(first), last: last === '' ? Infinity : Number(last) };
  return range.last < range.first ? undefined : range;
}

/** The bytes that a range means in a representation of this length; `undefined` when there are none (416). */
export function resolveRange(range: RangeRequest, length: number): ByteRange | undefined {
  const first = 'suffix' in range ? Math.max(0, length - range.suffix) : range.first;
  const last = 'suffix' in range ? length - 1 : Math.min(range.last, length - 1);
  return first > last ? undefined : { first, last };
}

/** Content-Range of a 206 (RFC 9110 §14.4): its bytes and the complete length, `undefined` for one that is unknown, invalid or of another unit. */
export function parseContentRange(field: string | undefined): (ByteRange & { readonly length: number }) | undefined {
  const match = field === undefined ? null : /^bytes (\d+)-(\d+)\/(\d+)$/i.exec(field);
  if (match === null) return undefined;
  const [first, last, length] = match.slice(1).map(Number) as [number, number, number];
  return first <= last && last < length && Number.isSafeInteger(length) ? { first, last, length } : undefined;
}

/**
 * The range that a request may be answered with, from a response it may have: `undefined` without a Range that can be read, and where If-Range names another
 * representation than this one (RFC 9110 §13.1.5): then the whole response answers it.
 */
export function rangeFor(headers: IncomingHttpHeaders, head: Validity): RangeRequest | undefined {
  const range = parseRange(headers.range);
  const condition = headers['if-range'];
  if (range === undefined || condition === undefined) return range;
  return isSameRepresentation(String(condition), head) ? range : undefined;
}

type Validity = Pick<ResponseHead, 'etag' | 'lastModified' | 'date'>;

/** Strong comparison only (RFC 9110 §13.1.5): a weak tag never matches, a date only where it is a strong validator (§8.8.2.2). */
function isSameRepresentation(condition: string, { etag, lastModified, date }: Validity): boolean {
  if (condition.startsWith('"')) return condition === etag;
  const at = parseHttpDate(condition);
  const modified = lastModified === undefined ? undefined : parseHttpDate(lastModified);
  const sent = date === undefined ? undefined : parseHttpDate(date);
  return at !== undefined && at === modified && sent !== undefined && sent - at >= 60_000;
}
