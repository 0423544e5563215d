import type { Request, Response } from 'express';
import { cacheStatus, type CacheStatus } from './cache-status.ts';
import { conditionsOf, describesBody, isNotModified } from './conditional.ts';
import type { CacheConfig } from './options.ts';
import type { ResponseHead } from './response-head.ts';

/** A stored response that is about to be sent. */
export interface Replay {
  readonly head: ResponseHead;
  readonly body: Uint8Array;
  readonly ageMs: number;
  readonly status: CacheStatus;
}

const BODILESS = new Set([204, 304]);

/** Sends a stored response: its own status, headers and bytes, with Age and Cache-Status; 304 to a client that has it; only the head to HEAD. */
export function replay(req: Request, res: Response, { head, body, ageMs, status }: Replay, config: CacheConfig): void {
  const isUnchanged = head.status === 200 && isNotModified(conditionsOf(req.headers), head);
  const headers: Record<string, string | readonly string[]> = isUnchanged
    ? withoutBody(head.headers)
    : { ...head.headers };
  const existing = res.getHeader('Cache-Status');
  headers['Age'] = String(Math.floor(ageMs / 1_000));
  headers['Cache-Status'] =
    existing === undefined ? cacheStatus(status) : `${String(existing)}, ${cacheStatus(status)}`;
  if (config.clientTtlMs !== undefined && !hasCacheControl(res, head)) {
    headers['Cache-Control'] = clientCacheControl(config, ageMs);
  }
  if (!isUnchanged && !BODILESS.has(head.status)) headers['Content-Length'] = String(body.length);
  res.writeHead(isUnchanged ? 304 : head.status, headers as Record<string, string | string[]>);
  if (isUnchanged || req.method === 'HEAD') res.end();
  else res.end(body);
}

/** `max-age` counts from when the response was made, so the age it has already is added. */
export function clientCacheControl({ clientTtlMs = 0, user }: CacheConfig, ageMs: number): string {
  return `${user === undefined ? '' : 'private, '}max-age=${Math.floor((clientTtlMs + ageMs) / 1_000)}`;
}

function hasCacheControl(res: Response, head: ResponseHead): boolean {
  return (
    res.hasHeader('cache-control') || Object.keys(head.headers).some((name) => name.toLowerCase() === 'cache-control')
  );
}

function withoutBody(headers: ResponseHead['headers']): Record<string, string | readonly string[]> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !describesBody(name)));
}
