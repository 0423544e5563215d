import type { NextFunction, Request, Response } from 'express';
import type { Counted } from '../cache/statistics.ts';
import { attachHandle, takeOver } from './handle.ts';
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
  /** Under which requests wait for each other: those who may share only public responses do so among themselves, and so does each of several caches on a way. */
  readonly flightKey: string;
  /** When its first lookup began, on the clock of this process. */
  readonly startedAt: number;
  /** The name its counts go under. */
  readonly route: string;
}

/** What the cache does with a request, before any lookup; `undefined` when it stays out of it. */
export function openExchange(base: Pick<Exchange, 'req' | 'res' | 'next' | 'config' | 'state'>): Exchange | undefined {
  const { req, res, next, config, state } = base;
  if (config.skip?.(req)) return undefined;
  const user = userOf(req, config);
  if (config.user !== undefined && user === undefined && req.headers.authorization !== undefined) return undefined;
  const key = requestKey(req, config, user);
  const isCredentialed = needsPublic(req, config, user);
  const flightKey = `${takeOver(res)}${isCredentialed ? '+' : '-'}${key.address}`;
  const startedAt = performance.now();
  return { req, res, next, config, state, key, needsPublic: isCredentialed, flightKey, startedAt, route: routeOf(req) };
}

/** Checked for those who are not: a promise or an object would put all users into one partition. */
function userOf(req: Request, config: CacheConfig): string | undefined {
  const user: unknown = config.user?.(req) ?? undefined;
  if (user === undefined || typeof user === 'string') return user;
  throw new TypeError(`cache: user(req) must return a string or undefined, not ${typeof user}.`);
}

/** Counts what happened and tells who listens. */
export function tell(
  { req, state, key, route = routeOf(req) }: Pick<Exchange, 'req' | 'state'> & Partial<Exchange>,
  counted: Counted,
  event: 'cache:hit' | 'cache:miss' | 'cache:stale' | 'cache:bypass' | 'cache:store',
): void {
  state.backend.httpStatistics.count(route, counted);
  state.backend.events.tell(event, { route, key: key?.name ?? '' });
}

/** The route as the application wrote it, not as it was asked for: `/api/products/:id`. */
function routeOf(req: Request): string {
  const route = req.route as { path?: unknown } | undefined;
  const path = route === undefined ? '' : String(route.path);
  return (req.baseUrl === '' ? path : req.baseUrl + path) || '/';
}

/** Runs the handler without the cache. */
export function bypass(base: Pick<Exchange, 'req' | 'res' | 'next' | 'state'>, key?: RequestKey): void {
  attachHandle(base.res);
  tell({ ...base, ...(key && { key }) }, 'bypasses', 'cache:bypass');
  base.next();
}
