import type { Request } from 'express';
import type { CookieOptions } from 'express-session';
import { type Bytes, toBytes } from '../core/bytes.ts';
import { type Duration, toMs, toTtlMs, type Ttl } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { createSeal, type EncryptionKey, noSeal, type Seal } from './seal.ts';

/** How sessions are kept. */
export interface SessionStoreOptions {
  /** Idle timeout: a session that is not used for so long ends. A cookie's own `maxAge` goes before it. Default: 1 day. */
  readonly ttl?: Ttl | undefined;
  /** A session ends so long after it was created, however busy it is. Default: none. */
  readonly absoluteTimeout?: Duration | undefined;
  /** The idle timeout of a session is written again at most so often. Default: a tenth of it, 60 s at most. */
  readonly touchInterval?: Duration | undefined;
  /**
   * `hash`: one field per property, under the hash of the session's id. `json`: connect-redis' own keys and format, for running beside it. Default: `hash`.
   */
  readonly format?: 'hash' | 'json' | undefined;
  /** Reads both formats, and moves sessions into `format: 'hash'` when they are next changed. Default: false; always on with `format: 'json'`. */
  readonly migrate?: boolean | undefined;
  /** Key prefix of the connect-redis format. Default: `sess:`. */
  readonly connectRedisPrefix?: string | undefined;
  /** Encrypts what is stored (AES-256-GCM). The first key encrypts, all decrypt. 32 random bytes or more each. Default: not encrypted. */
  readonly encryptionKeys?: EncryptionKey | readonly EncryptionKey[] | undefined;
  /** A larger session is not saved: an error says so. Default: `1mb`. */
  readonly maxBytes?: Bytes | undefined;
  /** When two requests change the same property: `overwrite`: the last one wins. `reject`: the later one fails with 409. Default: `overwrite`. */
  readonly onConflict?: 'overwrite' | 'reject' | undefined;
  /** How many sessions one user may have. Default: any number. */
  readonly maxSessions?: number | undefined;
  /** What happens at one login more: `evict-oldest` ends the oldest, `reject` refuses the login. Default: `evict-oldest`. */
  readonly onMaxSessions?: 'evict-oldest' | 'reject' | undefined;
  /**
   * How `destroyAll` is enforced. `index`: it ends every session in the user's index, before it resolves. `strict`: besides, every request asks whether all sessions of its user were ended (in the
   * same round trip as the session), so that nothing depends on the index. Default: `index`.
   */
  readonly revocation?: 'index' | 'strict' | undefined;
}

/** Options of {@link session}. */
export interface SessionOptions extends SessionStoreOptions {
  /** Signs the cookie: 32 random characters or bytes, or more. A list: the first signs, all verify, and cookies signed with an older one are signed again. */
  readonly secret?: Secret | readonly Secret[] | undefined;
  /** Name of the cookie. Default: `__Host-sid` with `cookie.secure: true` (`__Secure-sid` with a domain or path of its own), else `sid`. */
  readonly name?: string | undefined;
  /** Attributes of the cookie, or a function that is asked for those of a new session. Default: httpOnly, `sameSite: 'lax'`, `secure: 'auto'`. */
  readonly cookie?: SessionCookieOptions | ((req: Request) => SessionCookieOptions) | undefined;
  /** Sends a cookie with `maxAge` again when the idle timeout begins anew. Default: true. */
  readonly rolling?: boolean | undefined;
  /** Whether the proxy's word is taken for a secure connection. Default: what Express' `trust proxy` says. */
  readonly proxy?: boolean | undefined;
  /** Saves sessions nothing was put into. Default: false. */
  readonly saveUninitialized?: boolean | undefined;
  /** What `req.session = null` does. Default: `keep`. */
  readonly unset?: 'destroy' | 'keep' | undefined;
  /** Makes ids. Default: 192 random bits. */
  readonly genid?: ((req: Request) => string) | undefined;
  /** Requests that need no session: they have none, and cost nothing. */
  readonly skip?: ((req: Request) => boolean) | undefined;
  /**
   * When Redis is away, for a request that has a session's cookie: `fail` answers 503, `anonymous` goes on as if nobody were logged in, and saves nothing. What was to be saved and could not be answers
   * 503 either way. Default: `fail`.
   */
  readonly onRedisError?: OnRedisError | ((req: Request) => OnRedisError) | undefined;
}

export type Secret = string | Uint8Array;

/** What becomes of a request whose session cannot be read: 503, or an empty session that is not saved. */
export type OnRedisError = 'fail' | 'anonymous';

/** Attributes of a session's cookie. `auto` follows the connection. */
export interface SessionCookieOptions extends Omit<CookieOptions, 'sameSite' | 'expires' | 'signed' | 'encode'> {
  readonly sameSite?: boolean | 'lax' | 'strict' | 'none' | 'auto' | undefined;
}

