import type { ServerResponse } from 'node:http';

const NAME = 'express-redis-suite';

/** What the cache did with a request: members of Cache-Status (RFC 9211 §2). */
export type CacheStatus =
  | { readonly hit: true; readonly ttlMs: number }
  | {
      /** Why the handler was asked. */
      readonly forward: 'uri-miss' | 'vary-miss' | 'stale' | 'method' | 'bypass';
      readonly isStored?: boolean;
      readonly isCollapsed?: boolean;
    };

/** One member for this cache. Durations are whole seconds; below 0 for how long it has been stale. */
function cacheStatus(status: CacheStatus): string {
  if ('hit' in status) return `${NAME}; hit; ttl=${Math.floor(status.ttlMs / 1_000)}`;
  return `${NAME}; fwd=${status.forward}${status.isStored === true ? '; stored' : ''}${status.isCollapsed === true ? '; collapsed' : ''}`;
}

/** Adds this cache's member behind those of caches nearer to the origin. */
export function addCacheStatus(res: ServerResponse, status: CacheStatus): void {
  const existing = res.getHeader('Cache-Status');
  const member = cacheStatus(status);
  res.setHeader('Cache-Status', existing === undefined ? member : `${String(existing)}, ${member}`);
}
