import { type Duration, toMs } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { type BanRules, NO_BANS } from './ban.ts';
import { type ClientLists, toClientLists } from './client-lists.ts';
import {
  POLICY_OPTIONS,
  type PolicyConfig,
  type PolicyOptions,
  toCount,
  toName,
  toPolicyConfig,
} from './policy-options.ts';

/** Bans after repeated refusals. */
export interface BanOptions {
  /** After how many refusals. */
  readonly after: number;
  /** Within what time. Default: `10m`. */
  readonly within?: Duration | undefined;
  /** How long the first ban lasts; each further one twice as long. Default: `10m`. */
  readonly duration?: Duration | undefined;
  /** How long a ban lasts at most, and how long one is remembered. Default: `1d`. */
  readonly maxDuration?: Duration | undefined;
}

/** Options of a limiter. `limit`, `window` and so on are those of its one policy; `policies` lists several. */
export interface LimiterOptions<Limit = number> extends PolicyOptions<Limit> {
  /** Names the limiter, in keys and events, and its one policy. The same name elsewhere is the same limiter. Default: `default`, once. */
  readonly name?: string | undefined;
  /** Several policies, decided together: a request counts in all of them or in none. */
  readonly policies?: readonly PolicyOptions<Limit>[] | undefined;
  /** What a refused request uses up. Default: `nothing`; `cost`: clients that do not pause stay refused. */
  readonly refusedUse?: 'nothing' | 'cost' | undefined;
  /** Bans clients that go on asking. Default: nobody. */
  readonly ban?: BanOptions | undefined;
  /** Keys, IP addresses and CIDR ranges that are not limited. What looks like an address and is none is an error: dotted digits, and hexadecimal digits around `::` or in about eight groups. */
  readonly allow?: readonly string[] | undefined;
  /** Keys, IP addresses and CIDR ranges that are refused always, with the same errors. */
  readonly deny?: readonly string[] | undefined;
  /** While Redis is slow or away: decide in this process, let everything pass, or refuse everything. Default: `memory`. */
  readonly onRedisError?: 'memory' | 'allow' | 'refuse' | undefined;
  /** Among how many processes the limit is divided while each decides for itself. Every process has at least 1. Default: 1. */
  readonly processes?: number | undefined;
  /** Decides and counts, tells `limit:shadowed`, and refuses nothing. Default: false. */
  readonly shadow?: boolean | undefined;
  /** Refuses a refused client in this process, for as long as Redis would, asking again every second. Default: `on`. */
  readonly denyCache?: 'on' | 'off' | undefined;
  /** Hides all clients in keys behind an HMAC. Without it only names above 64 bytes are hashed. */
  readonly keySecret?: string | undefined;
}

/** Names of {@link LimiterOptions}, for checking. */
const LIMITER_OPTIONS = [
  ...POLICY_OPTIONS,
  ...(['policies', 'refusedUse', 'ban', 'allow', 'deny', 'onRedisError'] as const),
  ...(['processes', 'shadow', 'denyCache', 'keySecret'] as const),
] as const;

/** {@link LimiterOptions}, resolved. */
export interface LimiterConfig {
  readonly name: string;
  readonly policies: readonly PolicyConfig[];
  readonly countRefused: boolean;
  readonly ban: BanRules;
  readonly lists: ClientLists;
  readonly onRedisError: 'memory' | 'allow' | 'refuse';
  readonly processes: number;
  readonly isShadow: boolean;
  /** Not where every refusal must reach the store. */
  readonly usesDenyCache: boolean;
  readonly keySecret: string | undefined;
}

/**
 * Checks and resolves the options of a limiter.
 *
 * @throws {ConfigError} When one is wrong; it says which and what to write.
 */
export function toLimiterConfig(options: LimiterOptions<unknown>, alsoKnown: readonly string[] = []): LimiterConfig {
  checkOptions('rateLimit', options, [...LIMITER_OPTIONS, ...alsoKnown]);
  const { onRedisError = 'memory', refusedUse = 'nothing', denyCache = 'on', shadow = false, keySecret } = options;
  checkWord('onRedisError', onRedisError, ['memory', 'allow', 'refuse']);
  checkWord('refusedUse', refusedUse, ['nothing', 'cost']);
  checkWord('denyCache', denyCache, ['on', 'off']);
  checkWord('shadow', shadow, [true, false]);
  if (keySecret !== undefined && (typeof keySecret !== 'string' || keySecret === '')) {
    throw new ConfigError('keySecret must be a non-empty string.');
  }
  const ban = toBanRules(options.ban);
  return {
    name: toName(options.name ?? 'default', 'name'),
    policies: toPolicies(options),
    countRefused: refusedUse === 'cost',
    ban,
    lists: toClientLists(options.allow ?? [], options.deny ?? []),
    onRedisError,
    processes: toCount(options.processes ?? 1, 'processes', 1, 100_000),
    isShadow: shadow,
    usesDenyCache: denyCache === 'on' && refusedUse === 'nothing' && ban.after === 0,
    keySecret,
  };
}

function checkWord(option: string, value: unknown, words: readonly unknown[]): void {
  if (words.includes(value)) return;
  throw new ConfigError(`${option}: write ${words.map((word) => JSON.stringify(word)).join(' or ')}.`);
}

/** The policies of a limiter, as its options give them. What they give themselves has the limiter's name: in the fields of one response several limiters can be told apart. */
export function policiesOf(options: LimiterOptions<unknown>): readonly PolicyOptions<unknown>[] {
  const { name, policies, limit, window, windowMs, algorithm, burst, precision, concurrent, lease } = options;
  const own = { limit, window, windowMs, algorithm, burst, precision };
  const isOneGiven = Object.values({ ...own, concurrent, lease }).some((value) => value !== undefined);
  if (policies !== undefined) {
    if (isOneGiven) throw new ConfigError('policies lists all policies: move limit, window and concurrent into it.');
    return policies;
  }
  if (concurrent === undefined) return [{ name, ...own, lease }];
  return limit === undefined
    ? [{ name, ...own, concurrent, lease }]
    : [
        { name, ...own },
        { name: name === 'concurrency' ? 'concurrent' : undefined, concurrent, lease },
      ];
}

function toPolicies(options: LimiterOptions<unknown>): readonly PolicyConfig[] {
  const given: unknown = policiesOf(options);
  if (!Array.isArray(given) || given.length === 0 || given.length > 16) {
    throw new ConfigError('policies must be a list of 1 to 16 policies.');
  }
  const policies = given.map((policy) => toPolicyConfig(policy as PolicyOptions<unknown>));
  const names = policies.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice === undefined) return policies;
  throw new ConfigError(`policies: two are called ${JSON.stringify(twice)}. Give each a name of its own.`);
}

function toBanRules(ban: BanOptions | undefined): BanRules {
  if (ban === undefined) return NO_BANS;
  checkOptions('ban', ban, ['after', 'within', 'duration', 'maxDuration']);
  const { after, within = '10m', duration = '10m', maxDuration = '1d' } = ban;
  const us = (value: Duration, option: string): number => {
    const result = Math.round(toMs(value, option) * 1_000);
    if (result < 1) throw new ConfigError(`${option} must be longer than nothing.`);
    return result;
  };
  const durationUs = us(duration, 'ban.duration');
  return {
    after: toCount(after, 'ban.after', 1),
    withinUs: us(within, 'ban.within'),
    durationUs,
    maxDurationUs: Math.max(durationUs, us(maxDuration, 'ban.maxDuration')),
  };
}
