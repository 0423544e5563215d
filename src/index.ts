export type { Backend, BackendOptions } from './cache/backend.ts';
export type { TierStatistics } from './cache/memory-tier.ts';
export type { Counters } from './cache/statistics.ts';
export type { Bytes } from './core/bytes.ts';
export type { Duration, Ttl } from './core/duration.ts';
export {
  CircuitOpenError,
  ConfigError,
  LimitKeyError,
  LoadTimeoutError,
  QueryRefusedError,
  RateLimitExceededError,
  RedisError,
  SessionConflictError,
  SessionError,
  SessionRevokedError,
  SessionTooLargeError,
  SessionUnavailableError,
  SuiteError,
  TimeoutError,
  TooManySessionsError,
  WriteBehindClosedError,
  WriteBehindFullError,
} from './core/errors.ts';
export type { CacheEvent, LimitEvent, RedisIncident, SessionEvent, SuiteEvents } from './core/events.ts';
export type { Logger } from './core/logger.ts';
export {
  type CacheableOptions,
  type CacheEvictOptions,
  type CachePutOptions,
  createDecorators,
  type DecoratedSuite,
  type Decorators,
} from './data/decorators.ts';
export {
  type CacheKey,
  createDataCache,
  type DataCache,
  type DataCacheOptions,
  type DataEntryOptions,
  type DataOptions,
  type DataReadOptions,
  type DeadLetter,
  type Explanation,
  type LoadContext,
  type Loader,
  type LoaderOfMany,
  type LoadManyContext,
  type LoadManyOptions,
  type LoadOptions,
  type NamespaceOptions,
  type RootDataCache,
  type Serializer,
  type StaleValue,
  type StandardSchema,
  type WriteBehind,
  type WriteBehindOptions,
  type WriteBehindRecord,
  type WriteContext,
  type WriteCounts,
  type Writers,
  type WriteThrough,
  type WriteThroughOptions,
} from './data/data.ts';
export { type CachedPg, cachedPg, type PgCaching, type PgClient, type PgRows } from './queries/cached-pg.ts';
export type { Query, QueryParams } from './queries/query-key.ts';
export {
  type ChangeOptions,
  createQueries,
  type Execute,
  type Queries,
  type QueriesOptions,
  type RunOptions,
} from './queries/queries.ts';
export type { ChangeScope, QueryTransaction } from './queries/query-transaction.ts';
export type { DialectName } from './queries/sql-dialects.ts';
export { staleTimeOf } from './queries/stale-time.ts';
export {
  type CachedQueryOptions,
  createQueryOptions,
  keyPrefixOf,
  type QueryKey,
  type QueryKeyScope,
  type QueryOptionsInput,
} from './queries/tanstack.ts';
export type { TypedKey } from './data/typed-key.ts';
export { key, type KeyBuilder, type KeyOptions, keys } from './data/typed-keys.ts';
export { wrap, type Wrapped, type WrapOptions } from './data/wrap.ts';
export {
  appPolicy,
  cacheControl,
  type CacheControlFields,
  type CacheOptions,
  type CachePolicy,
  httpCache,
  type HttpCacheOptions,
  isRefresh,
  type Normalize,
  type ResponseCache,
  rfc9111Policy,
  type TagField,
} from './http-cache/http-cache.ts';
export {
  type Affected,
  createInvalidation,
  defineGroups,
  defineRules,
  type DryRun,
  type EntityEvent,
  type EntityRuleOptions,
  entityRules,
  type Invalidation,
  type InvalidationFields,
  type InvalidateAfter,
  type Invalidator,
  type ReclaimOptions,
  type ReclaimProgress,
  type Rule,
  type RuleOptions,
  type RuleResult,
  type Rules,
  type RuleSet,
} from './invalidation/invalidation.ts';
export {
  type BanOptions,
  combine,
  cookie,
  createRateLimiter,
  header,
  ip,
  type LimitChanges,
  type LimitCounters,
  type LimiterOptions,
  type LimitReason,
  type LimitResult,
  type Offender,
  type PolicyOptions,
  type PolicyResult,
  rateLimit,
  type RateLimiter,
  type RateLimitHandler,
  type RateLimitOptions,
  rateLimitStore,
  type RateLimitStoreOptions,
  type RefusedClient,
  type RequestKey,
  type RequestLimit,
  type ResponseLimit,
  type TakeOptions,
  user,
} from './rate-limit/rate-limit.ts';
export { createRouteDecorators, type RouteDecorators, type RouteSuite } from './routes/route-decorators.ts';
export type { RedisClient } from './redis/client.ts';
export { createRedis, type CreateRedisOptions } from './redis/redis.ts';
export {
  createSessionManager,
  createSessionStore,
  type EncryptionKey,
  type OnRedisError,
  RedisSessionStore,
  type RequestSession,
  session,
  type SessionCookieOptions,
  type SessionInfo,
  type SessionLogin,
  type SessionManager,
  type SessionMiddlewareOptions,
  type SessionOptions,
  type SessionPlaceOptions,
  type SessionStoreOptions,
  type SessionCounters,
} from './session/session.ts';
export { createSuite, type Suite, type SuiteOptions, type SuiteStatistics } from './suite.ts';
export {
  createHotKeys,
  definePlan,
  type HotKeyOptions,
  type HotKeys,
  type UrlItem,
  type ValueItem,
  type ValuesItem,
  type WarmFailure,
  type WarmItem,
  type WarmItems,
  type WarmOptions,
  type WarmPlan,
  type WarmProgress,
} from './warm/warm.ts';
