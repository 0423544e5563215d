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
  SuiteError,
  TimeoutError,
} from './core/errors.ts';
export type { CacheEvent, LimitEvent, RedisIncident, SuiteEvents } from './core/events.ts';
export type { Logger } from './core/logger.ts';
export { createDataCache, type DataCache, type DataCacheOptions, type DataEntryOptions } from './data/data.ts';
export {
  cacheControl,
  type CacheControlFields,
  type CacheOptions,
  httpCache,
  type HttpCacheOptions,
  type ResponseCache,
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
export { createSuite, type Suite, type SuiteOptions, type SuiteStatistics } from './suite.ts';
