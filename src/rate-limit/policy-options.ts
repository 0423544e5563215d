import { type Duration, toMs } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import type { Algorithm, Policy } from './policy.ts';
import { grainOf } from './sliding-window.ts';

/** One limit. `Limit` is a number, or where there is a request also a function of it. */
export interface PolicyOptions<Limit = number> {
  /** Told to clients, in events and statistics. Default: the limiter's name where its options are the policy, else `default`; of `concurrent` in `policies` or beside `limit`: `concurrency`, where the limiter is called that `concurrent`. */
  readonly name?: string | undefined;
  /** What may be used within a window. 0 refuses everything. */
  readonly limit?: Limit | undefined;
  /** Length of the window. Default: `1m`. */
  readonly window?: Duration | undefined;
  /** The same in milliseconds, as express-rate-limit calls it. */
  readonly windowMs?: number | undefined;
  /** How it counts. Default: `sliding-window`. */
  readonly algorithm?: Exclude<Algorithm, 'concurrency'> | undefined;
  /** `token-bucket`: how much may be used at once. Default: the limit. */
  readonly burst?: number | undefined;
  /** `sliding-window`: into how many parts a window is divided at most; memory grows with it. 1 to 10,000. Default: 60. */
  readonly precision?: number | undefined;
  /** How many requests may be served at a time, instead of `limit` and `window`. */
  readonly concurrent?: Limit | undefined;
  /** `concurrent`: when a request of a process that died is forgotten. Default: `1m`. */
  readonly lease?: Duration | undefined;
}

/** Names of {@link PolicyOptions}, for checking. */
export const POLICY_OPTIONS = [
  'name',
  'limit',
  'window',
  'windowMs',
  'algorithm',
  'burst',
  'precision',
  'concurrent',
  'lease',
] as const;

/** A policy as configured. */
export interface PolicyConfig {
  readonly name: string;
  readonly algorithm: Algorithm;
  /** `undefined`: it depends on the request. */
  readonly limit: number | undefined;
  readonly windowUs: number;
  readonly precision: number;
  readonly burst: number | undefined;
}

/** What may be changed while a limiter is in use. */
export type PolicyChange = Partial<Pick<PolicyConfig, 'limit' | 'windowUs' | 'precision' | 'burst'>>;

export const SHORTEST_WINDOW_US = 1_000;
export const LONGEST_WINDOW_US = 366 * 86_400_000_000;
export const SHORTEST_LEASE_US = 1_000_000;

const ALGORITHMS = new Set<unknown>(['sliding-window', 'fixed-window', 'token-bucket']);

/**
 * Checks and resolves one policy.
 *
 * @throws {ConfigError} When an option is wrong.
 */
export function toPolicyConfig(options: PolicyOptions<unknown>): PolicyConfig {
  checkOptions('A policy', options, POLICY_OPTIONS);
  if (options.concurrent !== undefined) return toConcurrency(options);
  const { name = 'default', limit, algorithm = 'sliding-window', burst, precision = 60, lease } = options;
  if (limit === undefined) throw new ConfigError(`limit: say how much may be used, such as limit: 100, window: '1m'.`);
  if (lease !== undefined) throw new ConfigError('lease belongs to a policy with concurrent.');
  if (!ALGORITHMS.has(algorithm)) {
    throw new ConfigError(
      `algorithm: ${JSON.stringify(algorithm)} is unknown. Write 'sliding-window', 'fixed-window' or 'token-bucket'.`,
    );
  }
  if (burst !== undefined && algorithm !== 'token-bucket')
    throw new ConfigError("burst needs algorithm: 'token-bucket'.");
  return {
    name: toName(name, 'name'),
    algorithm,
    limit: toLimit(limit, 'limit'),
    windowUs: toWindowUs(options),
    precision: toCount(precision, 'precision', 1, 10_000),
    burst: burst === undefined ? undefined : toCount(burst, 'burst', 1),
  };
}

function toConcurrency(options: PolicyOptions<unknown>): PolicyConfig {
  const { name = 'concurrency', concurrent, lease = '1m' } = options;
  for (const other of ['limit', 'window', 'windowMs', 'algorithm', 'burst', 'precision'] as const) {
    if (options[other] !== undefined) {
      throw new ConfigError(
        `${other} and concurrent are two policies. Write policies: [{ limit, … }, { concurrent }].`,
      );
    }
  }
  const windowUs = Math.round(toMs(lease, 'lease') * 1_000);
  if (windowUs < SHORTEST_LEASE_US) throw new ConfigError('lease must be at least 1 s.');
  const limit = toLimit(concurrent, 'concurrent');
  return { name: toName(name, 'name'), algorithm: 'concurrency', limit, windowUs, precision: 1, burst: undefined };
}

/**
 * Checks a name that becomes part of keys and headers.
 *
 * @throws {ConfigError} When it has other characters than letters, digits, `.`, `_` and `-`, or more than 64.
 */
export function toName(name: unknown, option: string): string {
  if (typeof name === 'string' && /^[\w.-]{1,64}$/.test(name)) return name;
  throw new ConfigError(`${option}: ${JSON.stringify(name)} is not a name. Write letters, digits, '.', '_' and '-'.`);
}

function toLimit(limit: unknown, option: string): number | undefined {
  return typeof limit === 'function' ? undefined : toCount(limit, option, 0);
}

/** A whole number. Up to 2^46: costs are added up in 48 bits. */
export function toCount(value: unknown, option: string, min: number, max = 2 ** 46): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new ConfigError(`${option}: ${JSON.stringify(value)} is not a whole number from ${min} to ${max}.`);
}

function toWindowUs({ window, windowMs }: PolicyOptions<unknown>): number {
  if (window !== undefined && windowMs !== undefined)
    throw new ConfigError('window and windowMs are the same: give one.');
  const ms = windowMs ?? window ?? '1m';
  const windowUs = Math.round(toMs(ms, windowMs === undefined ? 'window' : 'windowMs') * 1_000);
  if (windowUs < SHORTEST_WINDOW_US || windowUs > LONGEST_WINDOW_US) {
    throw new ConfigError(`window: ${JSON.stringify(ms)} is not between 1 ms and 366 days.`);
  }
  return windowUs;
}

/** A policy as one decision sees it. */
export function toPolicy(config: PolicyConfig, limit: number, cost: number): Policy {
  const { name, algorithm, windowUs, precision, burst = limit } = config;
  if (algorithm === 'concurrency') return { name, algorithm, limit, windowUs, cost: 1, detail: 0 };
  const detail = algorithm === 'token-bucket' ? burst : grainOf({ limit, windowUs }, precision);
  return { name, algorithm, limit, windowUs, cost, detail: algorithm === 'fixed-window' ? 0 : detail };
}

/** The part of a key that holds what is used of a policy: another algorithm or window counts anew, another limit or precision does not. */
export function partOf({ name, algorithm, windowUs }: PolicyConfig): string {
  return algorithm === 'concurrency' ? `${name}:c` : `${name}:${algorithm.charAt(0)}${windowUs / 1_000}`;
}
