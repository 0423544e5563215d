import { type Duration, toMs } from '../core/duration.ts';
import { ConfigError, LimitKeyError, RateLimitExceededError, SuiteError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { clientName } from '../redis/keys.ts';
import { type Asked, createDecider, type Outcome } from './decider.ts';
import type { LimitResult } from './limit-result.ts';
import type { LimiterConfig } from './limiter-options.ts';
import type { LimitPlace } from './place.ts';
import { partOf, toCount, type PolicyChange } from './policy-options.ts';
import type { Offender, RefusedClient } from './refused-log.ts';
import type { LimitCounters } from './statistics.ts';
import { listedResult, toResult } from './to-result.ts';

/** What one request asks for. */
export interface TakeOptions {
  /** What it uses of every policy. Default: 1. */
  readonly cost?: number | undefined;
  /** Limits of this client, by policy: those that depend on it, or differ from what is configured. */
  readonly limits?: Readonly<Record<string, number>> | undefined;
  /** The address it comes from, for lists with IP ranges. Default: the key, where that is an address. */
  readonly address?: string | undefined;
}

/** What may be changed of a policy while it is in use. */
export interface LimitChanges {
  readonly limit?: number | undefined;
  readonly burst?: number | undefined;
  readonly precision?: number | undefined;
  /** Another window counts anew. */
  readonly window?: Duration | undefined;
}

/** Decides who may. Usable wherever there is a key: in an HTTP handler, a WebSocket, a queue. */
export interface RateLimiter {
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
  /**
   * Forgets what a client has used, and its ban. Other processes know within a second.
   *
   * @throws {RedisError} When Redis did not confirm it.
   */
  reset(key: string): Promise<void>;
  /**
   * Refuses a client for a time, whatever it has used. `reset` ends it. Processes that allow it know at once.
   *
   * @throws {RedisError} When Redis did not confirm it.
   */
  block(key: string, duration: Duration): Promise<void>;
  /** Who is refused now, longest first: at most 1,000. Default: 100. */
  list(count?: number): Promise<readonly RefusedClient[]>;
  /** Who was refused most often in the last day, roughly: at most 1,000. Default: 10. */
  top(count?: number): Promise<readonly Offender[]>;
  /**
   * Changes a policy in all processes, within a second, until it is changed again; `undefined` goes back to what the code says. `policy` may be left out where there is
   * only one.
   *
   * @throws {RedisError} When Redis did not confirm it.
   * @throws {ConfigError} When a value is wrong, or there is no such policy.
   */
  configure(changes: LimitChanges | undefined, policy?: string): Promise<void>;
  /** Counts since the start of this process. */
  stats(): LimitCounters;
}

/** Creates a limiter. */
export function createLimiter(place: LimitPlace, config: LimiterConfig): RateLimiter {
  const { name, policies, keySecret } = config;
  const { keys, store, fallback } = place;
  const { denials, settings, refused, statistics } = place.limiter(name);
  const decider = createDecider(place, config);

  function partsOf(key: string): readonly string[] {
    const client = clientOf(key);
    return ['!', ...decider.policies().map(partOf)].map((part) => keys.limit(name, client, part));
  }

  /** As in keys: of bounded length. */
  function clientOf(key: string): string {
    return clientName(checkKey(key), name, keySecret);
  }

  function toAsked(key: string, { cost = 1, limits, address }: TakeOptions): Asked {
    if (limits !== undefined) {
      for (const [policy, limit] of Object.entries(limits)) checkCount(limit, `limit of ${policy}`);
    }
    return { key, client: clientOf(key), cost: checkCount(cost, 'cost'), limits, address };
  }

  function resultOf({ client }: Asked, outcome: Outcome): LimitResult {
    return toResult(outcome, config.isShadow, decider, () => denials.drop(client));
  }

  function listed({ key, address }: Asked): LimitResult | undefined {
    const list = config.lists.find(key, address);
    return list === undefined ? undefined : listedResult(list, config.isShadow);
  }

  async function take(key: string, options: TakeOptions = {}): Promise<LimitResult> {
    const asked = toAsked(key, options);
    const known = listed(asked);
    if (known !== undefined) return tell(asked, known, false);
    const outcome = await decider.decide(asked, 'take');
    return tell(asked, resultOf(asked, outcome), outcome.decision.isNewBan);
  }

  function tell({ key, client }: Asked, result: LimitResult, isNewBan: boolean): LimitResult {
    if (isAdmission(result)) {
      statistics.count('admitted');
      return result;
    }
    const policies = violatedOf(result);
    const { retryAfterMs } = result;
    const event = { limiter: name, key, policies, retryAfterMs };
    statistics.count(config.isShadow ? 'shadowed' : 'refused');
    statistics.violate(policies);
    refused.note(client, retryAfterMs);
    place.events.tell(config.isShadow ? 'limit:shadowed' : 'limit:refused', event);
    if (isNewBan) place.events.tell('limit:banned', event);
    return result;
  }

  return {
    name,
    take,
    async takeOrThrow(key, options) {
      const result = await take(key, options);
      if (result.allowed) return result;
      throw new RateLimitExceededError(violatedOf(result), result.retryAfterMs);
    },
    async peek(key, options = {}) {
      const asked = toAsked(key, options);
      return listed(asked) ?? resultOf(asked, await decider.decide(asked, 'peek'));
    },
    async charge(key, cost, options = {}) {
      const asked = toAsked(key, { ...options, cost });
      const isLimited = decider.policies().some(({ algorithm }) => algorithm !== 'concurrency');
      if (cost > 0 && isLimited) await decider.decide(asked, 'charge');
    },
    async reset(key) {
      const parts = partsOf(key);
      await fallback.forget(parts);
      if (store !== fallback) await store.forget(parts);
      denials.drop(clientOf(key));
      await refused.forget(clientOf(key));
    },
    async block(key, duration) {
      const [conduct = ''] = partsOf(key);
      const durationUs = Math.round(toMs(duration, 'duration') * 1_000);
      if (store !== fallback) await fallback.block(conduct, durationUs);
      await store.block(conduct, durationUs);
    },
    list: (count = 100) => refused.list(toCount(count, 'count', 1, 1_000)),
    top: (count = 10) => refused.top(toCount(count, 'count', 1, 1_000)),
    async configure(changes, policy = policies.length === 1 ? policies[0]?.name : undefined) {
      const found = policies.find((each) => each.name === policy);
      if (found === undefined) {
        throw new ConfigError(`configure: name a policy: ${policies.map((each) => each.name).join(', ')}.`);
      }
      await settings.write(found.name, changes === undefined ? undefined : toChange(changes));
      denials.clear();
    },
    stats: () => statistics.read(),
  };
}

function checkKey(key: unknown): string {
  if (typeof key === 'string' && key !== '') return key;
  throw new LimitKeyError(`The key of a limit must be a non-empty string, not ${key === '' ? 'empty' : typeof key}.`);
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

function toChange(changes: LimitChanges): PolicyChange {
  checkOptions('configure', changes, ['limit', 'burst', 'precision', 'window']);
  const { limit, burst, precision, window } = changes;
  const windowUs = window === undefined ? undefined : Math.round(toMs(window, 'window') * 1_000);
  return {
    ...(limit !== undefined && { limit: toCount(limit, 'limit', 0) }),
    ...(burst !== undefined && { burst: toCount(burst, 'burst', 1) }),
    ...(precision !== undefined && { precision: toCount(precision, 'precision', 1, 10_000) }),
    ...(windowUs !== undefined && { windowUs: toCount(windowUs, 'window in microseconds', 1_000) }),
  };
}
