import type { IncomingHttpHeaders } from 'node:http';
import { parseHttpDate } from './lifetime.ts';

/** Validators of a response. */
export interface Validators {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

/** The conditional fields a client may send with GET and HEAD, and that are taken off while the handler runs. */
export interface Conditions {
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
}

export function conditionsOf(headers: IncomingHttpHeaders): Conditions {
  return { ifNoneMatch: headers['if-none-match'], ifModifiedSince: headers['if-modified-since'] };
}

/**
 * Whether a client already has this response, so that 304 answers it (RFC 9110 §13.2.2): If-None-Match decides alone where it is sent, by weak comparison;
 * If-Modified-Since otherwise, if it is a date.
 */
export function isNotModified(
  { ifNoneMatch, ifModifiedSince }: Conditions,
  { etag, lastModified }: Validators,
): boolean {
  if (ifNoneMatch !== undefined) return matchesEtag(ifNoneMatch, etag);
  if (ifModifiedSince === undefined || lastModified === undefined) return false;
  const since = parseHttpDate(ifModifiedSince);
  const modified = parseHttpDate(lastModified);
  return since !== undefined && modified !== undefined && modified <= since;
}

/** RFC 9110 §13.1.2: `*`, or a list of entity tags, of which one is the same but for the weakness mark. Commas may stand inside a tag. */
function matchesEtag(field: string, etag: string | undefined): boolean {
  if (field.trim() === '*') return true;
  if (etag === undefined) return false;
  const wanted = etag.replace(/^W\//, '');
  for (const [, tag] of field.matchAll(/(?:W\/)?("[^"]*")/g)) if (tag === wanted) return true;
  return false;
}

/** Fields that describe a body. A 304 has none, and repeats only what else the 200 would have said (RFC 9110 §15.4.5). */
export function describesBody(name: string): boolean {
  const key = name.toLowerCase();
  return key.startsWith('content-') && key !== 'content-location' && !key.startsWith('content-security-policy');
}
