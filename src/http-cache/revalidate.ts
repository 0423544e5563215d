import type { IncomingHttpHeaders } from 'node:http';
import type { FieldReader } from './freshness.ts';
import type { ResponseHead, StorableHead } from './response-head.ts';

type Headers = StorableHead['headers'];

/** The conditions under which the handler is asked again for a stored response (RFC 9111 §4.3.1); `undefined` when it has no validator of the handler's. */
export function validationOf(head: ResponseHead): IncomingHttpHeaders | undefined {
  const etag = head.hasOwnEtag === true ? undefined : head.etag;
  if (head.status === 206 || (etag === undefined && head.lastModified === undefined)) return undefined;
  return {
    ...(etag !== undefined && { 'if-none-match': etag }),
    ...(head.lastModified !== undefined && { 'if-modified-since': head.lastModified }),
  };
}

/** RFC 9111 §4.3.4: whether a 304 is about this stored response. One that names another validator is not; a strong one has to be the same. */
export function isAbout(field: FieldReader, { etag, lastModified }: ResponseHead): boolean {
  const sentEtag = field('etag');
  if (sentEtag !== undefined) {
    const sent = String(sentEtag);
    return etag !== undefined && (sent === etag || (sent.startsWith('W/') && opaque(sent) === opaque(etag)));
  }
  const sentDate = field('last-modified');
  return sentDate === undefined || lastModified === undefined || String(sentDate) === lastModified;
}

/** RFC 9111 §4.3.5: whether what HEAD says agrees with the stored response to GET. What HEAD does not say agrees. */
export function agrees(field: FieldReader, head: ResponseHead, bodyBytes: number): boolean {
  const length = field('content-length');
  if (length !== undefined && Number(length) !== bodyBytes) return false;
  const sentEtag = field('etag');
  if (sentEtag !== undefined && head.hasOwnEtag !== true && String(sentEtag) !== head.etag) return false;
  const sentDate = field('last-modified');
  return sentDate === undefined || String(sentDate) === head.lastModified;
}

/** Whether HEAD shows that it is about the stored response: by a validator, or by its length where the stored one has none. Two answers to a URL may both say nothing. */
export function identifies(field: FieldReader, head: ResponseHead): boolean {
  const hasEtag = head.etag !== undefined && head.hasOwnEtag !== true;
  if (!hasEtag && head.lastModified === undefined) return field('content-length') !== undefined;
  return field('etag') !== undefined || field('last-modified') !== undefined;
}

function opaque(etag: string): string {
  return etag.replace(/^W\//, '');
}

/** What is about the stored bytes and not about the response that says they are still good (RFC 9111 §3.2). */
const ABOUT_THE_BODY = new Set(['content-length', 'content-encoding', 'content-range', 'transfer-encoding']);

/** Stored header fields with those of a newer response in their places (RFC 9111 §3.2). */
export function mergeHeaders(stored: Headers, newer: Headers): Headers {
  const taken = newer.filter(([name]) => !ABOUT_THE_BODY.has(name.toLowerCase()));
  const replaced = new Set([...taken.map(([name]) => name.toLowerCase()), 'date']);
  return [...stored.filter(([name]) => !replaced.has(name.toLowerCase())), ...taken];
}

/** Reads the fields of a list of headers. Age is never stored: it is that of the message that brought them up to date. */
export function readerOf(headers: Headers, message?: FieldReader): FieldReader {
  const byName = new Map(headers.map(([name, value]) => [name.toLowerCase(), value]));
  return (name) => (name === 'age' ? message?.(name) : byName.get(name.toLowerCase()));
}
