import type { Store } from 'express-rate-limit';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import type { PlaceOptions } from '../redis/place.ts';
import { createFixedWindowStore } from './fixed-window-store.ts';
import { createLimiter, type RateLimiter } from './limiter.ts';
import { type LimiterOptions, toLimiterConfig } from './limiter-options.ts';
import { createRateLimit, type RateLimitHandler } from './middleware.ts';
import type { RateLimitOptions } from './middleware-options.ts';
import { dropEmbeddedLimits, type LimitPlace, limitPlaceOf } from './place.ts';
import type { LimitCounters } from './statistics.ts';
import { createSlidingWindowStore } from './sliding-window-store.ts';

export type { LimitReason, LimitResult, PolicyResult } from './limit-result.ts';
export type { LimitChanges } from './limiter-administration.ts';
export type { RateLimiter, TakeOptions } from './limiter.ts';
export type { BanOptions, LimiterOptions } from './limiter-options.ts';
export type { RateLimitHandler } from './middleware.ts';
export type { RateLimitOptions } from './middleware-options.ts';
export type { PolicyOptions } from './policy-options.ts';
export type { Offender, RefusedClient } from './refused-log.ts';
export type { RequestLimit, ResponseLimit } from './request-limit.ts';
export { combine, cookie, header, ip, type RequestKey, user } from './request-key.ts';
export type { LimitCounters } from './statistics.ts';

/** Options of {@link rateLimitStore}. The limit and its window come from express-rate-limit. */
export interface RateLimitStoreOptions extends Pick<
  LimiterOptions,
  'name' | 'precision' | 'onRedisError' | 'processes' | 'keySecret'
> {
  /** `sliding-window`: ours. `fixed-window`: rate-limit-redis underneath. Default: `sliding-window`. */
  readonly algorithm?: 'sliding-window' | 'fixed-window' | undefined;
}

/** Limits, as a suite offers them. */
export interface Limits {
  /** Limits requests: an Express handler. */
  rateLimit(options: RateLimitOptions): RateLimitHandler;
  /** Limits anything that has a key. */
  rateLimiter(options: LimiterOptions): RateLimiter;
  /** A store for express-rate-limit. */
  rateLimitStore(options?: RateLimitStoreOptions): Store;
}

/**
 * An Express handler that limits requests: `rateLimit({ redis, limit: 100, window: '1m' })`. Refused requests are answered with 429 and a problem document.
 *
 * @throws {ConfigError} When an option is wrong, or a second limiter has no name.
 */
export function rateLimit(options: RateLimitOptions & PlaceOptions): RateLimitHandler {
  const [place, own] = split(options, 'rateLimit');
  const handler = createRateLimit(place, own);
  if (own.name === undefined) place.claimDefault();
  return handler;
}

/**
 * A limiter for anything that has a key: a WebSocket, a job, a login name.
 *
 * @throws {ConfigError} When an option is wrong, or a second limiter has no name.
 */
export function createRateLimiter(options: LimiterOptions & PlaceOptions): RateLimiter {
  const [place, own] = split(options, 'createRateLimiter');
  const limiter = createLimiter(place, toLimiterConfig(own));
  if (own.name === undefined) place.claimDefault();
  return limiter;
}

/**
 * A store for express-rate-limit: `rateLimit({ limit: 100, store: rateLimitStore({ redis, name: 'api' }) })`.
 *
 * @throws {ConfigError} When an option is wrong, or a second limiter has no name.
 */
export function rateLimitStore(options: RateLimitStoreOptions & PlaceOptions = {}): Store {
  const [place, own] = split(options, 'rateLimitStore');
  const store = createStore(place, own);
  if (own.name === undefined) place.claimDefault();
  return store;
}

/** The limits of a suite. `close` makes room for another suite in its place. */
export function createLimits(options: PlaceOptions): Limits & {
  statistics(): Readonly<Record<string, LimitCounters>>;
  close(): void;
} {
  const { prefix = 'suite', redis } = options;
  let opened: LimitPlace | undefined;
  const claims: (() => void)[] = [];

  /** On first need: a suite that limits nothing has no place for it. */
  function place(): LimitPlace {
    opened ??= limitPlaceOf(options);
    return opened;
  }

  function named<T>({ name }: { readonly name?: string | undefined }, create: () => T): T {
    const created = create();
    if (name === undefined) claims.push(place().claimDefault());
    return created;
  }

  return {
    rateLimit: (own) => named(own, () => createRateLimit(place(), own)),
    rateLimiter: (own) => named(own, () => createLimiter(place(), toLimiterConfig(own))),
    rateLimitStore: (own = {}) => named(own, () => createStore(place(), own)),
    statistics: () => opened?.statistics() ?? {},
    close() {
      for (const release of claims.splice(0)) release();
      if (redis === undefined) dropEmbeddedLimits(prefix);
    },
  };
}

function createStore(place: LimitPlace, options: RateLimitStoreOptions): Store {
  const { algorithm, name = 'default', ...rest } = options;
  const known = ['name', 'algorithm', 'precision', 'onRedisError', 'processes', 'keySecret'];
  checkOptions('rateLimitStore', options, known);
  if (![undefined, 'sliding-window', 'fixed-window'].includes(algorithm)) {
    throw new ConfigError("algorithm: write 'sliding-window' or 'fixed-window'; others are for suite.rateLimit().");
  }
  const config = toLimiterConfig({ ...rest, name, limit: 1 }); // Mistakes are told now, not at the first request.
  if (algorithm === 'fixed-window') {
    if (rest.precision !== undefined || rest.keySecret !== undefined) {
      throw new ConfigError("rateLimitStore: precision and keySecret are not for a 'fixed-window'.");
    }
    return createFixedWindowStore(place, config);
  }
  return createSlidingWindowStore(place, { ...rest, name });
}

/** The options of the place, and those of what is created there. */
function split<Options extends PlaceOptions>(
  options: Options,
  factory: string,
): readonly [LimitPlace, Omit<Options, keyof PlaceOptions>] {
  if (typeof options !== 'object' || (options as unknown) === null)
    throw new ConfigError(`${factory} takes an object of options.`);
  const { redis, prefix, backend, deadline, logger, ...own } = options;
  return [limitPlaceOf({ redis, prefix, backend, deadline, logger }), own];
}
