import type { Request, Response } from 'express';
import { urlTag } from '../cache/tags.ts';
import { holdResponse } from '../http/hold-response.ts';
import type { Register } from '../register/register.ts';

/** Methods that change nothing (RFC 9110 §9.2.1 and their registry). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'REPORT', 'SEARCH', 'PRI']);

/**
 * When an unsafe request succeeds, what is stored for its URL, and for `Location` and `Content-Location` on the same host, is invalidated before its answer leaves
 * (RFC 9111 §4.4). Redis being away does not keep the answer.
 */
export function invalidateAfterUnsafe(req: Request, res: Response, register: Register): void {
  if (SAFE.has(req.method)) return;
  holdResponse(res, () => {
    if (res.statusCode < 200 || res.statusCode >= 400) return undefined;
    const urls = [req.originalUrl, ...['location', 'content-location'].flatMap((name) => sameHostUrl(req, res, name))];
    return register.invalidate(urls.map((url) => ({ mode: 'hard', kind: 'tag', value: urlTag(url) })));
  });
}

function sameHostUrl(req: Request, res: Response, name: string): string[] {
  const value = res.getHeader(name);
  const base = `http://${req.headers.host ?? 'localhost'}`;
  if (value === undefined || !URL.canParse(base) || !URL.canParse(String(value), base + req.originalUrl)) return [];
  const url = new URL(String(value), base + req.originalUrl);
  return url.host === new URL(base).host ? [url.pathname + url.search] : [];
}
