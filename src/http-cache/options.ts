import type { Request, Response } from 'express';
import { type Bytes, toBytes } from '../core/bytes.ts';
import { type Duration, toMs, toTtlMs, type Ttl } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { toTags } from '../cache/tags.ts';
import { isToken } from './field-names.ts';
import { TAG_FIELDS, type TagField } from './groups.ts';
import { type Normalize, toNormalize } from './normalize.ts';
import { type CachePolicy, type PolicyConfig, toPolicy } from './policy.ts';

/** Options of a cached route. */
export interface CacheOptions {
  /** How long responses are fresh here. Nothing of it is told to clients. Default: what the handler's own headers say. */
  readonly ttl?: Ttl | undefined;
  /** How long clients may use a response without asking: adds `Cache-Control: max-age` where the handler set none, `private` where the key holds more than `Vary` tells. No purge reaches a client. Default: not at all. */
  readonly clientTtl?: Duration | undefined;
  /** First part of the keys of this route, before a colon: `invalidate({ prefix: 'api:' })`. */
  readonly keyPrefix?: string | undefined;
  /** What responses depend on. A function is asked when the handler begins to answer. */
  readonly tags?: readonly string[] | ((req: Request, res: Response) => readonly string[]) | undefined;
  /** Replaces path and query in the key. Scheme, host, `vary`, `user` and `cookies` stay in it. */
  readonly key?: ((req: Request) => string) | undefined;
  /** The query parameters that are part of the key; handlers must read no others. Default: the whole query as it was sent. */
  readonly query?: readonly string[] | undefined;
  /** Request headers that are part of the key; they are added to `Vary`. */
  readonly vary?: readonly string[] | undefined;
  /** Who asks: every user has responses of their own. `undefined`: nobody in particular; with an `Authorization` header the cache then stays out of it. */
  readonly user?: ((req: Request) => string | undefined) | undefined;
  /**
   * Requests with cookies. `track`: the handler is watched, and its response is shared with them if it did not look at who is asking. `bypass`: only responses
   * marked `public` are. `ignore`: cookies do not matter to this route. A list: these cookies are part of the key, others do not matter.
   * Default: the policy's; with a `user`, cookies are taken to say who that is.
   */
  readonly cookies?: 'track' | 'bypass' | 'ignore' | readonly string[] | undefined;
  /** Store only if. Asked when the handler begins to answer. */
  readonly condition?: ((req: Request, res: Response) => boolean) | undefined;
  /** Leave the cache out of it if. */
  readonly skip?: ((req: Request) => boolean) | undefined;
  /** How long 404 and 410 are fresh. Default: not stored, unless the handler says how long. */
  readonly negativeTtl?: Ttl | undefined;
  /** Larger bodies pass through and are not stored. Default: `1mb`. */
  readonly maxBytes?: Bytes | undefined;
  /** Shortens every lifetime by a random part of up to this, so that what was stored together does not expire together. 0 to 1. Default: 0.1; 0 where lifetimes are the headers' alone. */
  readonly jitter?: number | undefined;
  /** How long past its freshness a response may be served while it is made anew in the background. Default: what `stale-while-revalidate` says (RFC 5861 §3). */
  readonly staleWhileRevalidate?: Duration | undefined;
  /** How long past its freshness a response may be served when the handler throws or answers 500, 502, 503 or 504. Default: what `stale-if-error` says (RFC 5861 §4). */
  readonly staleIfError?: Duration | undefined;
  /** How the cache decides. Default: `app`. */
  readonly policy?: 'app' | 'rfc9111' | Partial<CachePolicy> | undefined;
  /** Brings Accept-Encoding and Accept-Language down to the values a route serves, for key and handler alike. Default: as they are sent. */
  readonly normalize?: Normalize | undefined;
  /** Variants of one key that a process stores at most. Default: 100. */
  readonly maxVariants?: number | undefined;
  /** Bodies from this size on are kept compressed (gzip), if their type is text, and sent so to clients that take it. Default: not at all. */
  readonly compress?: Bytes | undefined;
  /** One handler run at a time for a response that is missing: in all processes, which takes one more round trip on a miss, or in each. Default: `cluster`. */
  readonly coalesce?: 'cluster' | 'process' | undefined;
  /** Response field in which the tags of a response are told to a cache further out, such as a CDN. Default: none. */
  readonly tagField?: TagField | undefined;
  /** `debug` adds `key` and `detail` to Cache-Status, which tell how the application works. Default: `standard`. */
  readonly cacheStatus?: 'standard' | 'debug' | undefined;
}

/** {@link CacheOptions}, resolved. */
export interface CacheConfig {
  readonly ttlMs: number | undefined;
  readonly negativeTtlMs: number | undefined;
  readonly clientTtlMs: number | undefined;
  readonly keyPrefix: string;
  readonly tags: readonly string[] | ((req: Request, res: Response) => readonly string[]);
  readonly key: ((req: Request) => string) | undefined;
  readonly query: readonly string[] | undefined;
  readonly vary: readonly string[];
  readonly user: ((req: Request) => string | undefined) | undefined;
  readonly cookies: 'track' | 'bypass' | 'ignore' | readonly string[];
  readonly condition: ((req: Request, res: Response) => boolean) | undefined;
  readonly skip: ((req: Request) => boolean) | undefined;
  readonly maxBytes: number;
  readonly jitter: number;
  readonly staleWhileRevalidateMs: number | undefined;
  readonly staleIfErrorMs: number | undefined;
  readonly policy: PolicyConfig;
  readonly normalize: Normalize | undefined;
  readonly maxVariants: number;
  /** Infinity: nothing is compressed. */
  readonly compressBytes: number;
  readonly coalesce: 'cluster' | 'process';
  readonly tagField: TagField | undefined;
  readonly isDebug: boolean;
}

