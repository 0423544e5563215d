import type { IncomingHttpHeaders } from 'node:http';
import { type ByteRange, parseContentRange, parseRange, resolveRange } from './range.ts';
import type { FieldReader } from './freshness.ts';
import type { ResponseHead, StorableHead, StoredPart } from './response-head.ts';

/** The part of a representation that a 206 brings; `undefined` when its Content-Range cannot be read or its body has more bytes than it says (RFC 9110 §15.3.7). */
export function partOf(field: FieldReader, asked: string | undefined, bodyBytes: number): StoredPart | undefined {
  const contentRange = field('content-range');
  const range = contentRange === undefined ? undefined : parseContentRange(String(contentRange));
  if (range === undefined || bodyBytes === 0 || bodyBytes > range.last - range.first + 1) return undefined;
  // A body that ends early holds what it holds.
  const isShort = bodyBytes < range.last - range.first + 1;
  // Compressed on its way out: the range counts bytes of what it was before.
  if (isShort && field('content-encoding') !== undefined) return undefined;
  return { first: range.first, last: range.first + bodyBytes - 1, length: range.length, asked };
}

/** The bytes of a stored part that answer a request, within the part; `undefined` when it does not hold them all (RFC 9111 §3.3). */
export function rangeInPart(part: StoredPart, headers: IncomingHttpHeaders): ByteRange | 'as-stored' | undefined {
  if (headers.range !== undefined && headers.range === part.asked) return 'as-stored';
  const wanted = parseRange(headers.range);
  const range = wanted && resolveRange(wanted, part.length);
  if (range === undefined || range.first < part.first || range.last > part.last) return undefined;
  return { first: range.first - part.first, last: range.last - part.first };
}

/**
 * What to ask for to complete a stored part that begins at the beginning (RFC 9111 §3.4). Only with a strong validator: bytes of two representations may never be
 * joined, and If-Range brings the whole of a new one instead. Not of what is too large to be stored whole.
 */
export function completionOf(head: ResponseHead, maxBytes: number): IncomingHttpHeaders | undefined {
  const { part, etag } = head;
  if (part === undefined || part.first !== 0 || part.length > maxBytes) return undefined;
  if (etag === undefined || !etag.startsWith('"')) return undefined;
  return { range: `bytes=${part.last + 1}-`, 'if-range': etag };
}

/** Whether a 206 brings just what is missing of a stored part: of the same representation, from the next byte to the last. */
export function completes(field: FieldReader, { part, etag }: ResponseHead): boolean {
  const contentRange = field('content-range');
  const range = contentRange === undefined ? undefined : parseContentRange(String(contentRange));
  if (part === undefined || range === undefined || String(field('etag')) !== etag) return false;
  return range.first === part.last + 1 && range.last === part.length - 1 && range.length === part.length;
}

/** A part grown by an adjoining or overlapping one of the same representation; `undefined` when they may not be joined. */
export function joinParts(
  stored: { readonly head: ResponseHead; readonly body: Buffer },
  newer: { readonly head: StorableHead; readonly etag: string | undefined; readonly body: Buffer },
): { readonly part: StoredPart; readonly body: Buffer } | undefined {
  const [a, b] = [stored.head.part, newer.head.part];
  if (a === undefined || b === undefined || a.length !== b.length) return undefined;
  if (newer.etag === undefined || !newer.etag.startsWith('"') || newer.etag !== stored.head.etag) return undefined;
  if (b.first > a.last + 1 || a.first > b.last + 1) return undefined;
  const first = Math.min(a.first, b.first);
  const last = Math.max(a.last, b.last);
  const body = Buffer.alloc(last - first + 1);
  stored.body.copy(body, a.first - first);
  newer.body.copy(body, b.first - first);
  return { part: { first, last, length: a.length }, body };
}
