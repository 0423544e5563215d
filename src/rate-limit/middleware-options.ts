import type { NextFunction, Request, Response } from 'express';
import { ConfigError } from '../core/errors.ts';
import type { HeaderConfig, StandardHeaders } from './headers.ts';
import type { LimitResult } from './limit-result.ts';
import { type LimiterConfig, type LimiterOptions, policiesOf, toLimiterConfig } from './limiter-options.ts';
import { POLICY_OPTIONS, toCount } from './policy-options.ts';
import { ip, type RequestKey } from './request-key.ts';

/** A value, or what it is for a request. */
type PerRequest<T> = T | ((req: Request, res: Response) => T | Promise<T>);

/** Options of `rateLimit()`. Those that express-rate-limit has too mean the same. */
export interface RateLimitOptions extends LimiterOptions<PerRequest<number>> {
  /** Who the client is. Default: `ip()`. */
  readonly key?: ((req: Request, res: Response) => string | Promise<string>) | undefined;
  /** The same, as express-rate-limit calls it. */
  readonly keyGenerator?: ((req: Request, res: Response) => string | Promise<string>) | undefined;
  /** Bits of an IPv6 address that belong to one client, where the key is the address. 32 to 128. Default: 56. */
  readonly ipv6Subnet?: number | undefined;
  /** What the request uses. 0 is free. Default: 1. */
  readonly cost?: PerRequest<number> | undefined;
  /** Requests that are not limited. */
  readonly skip?: ((req: Request, res: Response) => boolean | Promise<boolean>) | undefined;
  /** Gives back what requests used that were not successful. Default: false. */
  readonly skipFailedRequests?: boolean | undefined;
  /** Gives back what successful requests used: counts failures, as of logins. Default: false. */
  readonly skipSuccessfulRequests?: boolean | undefined;
  /** What is a success. Asked when the response has ended. Default: a status below 400. */
  readonly requestWasSuccessful?: ((req: Request, res: Response) => boolean | Promise<boolean>) | undefined;
  /** The RateLimit fields: the draft that is sent, `true` for `draft-6`, `false` for none. Default: `draft-11`. */
  readonly standardHeaders?: StandardHeaders | undefined;
  /** Sends `X-RateLimit-*` too. Default: false. */
  readonly legacyHeaders?: boolean | undefined;
  /** Name of the policy in the RateLimit fields, where there is one. Default: the limiter's `name`. */
  readonly identifier?: string | undefined;
  /** Status of refusals. Default: 429. */
  readonly statusCode?: number | undefined;
  /** Body of refusals. Default: a problem document (RFC 9457) that names the violated policies. */
  readonly message?: unknown;
  /** Answers refused requests, headers being set. Default: `statusCode` and `message`. */
  readonly handler?: ((req: Request, res: Response, next: NextFunction, result: LimitResult) => unknown) | undefined;
  /** Where on the request it is told what was decided. Default: `rateLimit`. */
  readonly requestPropertyName?: string | undefined;
}

/** Names of {@link RateLimitOptions} that a limiter does not have. */
const OPTIONS = [
  ...(['key', 'keyGenerator', 'ipv6Subnet', 'cost', 'skip', 'skipFailedRequests', 'skipSuccessfulRequests'] as const),
  ...(['requestWasSuccessful', 'standardHeaders', 'legacyHeaders', 'identifier', 'statusCode', 'message'] as const),
  ...(['handler', 'requestPropertyName'] as const),
] as const;

/** {@link RateLimitOptions}, resolved. */
export interface RateLimitConfig extends HeaderConfig {
  readonly limiter: LimiterConfig;
  readonly key: (req: Request, res: Response) => string | Promise<string>;
  readonly cost: PerRequest<number>;
  /** Limits that depend on the request, by policy. */
  readonly limits: readonly (readonly [string, (req: Request, res: Response) => number | Promise<number>])[];
  readonly skip: RateLimitOptions['skip'];
  /** Which requests are given back what they used. */
  readonly refunds: 'none' | 'failed' | 'successful' | 'all';
  readonly wasSuccessful: (req: Request, res: Response) => boolean | Promise<boolean>;
  readonly statusCode: number;
  readonly message: unknown;
  readonly handler: RateLimitOptions['handler'];
  readonly propertyName: string;
}

