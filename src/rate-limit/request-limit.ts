import type { Response } from 'express';
import type { LimitResult } from './limit-result.ts';

/** `req.rateLimit`: what was decided about a request. */
export interface RequestLimit extends LimitResult {
  readonly key: string;
  readonly used: number;
  /** The same as `resetAt`, as express-rate-limit calls it. */
  readonly resetTime: Date;
}

/** `res.rateLimit`: what a handler may say about the cost of its request. */
export interface ResponseLimit {
  /** Uses more of the limits, now that the cost is known. Resolves when it is counted. */
  charge(cost: number): Promise<void>;
  /** Gives back what the request used, its place under `concurrent` as well. */
  refund(): Promise<void>;
}

declare global {
  // Express' own place for what middleware adds.
  namespace Express {
    interface Request {
      /** On limited routes: what was decided, by the last limiter on the way. */
      rateLimit?: RequestLimit;
    }
    interface Response {
      /** On limited routes: charge or refund this request, at the last limiter on the way. */
      rateLimit?: ResponseLimit;
    }
  }
}

/** What was decided, for the request. */
export function toRequestLimit(key: string, result: LimitResult): RequestLimit {
  // Member by member: spreading would cost more than all else about a refusal from memory.
  const { allowed, reason, limit, remaining, resetAt, retryAfterMs, policy, policies, refund, release } = result;
  const used = Math.max(0, limit - remaining);
  const told = { key, allowed, reason, limit, used, remaining, resetAt, retryAfterMs, policy, policies, refund };
  return Object.assign(told, release === undefined ? { resetTime: resetAt } : { resetTime: resetAt, release });
}

/** Calls back once, when the response has been sent or its client has gone, which may be already. */
export function whenOver(res: Response, callback: (isWhole: boolean) => void): void {
  const isGone = res.destroyed || res.writableFinished || res.socket?.destroyed === true;
  if (isGone) callback(res.writableFinished);
  else res.once('close', () => callback(res.writableFinished));
}
