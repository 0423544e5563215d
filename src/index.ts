export type { Backend, BackendOptions } from './cache/backend.ts';
export type { Counters } from './cache/statistics.ts';
export type { Bytes } from './core/bytes.ts';
export type { Duration, Ttl } from './core/duration.ts';
export {
  CircuitOpenError,
  ConfigError,
  LimitKeyError,
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
} from './core/errors.ts';
export type { CacheEvent, LimitEvent, RedisIncident, SessionEvent, SuiteEvents } from './core/events.ts';
export type { Logger } from './core/logger.ts';
export { createDataCache, type DataCache, type DataCacheOptions, type DataEntryOptions } from './data/data.ts';
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
  createInvalidation,
  type Invalidation,
  type InvalidationFields,
  type InvalidateAfter,
  type Invalidator,
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
