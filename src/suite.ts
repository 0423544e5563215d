import type { RequestHandler } from 'express';
import { BACKEND_OPTIONS, backendOf, type BackendOptions } from './cache/backend.ts';
import type { Counters } from './cache/statistics.ts';
import type { Ttl } from './core/duration.ts';
import type { EventBus } from './core/events.ts';
import { checkOptions } from './core/options.ts';
import { createData, type DataCache, toDefaultTtlMs } from './data/data.ts';
import { type CacheOptions, createHttpCache } from './http-cache/http-cache.ts';
import { createLimits, type LimitCounters, type Limits } from './rate-limit/rate-limit.ts';
import { createInvalidator, type Invalidator } from './invalidation/invalidation.ts';
import {
  configureSessions,
  type RedisSessionStore,
  type SessionCounters,
  type SessionManager,
  sessionManagerOn,
  sessionOn,
  type SessionOptions,
  sessionStatisticsOf,
  type SessionStoreOptions,
  sessionStoreOn,
} from './session/session.ts';

/** Options of {@link createSuite}. */
export interface SuiteOptions extends BackendOptions {
  /** Lifetime of values that `data` stores without one. Default: the variable CACHE_DEFAULT_TTL, else 5 minutes. */
  readonly defaultTtl?: Ttl | undefined;
  /** Options of `session()`, here for all parts that need them; `session()` may then be called without. */
  readonly session?: SessionOptions | undefined;
}

/** Everything on one connection. */
export interface Suite extends Invalidator, Limits {
  /** Caches the responses of a route or router. */
  cache(options?: CacheOptions): RequestHandler;
  /** The data cache. */
  readonly data: DataCache;
  /** Gives requests a session: express-session with safe defaults. */
  session(options?: SessionOptions): RequestHandler;
  /** A store for an express-session of your own. */
  sessionStore(options?: SessionStoreOptions): RedisSessionStore;
  /** Sessions by user. */
  readonly sessions: SessionManager;
  /** Tells what happens: `suite.events.on('redis:degraded', …)`. */
  readonly events: EventBus;
  /** Counts since the start of this process. */
  stats(): SuiteStatistics;
  /** Closes what the suite opened. Your connection stays open: it is yours. */
  close(): Promise<void>;
}

/** Counters of the response cache, in total and per route, of the data cache, of every limiter, and of the sessions. */
export interface SuiteStatistics {
  readonly cache: Counters & { readonly routes: Readonly<Record<string, Counters>> };
  readonly data: Counters;
  readonly limits: Readonly<Record<string, LimitCounters>>;
  readonly sessions: SessionCounters;
}

/**
 * Builds every part on one connection. Does no I/O itself.
 *
 * Without `redis` the caches live in this process: same behaviour, one process, bounded memory. In production that must be asked for with `backend: 'memory'` or
 * REDIS_ENABLED=false.
 *
 * @throws {ConfigError} When an option is wrong, or production has no connection.
 */
export function createSuite(options: SuiteOptions = {}): Suite {
  checkOptions('createSuite', options, [...BACKEND_OPTIONS, 'defaultTtl', 'session']);
  const { defaultTtl, session, ...where } = options;
  const defaultTtlMs = toDefaultTtlMs(defaultTtl);
  const backend = backendOf(where);
  const { place } = backend;
  if (session !== undefined) configureSessions(place, session);
  const { redis, prefix, deadline, logger } = options;
  const limits = createLimits({ redis, prefix, backend: backend.kind, deadline, logger });
  let isClosed = false;
  return {
    cache: (cacheOptions = {}) => createHttpCache(backend, cacheOptions),
    ...createInvalidator(backend),
    rateLimit: limits.rateLimit,
    rateLimiter: limits.rateLimiter,
    rateLimitStore: limits.rateLimitStore,
    data: createData(backend, defaultTtlMs),
    session: (sessionOptions = {}) => sessionOn(place, sessionOptions),
    sessionStore: (storeOptions = {}) => sessionStoreOn(place, storeOptions),
    sessions: sessionManagerOn(place),
    events: backend.events,
    stats: () => ({
      cache: { ...backend.httpStatistics.total(), routes: backend.httpStatistics.routes() },
      data: backend.dataStatistics.total(),
      limits: limits.statistics(),
      sessions: sessionStatisticsOf(place),
    }),
    async close() {
      if (isClosed) return;
      isClosed = true;
      limits.close();
      backend.close();
    },
  };
}
