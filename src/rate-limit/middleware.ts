import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { answerRefused } from './answer.ts';
import { setLimitHeaders } from './headers.ts';
import type { LimitResult } from './limit-result.ts';
import { limiterOf, limiterParts, type RateLimiter, take } from './limiter.ts';
import { type RateLimitConfig, type RateLimitOptions, toRateLimitConfig } from './middleware-options.ts';
import type { LimitPlace } from './place.ts';
import { addressOf } from './request-key.ts';
import { toRequestLimit, whenOver } from './request-limit.ts';

/** An Express handler that limits, with the limiter behind it. */
export type RateLimitHandler = RequestHandler & {
  /** For everything besides requests: peek, reset, block, configure. */
  readonly limiter: RateLimiter;
  /** The same as `limiter.reset`, as express-rate-limit calls it. */
  readonly resetKey: (key: string) => Promise<void>;
};

/** Creates the handler of a limited route at a place. */
export function createRateLimit(
  place: LimitPlace,
  options: RateLimitOptions,
  alsoKnown: readonly string[] = [],
): RateLimitHandler {
  const config = toRateLimitConfig(options, alsoKnown);
  const parts = limiterParts(place, config.limiter);
  const limiter = limiterOf(parts);

  async function admit(req: Request, res: Response, next: NextFunction): Promise<void> {
    // Nothing is waited for that is there already: most requests wait for Redis alone.
    if (config.skip !== undefined && (await config.skip(req, res))) return next();
    const named = config.key(req, res);
    const key = typeof named === 'string' ? named : await named;
    const limits = config.limits.length === 0 ? undefined : await limitsOf(config, req, res);
    const cost = typeof config.cost === 'number' ? config.cost : await config.cost(req, res);
    const address = config.limiter.lists.hasAddresses ? (addressOf(req) ?? '') : undefined; // Without one it is not its key.
    const taken = take(parts, key, { cost, limits, address });
    const result = taken instanceof Promise ? await taken : taken;
    (req as unknown as Record<string, unknown>)[config.propertyName] = toRequestLimit(key, result);
    if (!result.allowed) return refuse(req, res, next, result);
    setLimitHeaders(res, result, config);
    res.rateLimit = { refund: result.refund, charge: (more) => limiter.charge(key, more, { limits }) };
    settleLater(req, res, result);
    next();
  }

  async function refuse(req: Request, res: Response, next: NextFunction, result: LimitResult): Promise<void> {
    if (config.handler === undefined) return answerRefused(req, res, result, config);
    setLimitHeaders(res, result, config);
    await config.handler(req, res, next, result);
  }

  function settleLater(req: Request, res: Response, result: LimitResult): void {
    if (config.refunds === 'none' && result.release === undefined) return;
    whenOver(res, (isWhole) => {
      settle(req, res, result, isWhole).catch((error: unknown) =>
        place.events.report('rateLimit', error, 'limit:error'),
      );
    });
  }

  /** Functions of the user's may throw: then nothing is given back but the leases. */
  async function settle(req: Request, res: Response, result: LimitResult, isWhole: boolean): Promise<void> {
    try {
      if (await isRefunded(req, res, isWhole)) await result.refund();
    } finally {
      await result.release?.();
    }
  }

  async function isRefunded(req: Request, res: Response, isWhole: boolean): Promise<boolean> {
    if (config.refunds === 'none' || config.refunds === 'all') return config.refunds === 'all';
    const isSuccess = isWhole && (await config.wasSuccessful(req, res));
    return isSuccess === (config.refunds === 'successful');
  }

  const handler: RequestHandler = function rateLimit(req, res, next) {
    admit(req, res, next).catch(next);
  };
  return Object.assign(handler, { limiter, resetKey: limiter.reset });
}

async function limitsOf({ limits }: RateLimitConfig, req: Request, res: Response): Promise<Record<string, number>> {
  const resolved = limits.map(async ([name, limitOf]) => [name, await limitOf(req, res)] as const);
  return Object.fromEntries(await Promise.all(resolved));
}