/** {@link SessionOptions}, resolved. */
export interface SessionConfig {
  readonly idleMs: number;
  readonly absoluteMs: number;
  readonly touchMs: number | undefined;
  readonly format: 'hash' | 'json';
  readonly migrate: boolean;
  readonly connectRedisPrefix: string;
  readonly seal: Seal;
  readonly maxBytes: number;
  readonly onConflict: 'overwrite' | 'reject';
  readonly maxSessions: number;
  readonly onMaxSessions: 'evict-oldest' | 'reject';
  readonly revocation: 'index' | 'strict';
}

export const STORE_OPTIONS = [
  'ttl',
  'absoluteTimeout',
  'touchInterval',
  'format',
  'migrate',
  'connectRedisPrefix',
  'encryptionKeys',
  'maxBytes',
  'onConflict',
  'maxSessions',
  'onMaxSessions',
  'revocation',
] as const;

export const SESSION_OPTIONS = [
  ...STORE_OPTIONS,
  'secret',
  'name',
  'cookie',
  'rolling',
  'proxy',
  'saveUninitialized',
  'unset',
  'genid',
  'skip',
  'onRedisError',
] as const;

const DAY_MS = 86_400_000;

/**
 * Checks options and fills in defaults.
 *
 * @throws {ConfigError} When one is wrong.
 */
export function toSessionConfig(options: SessionOptions, factory: string): SessionConfig {
  checkOptions(factory, options, SESSION_OPTIONS);
  const { ttl, absoluteTimeout, touchInterval, migrate = false, encryptionKeys, maxSessions } = options;
  const format = word(options, 'format', ['hash', 'json']);
  if (encryptionKeys !== undefined && (format === 'json' || migrate)) {
    throw new ConfigError(
      "encryptionKeys: connect-redis' format cannot be encrypted. Finish the migration first: format: 'hash' without migrate.",
    );
  }
  if (maxSessions !== undefined && (!Number.isInteger(maxSessions) || maxSessions < 1)) {
    throw new ConfigError('maxSessions: write a whole number from 1 on.');
  }
  word(options, 'unset', ['keep', 'destroy']);
  if (options.genid !== undefined && typeof options.genid !== 'function') {
    throw new ConfigError('genid: write a function that returns an id.');
  }
  return {
    idleMs: ttl === undefined ? DAY_MS : lifetimeOf(ttl),
    absoluteMs: absoluteTimeout === undefined ? Infinity : positiveMs(absoluteTimeout, 'absoluteTimeout'),
    touchMs: touchInterval === undefined ? undefined : toMs(touchInterval, 'touchInterval'),
    format,
    migrate: migrate || format === 'json',
    connectRedisPrefix: options.connectRedisPrefix ?? 'sess:',
    seal: encryptionKeys === undefined ? noSeal : createSeal(toList(encryptionKeys)),
    maxBytes: toBytes(options.maxBytes ?? '1mb', 'maxBytes'),
    onConflict: word(options, 'onConflict', ['overwrite', 'reject']),
    maxSessions: maxSessions ?? Infinity,
    onMaxSessions: word(options, 'onMaxSessions', ['evict-oldest', 'reject']),
    revocation: word(options, 'revocation', ['index', 'strict']),
  };
}

/** How often the idle timeout is written at most. */
export function touchIntervalOf({ touchMs }: SessionConfig, idleMs: number): number {
  return Math.min(touchMs ?? 60_000, idleMs / 10);
}

/** connect-redis counts seconds here, so a bare number is refused whatever it is. */
function lifetimeOf(ttl: Ttl): number {
  if (typeof ttl === 'number') {
    throw new ConfigError(
      `ttl: ${ttl} could be seconds (as in connect-redis) or milliseconds. Write '${ttl}s' or '${ttl}ms'.`,
    );
  }
  return toTtlMs(ttl, 'ttl');
}

function positiveMs(value: Duration, option: string): number {
  const ms = toMs(value, option);
  if (ms < 1) throw new ConfigError(`${option}: it must be at least 1 ms.`);
  return ms;
}

/** One of some words; the first is the default. */
function word<Word extends string>(
  options: SessionOptions,
  name: keyof SessionOptions,
  words: readonly [Word, ...Word[]],
): Word {
  const given = options[name] ?? words[0];
  const known = words.find((candidate) => candidate === given);
  if (known !== undefined) return known;
  throw new ConfigError(
    `${name}: ${JSON.stringify(given)} is unknown. Write ${words.map((one) => `'${one}'`).join(' or ')}.`,
  );
}

function toList(keys: EncryptionKey | readonly EncryptionKey[]): readonly EncryptionKey[] {
  return typeof keys === 'string' || keys instanceof Uint8Array ? [keys] : keys;
}