/**
 * Checks and resolves the options of a limited route.
 *
 * @throws {ConfigError} When one is wrong; it says which and what to write.
 */
export function toRateLimitConfig(options: RateLimitOptions, alsoKnown: readonly string[] = []): RateLimitConfig {
  const known = withIdentifier(options);
  const limiter = toLimiterConfig(known, [...OPTIONS, ...alsoKnown]);
  const { cost = 1, statusCode = 429, requestPropertyName = 'rateLimit' } = options;
  if (typeof cost !== 'function') toCount(cost, 'cost', 0);
  if (requestPropertyName === '' || typeof (requestPropertyName as unknown) !== 'string') {
    throw new ConfigError('requestPropertyName must be a non-empty string.');
  }
  return {
    limiter,
    key: toKey(options),
    cost,
    limits: limitFunctions(known, limiter),
    skip: toFunction(options.skip, 'skip'),
    refunds: refundsOf(options),
    wasSuccessful:
      toFunction(options.requestWasSuccessful, 'requestWasSuccessful') ?? ((_req, res) => res.statusCode < 400),
    standardHeaders: toStandardHeaders(options.standardHeaders ?? 'draft-11'),
    legacyHeaders: options.legacyHeaders ?? false,
    statusCode: toCount(statusCode, 'statusCode', 200, 599),
    message: options.message,
    handler: toFunction(options.handler, 'handler'),
    propertyName: requestPropertyName,
  };
}

/** Names the policy of a limiter that has one; the limiter keeps its name. */
function withIdentifier({ identifier, ...options }: RateLimitOptions): LimiterOptions<unknown> {
  if (identifier === undefined) return options;
  if (typeof (identifier as unknown) !== 'string') throw new ConfigError('identifier must be a string.');
  const [policy, ...more] = policiesOf(options);
  if (more.length > 0) throw new ConfigError('identifier names one policy. Give each of several policies a name.');
  const moved = Object.fromEntries(POLICY_OPTIONS.map((option) => [option, undefined]));
  return { ...options, ...moved, name: options.name, policies: [{ ...policy, name: identifier }] };
}

function limitFunctions(options: LimiterOptions<unknown>, { policies }: LimiterConfig): RateLimitConfig['limits'] {
  return policiesOf(options).flatMap(({ limit, concurrent }, i) => {
    const value = concurrent ?? limit;
    const name = policies[i]?.name;
    return typeof value === 'function' && name !== undefined ? [[name, value as () => number] as const] : [];
  });
}

function toKey({ key, keyGenerator, ipv6Subnet }: RateLimitOptions): RateLimitConfig['key'] {
  if (key !== undefined && keyGenerator !== undefined)
    throw new ConfigError('key and keyGenerator are the same: give one.');
  const given = toFunction(key ?? keyGenerator, 'key');
  if (given !== undefined && ipv6Subnet !== undefined) {
    throw new ConfigError('ipv6Subnet is for the default key. Write key: ip({ subnet }) instead.');
  }
  return given ?? (ip(ipv6Subnet === undefined ? {} : { subnet: ipv6Subnet }) satisfies RequestKey);
}

function refundsOf({
  skipFailedRequests = false,
  skipSuccessfulRequests = false,
}: RateLimitOptions): RateLimitConfig['refunds'] {
  if (skipFailedRequests && skipSuccessfulRequests) return 'all';
  return skipFailedRequests ? 'failed' : skipSuccessfulRequests ? 'successful' : 'none';
}

function toStandardHeaders(version: StandardHeaders): HeaderConfig['standardHeaders'] {
  if (version === true) return 'draft-6';
  if (version === false || ['draft-11', 'draft-8', 'draft-7', 'draft-6'].includes(version)) return version;
  throw new ConfigError("standardHeaders: write 'draft-11', 'draft-8', 'draft-7', 'draft-6' or false.");
}

function toFunction<T>(value: T | undefined, option: string): T | undefined {
  if (value !== undefined && typeof value !== 'function') throw new ConfigError(`${option} must be a function.`);
  return value;
}
