import type { RequestHandler } from 'express';
import { BACKEND_OPTIONS, type Backend, backendOf, type BackendOptions } from '../cache/backend.ts';
import { continueRefresh } from './background.ts';
import { bypassOf } from './bypass.ts';
import { addCacheStatus } from './cache-status.ts';
import { bypass, ExchangeBase, openExchange } from './exchange.ts';
import { type CacheOptions, toCacheConfig } from './options.ts';
import { bodyDigest } from './query-body.ts';
import { partNeeded, serve } from './serve.ts';
import { stateOf } from './shared.ts';
import { warnOfSharedKey } from './undeclared.ts';
import { handleUnsafe } from './unsafe.ts';

export { isRefresh } from './background.ts';
export { cacheControl, type CacheControlFields } from './cache-control.ts';
export type { TagField } from './groups.ts';
export type { ResponseCache } from './handle.ts';
export type { Normalize } from './normalize.ts';
export type { CacheOptions } from './options.ts';
export { appPolicy, type CachePolicy, rfc9111Policy } from './policy.ts';

/** Options of {@link httpCache}: a route's, and where its cache lives. */
export interface HttpCacheOptions extends CacheOptions, BackendOptions {}

/**
 * An Express handler that answers GET and HEAD from the cache, and stores what the handlers behind it answer.
 *
 * When Redis is slow or away requests reach their handlers after the deadline at most, and at once when it has been away for a moment.
 *
 * @throws {ConfigError} When an option is wrong.
 * @see RFC 9111
 */
export function httpCache(options: HttpCacheOptions = {}): RequestHandler {
  return createHttpCache(backendOf(options), options, BACKEND_OPTIONS);
}

/** {@link httpCache} on a backend that is already there. */
export function createHttpCache(
  backend: Backend,
  options: CacheOptions,
  alsoKnown: readonly string[] = [],
): RequestHandler {
  const config = toCacheConfig(options, alsoKnown);
  const state = stateOf(backend);
  return function httpCache(req, res, next) {
    const base = new ExchangeBase(req, res, next, config, state);
    try {
      if (res.headersSent) return next();
      if (continueRefresh(base)) return;
      const reason = bypassOf(req, config);
      if (reason === 'method') handleUnsafe(base);
      else if (reason !== undefined) stayOut(base, reason);
      else if (req.method === 'QUERY') answerQuery(base).catch(next);
      else answer(base)?.catch(next);
    } catch (error) {
      next(error);
    }
  };
}

function answer(base: ExchangeBase, body?: string): Promise<void> | undefined {
  const exchange = openExchange(base, body);
  if (exchange === undefined) {
    stayOut(base, 'bypass');
    return undefined;
  }
  if (base.state.isDevelopment) warnOfSharedKey(exchange);
  const lookup = base.state.variants.read(exchange.key, partNeeded(exchange));
  if (lookup instanceof Promise) return lookup.then((outcome) => serve(exchange, outcome));
  return serve(exchange, lookup) ?? undefined;
}

async function answerQuery(base: ExchangeBase): Promise<void> {
  const body = await bodyDigest(base.req);
  if (body === undefined) stayOut(base, 'bypass');
  else await answer(base, body);
}

function stayOut(base: ExchangeBase, reason: 'bypass' | 'method'): void {
  addCacheStatus(base.res, { forward: reason });
  bypass(base);
}
