import type { Request, Response } from 'express';
import { entryKey, urlTag } from '../cache/tags.ts';
import { holdResponse } from '../http/hold-response.ts';
import type { Purge } from '../register/records.ts';
import type { Stamp } from '../register/mirror.ts';
import type { Register } from '../register/register.ts';
import { addCacheStatus } from './cache-status.ts';
import { bypass, type ExchangeBase, openExchange } from './exchange.ts';
import { fieldOf } from './record-response.ts';
import { groupsIn, groupTag } from './groups.ts';
import { originOf } from './request-key.ts';
import { runUnshared, storeLate } from './run.ts';

/** Methods that change nothing (RFC 9110 §9.2.1 and their registry). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'REPORT', 'SEARCH', 'PRI']);

/** A request that the cache cannot answer: its success may make stored responses wrong, and may bring a new one. */
export function handleUnsafe(base: ExchangeBase): void {
  const { req, config, state } = base;
  const { register } = state.backend.store;
  if (SAFE.has(req.method) || config.skip?.(req) === true) return pass(base);
  if (req.method === 'POST' && config.policy.post === 'store') {
    storePost(base, register).catch(base.next);
    return;
  }
  invalidateAfterUnsafe(base);
  pass(base);
}

function pass(base: ExchangeBase): void {
  addCacheStatus(base.res, { forward: 'method' });
  bypass(base);
}

/**
 * When an unsafe request succeeds, what is stored for its URL, for `Location` and `Content-Location` on the same host (RFC 9111 §4.4), and for the groups it names
 * (RFC 9875 §3) is invalidated before its answer leaves. Redis being away does not keep the answer.
 */
function invalidateAfterUnsafe(
  { req, res, state }: ExchangeBase,
  invalidate: (purges: readonly Purge[]) => Promise<unknown> = state.backend.store.register.invalidate,
): void {
  holdResponse(res, () => (res.statusCode < 200 || res.statusCode >= 400 ? undefined : invalidate(purgesOf(req, res))));
}

function purgesOf(req: Request, res: Response): Purge[] {
  const urls = [ownUrl(req), ...['location', 'content-location'].flatMap((name) => sameHostUrl(req, res, name))];
  const origin = originOf(req);
  const groups = groupsIn(fieldOf(res)('cache-group-invalidation')).map((group) => groupTag(origin, group));
  return [...urls.map(urlTag), ...groups].map((value) => ({ mode: 'hard', kind: 'tag', value }));
}

/** Path and query as routers see them: a request line may also hold a full URL, or a fragment. */
function ownUrl({ originalUrl }: Request): string {
  const [url = ''] = originalUrl.split('#', 1);
  return url.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?]*/i, '').replace(/^(?!\/)/, '/');
}

function sameHostUrl(req: Request, res: Response, name: string): string[] {
  const value = res.getHeader(name);
  const origin = originOf(req);
  const base = URL.canParse(origin) ? origin : 'http://localhost';
  if (value === undefined || !URL.canParse(String(value), base + req.originalUrl)) return [];
  const url = new URL(String(value), base + req.originalUrl);
  return url.host === new URL(base).host ? [url.pathname + url.search] : [];
}

/**
 * The response to a POST may answer later GETs (RFC 9110 §9.3.3). It is stored behind the invalidation that the POST itself brings, and only if nothing of the kind
 * came from elsewhere since before its handler ran.
 */
async function storePost(base: ExchangeBase, register: Register): Promise<void> {
  const isVerified = await register.refresh();
  const begun = register.stamp();
  const exchange = isVerified && begun !== undefined ? openExchange(base) : undefined;
  if (exchange === undefined || begun === undefined) {
    invalidateAfterUnsafe(base);
    return pass(base);
  }
  const { key } = exchange;
  const known = { key: entryKey('h', key.name), tags: [urlTag(key.url)] };
  let tell: (stamp: Stamp | undefined) => void = () => undefined;
  const invalidated = new Promise<Stamp | undefined>((resolve) => {
    tell = resolve;
  });
  invalidateAfterUnsafe(base, async (purges) => {
    const mayBeStored = (await register.refresh()) && register.judge(begun, () => known) === 'valid';
    const before = register.stamp();
    const bump = await register.invalidate(purges).catch(() => undefined);
    // Nothing at all came between: who else purged this URL did so before, and was seen, or comes after.
    tell(mayBeStored && bump !== undefined && bump.previousClock === before?.clock ? bump : undefined);
  });
  runUnshared(exchange, { stamp: begun, forward: 'method' }, (response) => {
    const { draft } = response;
    void invalidated.then((stamp) => {
      const others = { ...draft, tags: draft.tags.filter((tag) => !known.tags.includes(tag)) };
      if (stamp === undefined || register.judge(begun, () => others) !== 'valid') return;
      storeLate(exchange, { ...response, draft: { ...draft, stamp } });
    });
  });
}
