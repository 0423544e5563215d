import { type Duration, toMs } from '../core/duration.ts';
import { ConfigError, LimitKeyError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { clientName } from '../redis/keys.ts';
import type { Decider } from './decider.ts';
import type { LimiterConfig } from './limiter-options.ts';
import type { LimitPlace, SharedLimiter } from './place.ts';
import type { Algorithm } from './policy.ts';
import {
  LONGEST_WINDOW_US,
  partOf,
  type PolicyChange,
  SHORTEST_LEASE_US,
  SHORTEST_WINDOW_US,
  toCount,
} from './policy-options.ts';
import type { Offender, RefusedClient } from './refused-log.ts';
import type { LimitCounters } from './statistics.ts';

/** What may be changed of a policy while it is in use. */
export interface LimitChanges {
  readonly limit?: number | undefined;
  readonly burst?: number | undefined;
  readonly precision?: number | undefined;
  /** Another window counts anew. Of `concurrent` it is the lease. */
  readonly window?: Duration | undefined;
}

/** What a limiter is made of. */
export interface LimiterParts {
  readonly place: LimitPlace;
  readonly config: LimiterConfig;
  readonly shared: SharedLimiter;
  readonly decider: Decider;
}

/** What operators do with a limiter. */
export interface LimiterAdministration {
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
   * Changes a policy in all processes, within a second, until it is changed again; `undefined`, as whatever is not among the changes, goes back to what the code says.
   * `policy` may be left out where there is only one.
   *
   * @throws {RedisError} When Redis did not confirm it.
   * @throws {ConfigError} When a value is wrong, or there is no such policy.
   */
  configure(changes: LimitChanges | undefined, policy?: string): Promise<void>;
  /** Counts since the start of this process. */
  stats(): LimitCounters;
}

/** The administration of a limiter. */
export function administrationOf(parts: LimiterParts): LimiterAdministration {
  const { place, config, shared } = parts;
  const { refused, settings, denials, statistics } = shared;
  return {
    reset: (key) => reset(parts, key),
    async block(key, duration) {
      const conduct = place.keys.limit(config.name, clientOf(config, key), '!');
      const durationUs = Math.round(toMs(duration, 'duration') * 1_000);
      if (place.store !== place.fallback) await place.fallback.block(conduct, durationUs);
      await place.store.block(conduct, durationUs);
    },
    list: (count = 100) => refused.list(toCount(count, 'count', 1, 1_000)),
    top: (count = 10) => refused.top(toCount(count, 'count', 1, 1_000)),
    async configure(changes, policy) {
      const name = policyNamed(config, policy);
      const algorithm = config.policies.find((each) => each.name === name)?.algorithm;
      await settings.write(name, changes === undefined ? undefined : toChange(changes, algorithm));
      denials.clear();
    },
    stats: () => statistics.read(),
  };
}

async function reset({ place, config, shared, decider }: LimiterParts, key: string): Promise<void> {
  const client = clientOf(config, key);
  await shared.settings.check(); // Another window is another key.
  const parts = ['!', ...decider.policies().map(partOf)];
  const names = parts.map((part) => place.keys.limit(config.name, client, part));
  await place.fallback.forget(names);
  if (place.store !== place.fallback) await place.store.forget(names);
  shared.denials.drop(client);
  await shared.refused.forget(client);
}

/** The client as in keys: of bounded length. */
export function clientOf({ name, keySecret }: LimiterConfig, key: unknown): string {
  if (typeof key === 'string' && key !== '') return clientName(key, name, keySecret);
  throw new LimitKeyError(`The key of a limit must be a non-empty string, not ${key === '' ? 'empty' : typeof key}.`);
}

function policyNamed({ policies }: LimiterConfig, name: string | undefined): string {
  const names = policies.map((policy) => policy.name);
  const [only = '', ...more] = names;
  const wanted = name ?? (more.length === 0 ? only : undefined);
  if (wanted !== undefined && names.includes(wanted)) return wanted;
  throw new ConfigError(`configure: name a policy: ${names.join(', ')}.`);
}

function toChange(changes: LimitChanges, algorithm: Algorithm | undefined): PolicyChange {
  checkOptions('configure', changes, ['limit', 'burst', 'precision', 'window']);
  const { limit, burst, precision, window } = changes;
  const shortestUs = algorithm === 'concurrency' ? SHORTEST_LEASE_US : SHORTEST_WINDOW_US;
  const windowUs = window === undefined ? undefined : Math.round(toMs(window, 'window') * 1_000);
  return {
    ...(limit !== undefined && { limit: toCount(limit, 'limit', 0) }),
    ...(burst !== undefined && { burst: toCount(burst, 'burst', 1) }),
    ...(precision !== undefined && { precision: toCount(precision, 'precision', 1, 10_000) }),
    ...(windowUs !== undefined && {
      windowUs: toCount(windowUs, 'window in microseconds', shortestUs, LONGEST_WINDOW_US),
    }),
  };
}