/** Names of {@link CacheOptions}, for checking. */
const CACHE_OPTIONS = [
  'ttl',
  'clientTtl',
  'keyPrefix',
  'tags',
  'key',
  'query',
  'vary',
  'user',
  'cookies',
  'condition',
  'skip',
  'negativeTtl',
  'maxBytes',
  'jitter',
  'staleWhileRevalidate',
  'staleIfError',
  'policy',
  'normalize',
  'maxVariants',
  'compress',
  'coalesce',
  'tagField',
  'cacheStatus',
] as const;

/**
 * Checks and resolves the options of a route.
 *
 * @throws {ConfigError} When one is wrong; it says which and what to write.
 */
export function toCacheConfig(options: CacheOptions, alsoKnown: readonly string[] = []): CacheConfig {
  checkOptions('cache', options, [...CACHE_OPTIONS, ...alsoKnown]);
  const { ttl, negativeTtl, clientTtl, tags = [], staleWhileRevalidate, staleIfError, compress } = options;
  const policy = toPolicy(options.policy ?? 'app');
  if (policy.lifetime === 'headers') refuseLifetimes(options);
  return {
    ttlMs: ttl === undefined ? undefined : toTtlMs(ttl, 'ttl'),
    negativeTtlMs: negativeTtl === undefined ? undefined : toTtlMs(negativeTtl, 'negativeTtl'),
    clientTtlMs: clientTtl === undefined ? undefined : toMs(clientTtl, 'clientTtl'),
    keyPrefix: toKeyPrefix(options.keyPrefix),
    tags: typeof tags === 'function' ? tags : toFixedTags(tags),
    key: toFunction(options.key, 'key'),
    query: options.query === undefined ? undefined : toNames(options.query, 'query'),
    vary: toFieldNames(options.vary ?? []),
    user: toFunction(options.user, 'user'),
    cookies: toCookies(options.cookies ?? policy.cookies),
    condition: toFunction(options.condition, 'condition'),
    skip: toFunction(options.skip, 'skip'),
    maxBytes: toBytes(options.maxBytes ?? '1mb', 'maxBytes'),
    jitter: toFraction(options.jitter ?? (policy.lifetime === 'headers' ? 0 : 0.1)),
    staleWhileRevalidateMs:
      staleWhileRevalidate === undefined ? undefined : toMs(staleWhileRevalidate, 'staleWhileRevalidate'),
    staleIfErrorMs: staleIfError === undefined ? undefined : toMs(staleIfError, 'staleIfError'),
    policy,
    normalize: toNormalize(options.normalize),
    maxVariants: toCount(options.maxVariants ?? 100, 'maxVariants'),
    compressBytes: compress === undefined ? Infinity : toBytes(compress, 'compress'),
    coalesce: toWord(options.coalesce ?? 'cluster', ['cluster', 'process'], 'coalesce'),
    tagField: options.tagField && toWord(options.tagField, TAG_FIELDS, 'tagField'),
    isDebug: toWord(options.cacheStatus ?? 'standard', ['standard', 'debug'], 'cacheStatus') === 'debug',
  };
}

/** By such a policy they would have no effect. */
function refuseLifetimes(options: CacheOptions): void {
  for (const name of ['ttl', 'negativeTtl', 'staleWhileRevalidate', 'staleIfError'] as const) {
    if (options[name] === undefined) continue;
    throw new ConfigError(
      `${name}: with this policy only a response's headers say how long it lasts. Leave it out, or set policy.lifetime to 'route'.`,
    );
  }
}

function toWord<Word extends string>(value: Word, words: readonly Word[], option: string): Word {
  if (words.includes(value)) return value;
  throw new ConfigError(`${option} is one of ${words.join(', ')}.`);
}

function toCount(value: number, option: string): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new ConfigError(`${option} must be a whole number above 0.`);
}

function toCookies(cookies: CacheConfig['cookies']): CacheConfig['cookies'] {
  if (cookies === 'track' || cookies === 'bypass' || cookies === 'ignore') return cookies;
  if (Array.isArray(cookies)) return toNames(cookies, 'cookies');
  throw new ConfigError("cookies is 'track', 'bypass', 'ignore' or a list of cookie names.");
}

function toFixedTags(tags: readonly string[]): readonly string[] {
  try {
    return toTags(tags, 'cache');
  } catch (cause) {
    throw new ConfigError('tags must be a list of non-empty strings or a function that returns one.', { cause });
  }
}

function toKeyPrefix(prefix: unknown): string {
  if (prefix === undefined) return '';
  if (typeof prefix !== 'string' || prefix === '') throw new ConfigError('keyPrefix must be a non-empty string.');
  return `${prefix}:`;
}

function toNames(names: unknown, option: string): readonly string[] {
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string' && name !== '')) {
    throw new ConfigError(`${option} must be a list of names.`);
  }
  return names as readonly string[];
}

function toFieldNames(vary: unknown): readonly string[] {
  const names = toNames(vary, 'vary').map((name) => name.toLowerCase());
  if (names.every(isToken)) return names;
  throw new ConfigError("vary must be a list of names of request headers, such as ['Accept-Language'].");
}

function toFunction<T>(value: T | undefined, option: string): T | undefined {
  if (value !== undefined && typeof value !== 'function') throw new ConfigError(`${option} must be a function.`);
  return value;
}

function toFraction(jitter: number): number {
  if (typeof jitter !== 'number' || !(jitter >= 0 && jitter <= 1)) {
    throw new ConfigError('jitter must be a number from 0 to 1.');
  }
  return jitter;
}
