import type { ServerResponse } from 'node:http';
import { serializeItem } from 'structured-headers';

const NAME = 'express-redis-suite';

/** Why the handler was asked, in the words of RFC 9211 §2.2. */
export type Forward = 'uri-miss' | 'vary-miss' | 'stale' | 'request' | 'partial' | 'method' | 'bypass';

/** A class, as all that hits make: see `cache/found`. */
export class HitStatus {
  readonly hit = true;
  readonly ttlMs: number;
  readonly detail = undefined;
  constructor(ttlMs: number) {
    this.ttlMs = ttlMs;
  }
}

/** What the cache did with a request: members of Cache-Status (RFC 9211 §2). */
export type CacheStatus =
  | HitStatus
  | {
      readonly forward: Forward;
      /** The handler's status, where the client gets another. */
      readonly forwardStatus?: number | undefined;
      readonly isStored?: boolean | undefined;
      readonly isCollapsed?: boolean | undefined;
      readonly ttlMs?: number | undefined;
      readonly detail?: string | undefined;
    };

/** One member for this cache. Durations are whole seconds; below 0 for how long it has been stale. */
function cacheStatus(status: CacheStatus, key: string | undefined): string {
  let text = NAME;
  if ('hit' in status) text += '; hit';
  else {
    text += `; fwd=${status.forward}`;
    if (status.forwardStatus !== undefined) text += `; fwd-status=${status.forwardStatus}`;
    if (status.isStored === true) text += '; stored';
    if (status.isCollapsed === true) text += '; collapsed';
  }
  if (status.ttlMs !== undefined) text += `; ttl=${Math.floor(status.ttlMs / 1_000)}`;
  if (key === undefined) return text;
  return `${text}; key=${quote(key)}${status.detail === undefined ? '' : `; detail=${status.detail}`}`;
}

/** RFC 9651 §3.3.3: a String holds printable ASCII only. */
function quote(text: string): string {
  return serializeItem(text.toWellFormed().replaceAll(/[^ -~]/gu, encodeURIComponent), new Map());
}

/** Adds this cache's member behind those of caches nearer to the origin. `key` and `detail` only where a key is given: they tell clients what they need not know. */
export function addCacheStatus(res: ServerResponse, status: CacheStatus, key?: string): void {
  const existing = res.getHeader('Cache-Status');
  const member = cacheStatus(status, key);
  res.setHeader('Cache-Status', existing === undefined ? member : `${String(existing)}, ${member}`);
}
