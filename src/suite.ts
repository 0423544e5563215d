import type { RequestHandler } from 'express';
import { BACKEND_OPTIONS, backendOf, type BackendOptions } from './cache/backend.ts';
import type { TierStatistics } from './cache/memory-tier.ts';
import type { Counters } from './cache/statistics.ts';
import type { Ttl } from './core/duration.ts';
import type { EventBus } from './core/events.ts';
import { checkOptions } from './core/options.ts';
import { checkDataOptions, createRootData, type DataOptions, type RootDataCache, toDefaultTtlMs } from './data/data.ts';
import { createQueries, type Queries, type QueriesOptions } from './queries/queries.ts';
import { type CacheOptions, createHttpCache } from './http-cache/http-cache.ts';
import { createLimits, type LimitCounters, type Limits } from './rate-limit/rate-limit.ts';
import { createInvalidator, createRules, type Invalidator, type Rules } from './invalidation/invalidation.ts';
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
import { createWarmer, type Warmer } from './warm/warm.ts';

/** Options of {@link createSuite}. */
export interface SuiteOptions extends BackendOptions {
  /** Lifetime of values that `data` stores without one. Default: the variable CACHE_DEFAULT_TTL, else 5 minutes. */
  readonly defaultTtl?: Ttl | undefined;
  /** What `data` does: what calls do not say, and how values are written down. */
  readonly data?: DataOptions | undefined;
  /** Options of `queries`. */
  readonly queries?: QueriesOptions | undefined;
  /** Options of `session()`, here for all parts that need them; `session()` may then be called without. */
  readonly session?: SessionOptions | undefined;
}

/** Everything on one connection. */
export interface Suite extends Invalidator, Limits, Pick<Warmer, 'warm'> {
  /** Caches the responses of a route or router. */
  cache(options?: CacheOptions): RequestHandler;
  /** From "this has happened" to "these entries are gone". */
  readonly rules: Rules;
  /** The data cache. */
  readonly data: RootDataCache;
  /** Results of database queries, kept until a table they were read from changes. */
  readonly queries: Queries;
  /** `data.wrap`. */
  readonly cacheable: RootDataCache['wrap'];
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
  /** Ends what is under way and closes what the suite opened; resolves when that is done, at a second call too. Your connection stays open until then and after: it is yours. */
  close(): Promise<void>;
}

/** Counters of the response cache, in total and per route, of the data cache, of every limiter, and of the sessions. */
export interface SuiteStatistics {
  readonly cache: Counters & { readonly routes: Readonly<Record<string, Counters>> };
  readonly data: Counters;
  /** Copies in this process; absent without the option `memory`, and on the embedded backend. */
  readonly memory: TierStatistics | undefined;
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
  checkOptions('createSuite', options, [...BACKEND_OPTIONS, 'defaultTtl', 'data', 'queries', 'session']);
  const { defaultTtl, session, data: dataOptions = {}, queries, ...where } = options;
  checkDataOptions(dataOptions);
  const defaultTtlMs = toDefaultTtlMs(defaultTtl);
  const backend = backendOf(where);
  const { place } = backend;
  if (session !== undefined) configureSessions(place, session);
  const { redis, prefix, deadline, logger } = options;
  const limits = createLimits({ redis, prefix, backend: backend.kind, deadline, logger });
  const { data, close: closeWriters } = createRootData(backend, defaultTtlMs, dataOptions);
  const rules = createRules(backend);
  const warmer = createWarmer(backend, data);
  const invalidator = createInvalidator(backend);
  let closing: Promise<void> | undefined;

  /** Nothing of it rejects, and all of it needs the backend until it has ended. */
  async function close(): Promise<void> {
    await Promise.all([closeWriters(), warmer.stop(), rules.close()]);
    limits.close();
    backend.close();
  }

  return {
    cache: (cacheOptions = {}) => createHttpCache(backend, cacheOptions),
    ...invalidator,
    rules,
    rateLimit: limits.rateLimit,
    rateLimiter: limits.rateLimiter,
    rateLimitStore: limits.rateLimitStore,
    data,
    queries: createQueries(data, invalidator, queries),
    warm: warmer.warm,
    cacheable: data.wrap,
    session: (sessionOptions = {}) => sessionOn(place, sessionOptions),
    sessionStore: (storeOptions = {}) => sessionStoreOn(place, storeOptions),
    sessions: sessionManagerOn(place),
    events: backend.events,
    stats: () => ({
      cache: { ...backend.httpStatistics.total(), routes: backend.httpStatistics.routes() },
      data: backend.dataStatistics.total(),
      memory: backend.tier?.statistics(),
      limits: limits.statistics(),
      sessions: sessionStatisticsOf(place),
    }),
    close: () => (closing ??= close()),
  };
}
