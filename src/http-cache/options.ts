import type { Request, Response } from 'express';
import { type Bytes, toBytes } from '../core/bytes.ts';
import { type Duration, toMs, toTtlMs, type Ttl } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { toTags } from '../cache/tags.ts';

/** Options of a cached route. */
export interface CacheOptions {
  /** How long responses are fresh here. Nothing of it is told to clients. Default: what the handler's own headers say. */
  readonly ttl?: Ttl | undefined;
  /** How long clients may use a response without asking: adds `Cache-Control: max-age` where the handler set none. No purge reaches a client. Default: not at all. */
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
   * Requests with cookies. `bypass`: only responses marked `public` are shared with them. `ignore`: cookies do not matter to this route. A list: these cookies are
   * part of the key, others do not matter. Default: `bypass`; with a `user`, cookies are taken to say who that is.
   */
  readonly cookies?: 'bypass' | 'ignore' | readonly string[] | undefined;
  /** Store only if. Asked when the handler begins to answer. */
  readonly condition?: ((req: Request, res: Response) => boolean) | undefined;
  /** Leave the cache out of it if. */
  readonly skip?: ((req: Request) => boolean) | undefined;
  /** How long 404 and 410 are fresh. Default: not stored, unless the handler says how long. */
  readonly negativeTtl?: Ttl | undefined;
  /** Larger bodies pass through and are not stored. Default: `1mb`. */
  readonly maxBytes?: Bytes | undefined;
  /** Shortens every lifetime by a random part of up to this, so that what was stored together does not expire together. 0 to 1. Default: 0.1. */
  readonly jitter?: number | undefined;
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
  readonly cookies: 'bypass' | 'ignore' | readonly string[];
  readonly condition: ((req: Request, res: Response) => boolean) | undefined;
  readonly skip: ((req: Request) => boolean) | undefined;
  readonly maxBytes: number;
  readonly jitter: number;
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
] as const;

/**
 * Checks and resolves the options of a route.
 *
 * @throws {ConfigError} When one is wrong; it says which and what to write.
 */
export function toCacheConfig(options: CacheOptions, alsoKnown: readonly string[] = []): CacheConfig {
  checkOptions('cache', options, [...CACHE_OPTIONS, ...alsoKnown]);
  const { ttl, negativeTtl, clientTtl, tags = [], cookies = 'bypass' } = options;
  return {
    ttlMs: ttl === undefined ? undefined : toTtlMs(ttl, 'ttl'),
    negativeTtlMs: negativeTtl === undefined ? undefined : toTtlMs(negativeTtl, 'negativeTtl'),
    clientTtlMs: clientTtl === undefined ? undefined : toMs(clientTtl, 'clientTtl'),
    keyPrefix: toKeyPrefix(options.keyPrefix),
    tags: typeof tags === 'function' ? tags : toFixedTags(tags),
    key: toFunction(options.key, 'key'),
    query: options.query === undefined ? undefined : toNames(options.query, 'query'),
    vary: toNames(options.vary ?? [], 'vary').map((name) => name.toLowerCase()),
    user: toFunction(options.user, 'user'),
    cookies: toCookies(cookies),
    condition: toFunction(options.condition, 'condition'),
    skip: toFunction(options.skip, 'skip'),
    maxBytes: toBytes(options.maxBytes ?? '1mb', 'maxBytes'),
    jitter: toFraction(options.jitter ?? 0.1),
  };
}

function toCookies(cookies: CacheConfig['cookies']): CacheConfig['cookies'] {
  if (cookies === 'bypass' || cookies === 'ignore') return cookies;
  if (Array.isArray(cookies)) return toNames(cookies, 'cookies');
  throw new ConfigError("cookies is 'bypass', 'ignore' or a list of cookie names.");
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
