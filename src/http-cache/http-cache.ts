import type { RequestHandler } from 'express';
import { BACKEND_OPTIONS, type Backend, backendOf, type BackendOptions } from '../cache/backend.ts';
import { addCacheStatus } from './cache-status.ts';
import { bypass, openExchange } from './exchange.ts';
import { type CacheOptions, toCacheConfig } from './options.ts';
import { bypassOf } from './policy.ts';
import { serve } from './serve.ts';
import { stateOf } from './shared.ts';
import { invalidateAfterUnsafe } from './unsafe.ts';

export { cacheControl, type CacheControlFields } from './cache-control.ts';
export type { ResponseCache } from './handle.ts';
export type { CacheOptions } from './options.ts';

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
    try {
      const base = { req, res, next, config, state };
      const reason = bypassOf(req);
      const exchange = reason === undefined ? openExchange(base) : undefined;
      if (exchange === undefined) {
        addCacheStatus(res, { forward: reason ?? 'bypass' });
        if (reason === 'method' && config.skip?.(req) !== true) {
          invalidateAfterUnsafe(req, res, backend.store.register);
        }
        bypass(base);
        return;
      }
      const lookup = state.variants.read(exchange.key);
      if (lookup instanceof Promise) lookup.then((outcome) => serve(exchange, outcome)).catch(next);
      else serve(exchange, lookup)?.catch(next);
    } catch (error) {
      next(error);
    }
  };
}
