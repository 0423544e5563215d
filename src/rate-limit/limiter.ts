import { RateLimitExceededError, SuiteError } from '../core/errors.ts';
import { type Asked, createDecider, type Verdict } from './decider.ts';
import type { LimitResult } from './limit-result.ts';
import { administrationOf, clientOf, type LimiterAdministration, type LimiterParts } from './limiter-administration.ts';
import type { LimiterConfig } from './limiter-options.ts';
import type { LimitPlace } from './place.ts';
import { knownResult, listedResult, toResult } from './to-result.ts';

/** What one request asks for. */
export interface TakeOptions {
  /** What it uses of every policy. Default: 1. */
  readonly cost?: number | undefined;
  /** Limits of this client, by policy: those that depend on it, or differ from what is configured. */
  readonly limits?: Readonly<Record<string, number>> | undefined;
  /** The address it comes from, for lists with IP ranges. Default: the key, where that is an address. */
  readonly address?: string | undefined;
}

/** Decides who may. Usable wherever there is a key: in an HTTP handler, a WebSocket, a queue. */
export interface RateLimiter extends LimiterAdministration {
  readonly name: string;
  /** Uses the limits, if all of them allow it. Never rejects because of Redis: `onRedisError` decides. */
  take(key: string, options?: TakeOptions): Promise<LimitResult>;
  /**
   * `take` that throws when it is refused.
   *
   * @throws {RateLimitExceededError} With `status` 429 and `Retry-After` in `headers`, as Express understands them.
   */
  takeOrThrow(key: string, options?: TakeOptions): Promise<LimitResult>;
  /** What `take` would answer. Changes nothing. */
  peek(key: string, options?: TakeOptions): Promise<LimitResult>;
  /** Uses limits without asking: for a cost that is known only afterwards. May exceed them; then nothing is admitted for longer. */
  charge(key: string, cost: number, options?: Pick<TakeOptions, 'limits'>): Promise<void>;
}

/** Creates a limiter. */
export function createLimiter(place: LimitPlace, config: LimiterConfig): RateLimiter {
  return limiterOf(limiterParts(place, config));
}

/** Creates what a limiter is made of. */
export function limiterParts(place: LimitPlace, config: LimiterConfig): LimiterParts {
  return { place, config, shared: place.limiter(config.name), decider: createDecider(place, config) };
}

/** The limiter that is made of these. */
export function limiterOf(parts: LimiterParts): RateLimiter {
  const { config } = parts;
  return {
    name: config.name,
    take(key, options = {}) {
      try {
        return Promise.resolve(take(parts, key, options)); // Its own promise, where it is one.
      } catch (error) {
        return Promise.reject(error);
      }
    },
    async takeOrThrow(key, options = {}) {
      const result = await take(parts, key, options);
      if (result.allowed) return result;
      throw new RateLimitExceededError(violatedOf(result), result.retryAfterMs);
    },
    async peek(key, options = {}) {
      const asked = toAsked(config, key, options);
      return listed(config, asked) ?? resultOf(parts, asked, await parts.decider.decide(asked, 'peek'));
    },
    async charge(key, cost, options = {}) {
      const asked = toAsked(config, key, { ...options, cost });
      const isLimited = parts.decider.policies().some(({ algorithm }) => algorithm !== 'concurrency');
      if (cost > 0 && isLimited) await parts.decider.decide(asked, 'charge');
    },
    ...administrationOf(parts),
  };
}

/** Takes without waiting where the answer is known: that is what most requests of a flood are. */
export function take(parts: LimiterParts, key: string, options: TakeOptions): LimitResult | Promise<LimitResult> {
  const { config, decider } = parts;
  const asked = toAsked(config, key, options);
  const onList = listed(config, asked);
  if (onList !== undefined) return tell(parts, asked, onList, false);
  const known = decider.known(asked);
  if (known !== undefined) return tell(parts, asked, knownResult(known, config.isShadow), false);
  return decide(parts, asked);
}

async function decide(parts: LimiterParts, asked: Asked): Promise<LimitResult> {
  const verdict = await parts.decider.decide(asked, 'take');
  return tell(parts, asked, resultOf(parts, asked, verdict), 'decision' in verdict && verdict.decision.isNewBan);
}

function toAsked(config: LimiterConfig, key: string, { cost = 1, limits, address }: TakeOptions): Asked {
  if (limits !== undefined) {
    for (const [policy, limit] of Object.entries(limits)) checkCount(limit, `limit of ${policy}`);
  }
  return { key, client: clientOf(config, key), cost: checkCount(cost, 'cost'), limits, address };
}

function listed({ lists, isShadow }: LimiterConfig, { key, address }: Asked): LimitResult | undefined {
  const list = lists.find(key, address);
  return list === undefined ? undefined : listedResult(list, isShadow);
}

function resultOf({ config, decider, shared }: LimiterParts, { client }: Asked, verdict: Verdict): LimitResult {
  return toResult(verdict, config.isShadow, decider, () => shared.denials.drop(client));
}

/** Counts and tells what was decided. */
function tell(parts: LimiterParts, { key, client }: Asked, result: LimitResult, isNewBan: boolean): LimitResult {
  const { statistics, refused } = parts.shared;
  if (isAdmission(result)) {
    statistics.count('admitted');
    return result;
  }
  const { isShadow, name: limiter } = parts.config;
  const { retryAfterMs } = result;
  const policies = violatedOf(result);
  const event = { limiter, key, policies, retryAfterMs };
  statistics.count(isShadow ? 'shadowed' : 'refused');
  statistics.violate(policies);
  refused.note(client, retryAfterMs);
  parts.place.events.tell(isShadow ? 'limit:shadowed' : 'limit:refused', event);
  if (isNewBan) parts.place.events.tell('limit:banned', event);
  return result;
}

/** Names of the policies that refused. */
export function violatedOf({ policies }: Pick<LimitResult, 'policies'>): readonly string[] {
  return policies.filter(({ isViolated }) => isViolated).map(({ name }) => name);
}

/** Whether it was within the limits, or none were asked for; in shadow mode more is allowed. */
function isAdmission({ reason, retryAfterMs }: LimitResult): boolean {
  return reason === 'within-limit' || reason === 'allow-list' || (reason === 'redis-error' && retryAfterMs === 0);
}

/** Comes from functions of the user's while requests are served. */
function checkCount(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 2 ** 46) return value;
  throw new SuiteError('ERR_LIMIT_VALUE', `The ${what} must be a whole number from 0 to 2^46, not ${String(value)}.`);
}
