import type { NextFunction, Request, Response } from 'express';
import type { Counted } from '../cache/statistics.ts';
import { keyPurge } from '../cache/tags.ts';
import { isCredentialed } from './bypass.ts';
import { attachHandle, takeOver } from './handle.ts';
import { normalizeRequest } from './normalize.ts';
import type { CacheConfig } from './options.ts';
import { type RequestDirectives, requestDirectives } from './request-directives.ts';
import { RequestKey } from './request-key.ts';
import type { HttpCacheState } from './shared.ts';

/** What every request brings. A class, as all that hits make: see `cache/found`. */
export class ExchangeBase {
  readonly req: Request;
  readonly res: Response;
  readonly next: NextFunction;
  readonly config: CacheConfig;
  readonly state: HttpCacheState;
  constructor(req: Request, res: Response, next: NextFunction, config: CacheConfig, state: HttpCacheState) {
    this.req = req;
    this.res = res;
    this.next = next;
    this.config = config;
    this.state = state;
  }
}

/** One request on its way through the cache. */
export class Exchange extends ExchangeBase {
  readonly key: RequestKey;
  /** It says who is asking, so only what is for everybody may be shared with it. */
  readonly isCredentialed: boolean;
  /** What its client asks of caches, as far as the policy honours it. */
  readonly directives: RequestDirectives;
  /** Among whom requests wait for each other: those who may share only what is for everybody, and those at each of several caches on a way, do so among themselves. */
  readonly group: string;
  /** Under which they do in this process. */
  readonly flightKey: string;
  /** When its first lookup began, on the clock of this process. */
  readonly startedAt: number;
  /** The name its counts go under. */
  readonly route: string;
  constructor(base: ExchangeBase, key: RequestKey, hasCredentials: boolean) {
    const { req, res, config } = base;
    super(req, res, base.next, config, base.state);
    this.key = key;
    this.isCredentialed = hasCredentials;
    this.directives = requestDirectives(req, config.policy);
    this.group = `${takeOver(res)}${hasCredentials ? '+' : '-'}`;
    this.flightKey = this.group + key.address;
    this.startedAt = performance.now();
    this.route = routeOf(req);
  }
}

/** What the cache does with a request, before any lookup; `undefined` when it stays out of it. `body`: a digest of it, where the request is told apart by that. */
export function openExchange(base: ExchangeBase, body?: string): Exchange | undefined {
  const { req, config } = base;
  if (config.skip?.(req)) return undefined;
  const user = userOf(req, config);
  if (config.user !== undefined && user === undefined && req.headers.authorization !== undefined) return undefined;
  normalizeRequest(req, config.normalize, config.policy.normalize);
  const key = new RequestKey(req, config, { user, body });
  return new Exchange(base, key, isCredentialed(req, config, user));
}

/** Checked for those who are not: a promise or an object would put all users into one partition. */
function userOf(req: Request, config: CacheConfig): string | undefined {
  const user: unknown = config.user?.(req) ?? undefined;
  if (user === undefined || typeof user === 'string') return user;
  throw new TypeError(`cache: user(req) must return a string or undefined, not ${typeof user}.`);
}

/** Whether nobody waits for an answer any more: the client has left, or somebody else has answered it, a timeout for example. */
export function isOver(res: Response): boolean {
  return res.destroyed || res.headersSent;
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

/** What is stored for a key has turned out to be wrong. By an invalidation, for processes may have copies of it in their memory. */
export function disown({ state, key }: Pick<Exchange, 'state' | 'key'>): void {
  void state.backend.store.register.invalidate([keyPurge('h', key.name)]).catch(() => undefined); // It is tried again by itself.
}

/** Runs the handler without the cache. */
export function bypass(base: Pick<Exchange, 'req' | 'res' | 'next' | 'state'>, key?: RequestKey): void {
  attachHandle(base.res);
  tell({ ...base, ...(key && { key }) }, 'bypasses', 'cache:bypass');
  base.next();
}
