import type { Request, Response } from 'express';
import { addCacheStatus, type CacheStatus } from './cache-status.ts';
import { conditionsOf, describesBody, isNotModified } from './conditional.ts';
import type { CacheConfig } from './options.ts';
import type { ResponseHead } from './response-head.ts';

/** A stored response that is about to be sent. */
export interface Replay {
  readonly head: ResponseHead;
  readonly body: Buffer;
  readonly ageMs: number;
  readonly status: CacheStatus;
}

const BODILESS = new Set([204, 304]);
/** Up to this size a body leaves as text, one byte a character: Node then sends it with the headers in one piece. Larger ones are not worth the copy. */
const MAX_TEXT_BYTES = 16_384;

/** Sends a stored response: its own status, headers and bytes, with Age and Cache-Status; 304 to a client that has it; only the head to HEAD. */
export function replay(req: Request, res: Response, { head, body, ageMs, status }: Replay, config: CacheConfig): void {
  const isUnchanged = head.status === 200 && isNotModified(conditionsOf(req.headers), head);
  // One by one: writeHead copies what it is given, which costs twice as much.
  for (const [name, value] of head.headers) if (!isUnchanged || !describesBody(name)) res.setHeader(name, value);
  if (config.clientTtlMs !== undefined && !res.hasHeader('cache-control')) {
    res.setHeader('Cache-Control', clientCacheControl(config, ageMs));
  }
  res.setHeader('Age', String(Math.floor(ageMs / 1_000)));
  addCacheStatus(res, status);
  if (!isUnchanged && !BODILESS.has(head.status)) res.setHeader('Content-Length', String(body.length));
  res.writeHead(isUnchanged ? 304 : head.status);
  if (isUnchanged || req.method === 'HEAD') res.end();
  else if (body.length <= MAX_TEXT_BYTES) res.end(body.toString('latin1'), 'latin1');
  else res.end(body);
}

/** `max-age` counts from when the response was made, so the age it has already is added. */
export function clientCacheControl({ clientTtlMs = 0, user }: CacheConfig, ageMs: number): string {
  return `${user === undefined ? '' : 'private, '}max-age=${Math.floor((clientTtlMs + ageMs) / 1_000)}`;
}
