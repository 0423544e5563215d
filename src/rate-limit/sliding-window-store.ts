import { LRUCache } from 'lru-cache';
import type { ClientRateLimitInfo, Options, Store } from 'express-rate-limit';
import { ConfigError } from '../core/errors.ts';
import type { LimitResult } from './limit-result.ts';
import { createLimiter, type RateLimiter } from './limiter.ts';
import { type LimiterOptions, toLimiterConfig } from './limiter-options.ts';
import type { LimitPlace } from './place.ts';

/** Admissions that can still be given back: in all, and of one client. */
const MAX_ADMISSIONS = 10_000;
const MAX_OF_CLIENT = 100;

/** Our sliding window as a store of express-rate-limit, which must have a numeric `limit`. */
export function createSlidingWindowStore(
  place: LimitPlace,
  options: LimiterOptions & { readonly name: string },
): Store {
  const admissions = new LRUCache<string, LimitResult[]>({
    maxSize: MAX_ADMISSIONS,
    sizeCalculation: ({ length }) => length,
  });
  /** Not where only successes are given back: a refusal is none, and must not be taken for one that is. */
  let keepsRefused = true;
  let limiter: RateLimiter | undefined;
  let limit = 0;

  function ready(): RateLimiter {
    if (limiter !== undefined) return limiter;
    throw new ConfigError(
      'rateLimitStore: express-rate-limit must have a limit that is a number. Use suite.rateLimit() for others.',
    );
  }

  return {
    localKeys: false,
    prefix: options.name,
    init({ windowMs, limit: given, skipFailedRequests, skipSuccessfulRequests }: Options) {
      keepsRefused = skipFailedRequests || !skipSuccessfulRequests;
      if (typeof given !== 'number') return; // Told when it is used: what is thrown here would only be logged.
      limit = given;
      limiter = createLimiter(place, toLimiterConfig({ ...options, limit, windowMs }));
    },
    async increment(key) {
      const result = await ready().take(key);
      if (result.allowed || keepsRefused)
        admissions.set(key, [...(admissions.get(key) ?? []), result].slice(-MAX_OF_CLIENT));
      return toInfo(result, limit);
    },
    /** The last that came; a refused one used nothing and gives nothing back. */
    async decrement(key) {
      await admissions.get(key)?.pop()?.refund();
    },
    async resetKey(key) {
      admissions.delete(key);
      await ready().reset(key);
    },
    async get(key) {
      const { limit: total, remaining, resetAt } = await ready().peek(key);
      return { totalHits: total - remaining, resetTime: resetAt };
    },
  };
}

/** More hits than the limit are a refusal there. */
function toInfo(
  { allowed, reason, remaining, resetAt, retryAfterMs }: LimitResult,
  limit: number,
): ClientRateLimitInfo {
  if (!allowed)
    return { totalHits: limit + 1, resetTime: new Date(Date.now() + Math.min(retryAfterMs, 366 * 86_400_000)) };
  return { totalHits: reason === 'within-limit' ? limit - remaining : 1, resetTime: resetAt };
}
