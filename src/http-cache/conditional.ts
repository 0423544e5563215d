import type { IncomingHttpHeaders } from 'node:http';
import { parseHttpDate } from './http-date.ts';

/** Validators of a response. */
export interface Validators {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** When it was made: what it was not modified after, where it does not say more (RFC 9111 §4.3.2). */
  readonly date?: string | undefined;
}

/** The conditional fields of a client that a cache answers. */
export interface Conditions {
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
}

export function conditionsOf(headers: IncomingHttpHeaders): Conditions {
  return { ifNoneMatch: headers['if-none-match'], ifModifiedSince: headers['if-modified-since'] };
}

/** Fields that are the cache's to set while the handler runs. */
const OURS = ['if-none-match', 'if-modified-since', 'if-range', 'range', 'cache-control', 'pragma'] as const;

/**
 * Gives the handler the conditions that the cache asks under, and none of its client's: Express answers 304 by itself, and a cold entry would be recorded empty.
 * Returns what puts the client's back.
 */
export function replaceConditions(headers: IncomingHttpHeaders, asked: IncomingHttpHeaders): () => void {
  const sent = OURS.map((name) => [name, headers[name]] as const);
  delete headers['if-none-match'];
  delete headers['if-modified-since'];
  setFields(headers, Object.entries(asked));
  return () => setFields(headers, sent);
}

function setFields(headers: IncomingHttpHeaders, fields: readonly (readonly [string, unknown])[]): void {
  for (const [name, value] of fields) {
    if (value === undefined) delete headers[name];
    else headers[name] = value as string;
  }
}

/**
 * Whether a client already has this response, so that 304 answers it (RFC 9110 §13.2.2): If-None-Match decides alone where it is sent, by weak comparison;
 * If-Modified-Since otherwise, if it is a date.
 */
export function isNotModified(
  { ifNoneMatch, ifModifiedSince }: Conditions,
  { etag, lastModified, date }: Validators,
): boolean {
  if (ifNoneMatch !== undefined) return matchesEtag(ifNoneMatch, etag);
  const known = lastModified ?? date;
  if (ifModifiedSince === undefined || known === undefined) return false;
  const since = parseHttpDate(ifModifiedSince);
  const modified = parseHttpDate(known);
  return since !== undefined && modified !== undefined && modified <= since;
}

/** Whether a response can give way to 304 at all: only where the whole would have been a success (RFC 9110 §13.2.1). */
export function heedsConditions(status: number): boolean {
  return status >= 200 && status < 300;
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
