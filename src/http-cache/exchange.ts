import type { NextFunction, Request, Response } from 'express';
import type { Counted } from '../cache/statistics.ts';
import type { SuiteEvents } from '../core/events.ts';
import { attachHandle } from './handle.ts';
import type { CacheConfig } from './options.ts';
import { needsPublic } from './policy.ts';
import { type RequestKey, requestKey } from './request-key.ts';
import type { HttpCacheState } from './shared.ts';

/** One request on its way through the cache. */
export interface Exchange {
  readonly req: Request;
  readonly res: Response;
  readonly next: NextFunction;
  readonly config: CacheConfig;
  readonly state: HttpCacheState;
  readonly key: RequestKey;
  /** Only responses marked `public` may be shared with it. */
  readonly needsPublic: boolean;
  /** Under which requests wait for each other: those who may share only public responses do so among themselves. */
  readonly flightKey: string;
}

const NO_KEY: RequestKey = { name: '', url: '', address: '', variant: () => '' };

/** What the cache does with a request, before any lookup; `undefined` when it stays out of it. */
export function openExchange(base: Pick<Exchange, 'req' | 'res' | 'next' | 'config' | 'state'>): Exchange | undefined {
  const { req, config } = base;
  if (config.skip?.(req) === true) return undefined;
  const user = config.user?.(req);
  if (config.user !== undefined && user === undefined && req.headers.authorization !== undefined) return undefined;
  const key = requestKey(req, config, user);
  const isCredentialed = needsPublic(req, config, user);
  return { ...base, key, needsPublic: isCredentialed, flightKey: `${isCredentialed ? '+' : '-'}${key.address}` };
}

/** Counts what happened and tells who listens. */
export function tell(
  { req, state, key }: Pick<Exchange, 'req' | 'state'> & { key?: RequestKey },
  counted: Counted,
  event: Extract<keyof SuiteEvents, `cache:${string}`>,
): void {
  const route = routeOf(req);
  state.backend.httpStatistics.count(route, counted);
  if (event !== 'cache:error') state.backend.events.tell(event, { route, key: (key ?? NO_KEY).name });
}

/** The route as the application wrote it, not as it was asked for: `/api/products/:id`. */
function routeOf(req: Request): string {
  const route = req.route as { path?: unknown } | undefined;
  return `${req.baseUrl}${route === undefined ? '' : String(route.path)}` || '/';
}

/** Runs the handler without the cache. */
export function bypass(base: Pick<Exchange, 'req' | 'res' | 'next' | 'state'>, key?: RequestKey): void {
  attachHandle(base.res);
  tell({ ...base, ...(key && { key }) }, 'bypasses', 'cache:bypass');
  base.next();
}
