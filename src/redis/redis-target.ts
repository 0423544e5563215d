import type { ConnectionOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';
import { type Environment, VARIABLES } from '../core/environment.ts';
import { ConfigError } from '../core/errors.ts';
import { type HostPort, parseHostPorts } from '../core/host-ports.ts';
import { checkSettings, type RedisSettings, type SettingNames } from '../core/redis-settings.ts';
import { parseRedisUrl } from '../core/redis-url.ts';

/** Which Redis is meant, once options and environment are put together. */
export type RedisTarget =
  | { readonly kind: 'server'; readonly login: RedisOptions }
  | { readonly kind: 'sentinel'; readonly login: RedisOptions }
  | { readonly kind: 'cluster'; readonly nodes: readonly HostPort[]; readonly login: RedisOptions };

/** The options of createRedis() that say which Redis is meant. */
export interface RedisTargetOptions {
  /** `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS, or the path of a Unix socket. Default: `REDIS_URL`. */
  readonly url?: string | undefined;
  /** Default: `REDIS_HOST`, else `localhost`. */
  readonly host?: string | undefined;
  /** Default: `REDIS_PORT`, else 6379. */
  readonly port?: number | undefined;
  /** Default: `REDIS_USERNAME`. */
  readonly username?: string | undefined;
  /** Default: `REDIS_PASSWORD`. */
  readonly password?: string | undefined;
  /** Number of the database; a Cluster has 0 only. Default: `REDIS_DB`, else 0. */
  readonly db?: number | undefined;
  /** `true`, or what Node's `tls.connect` takes: `ca`, `cert`, `servername` and so on. Holds for sentinels as well. Default: `REDIS_TLS`. */
  readonly tls?: boolean | ConnectionOptions | undefined;
  /** Sentinels, as `{ host, port }` or `'host:port'`. Some of them are enough. Default: `REDIS_SENTINELS`. */
  readonly sentinels?: readonly (HostPort | string)[] | undefined;
  /** Name of the master in the sentinels' configuration. Default: `REDIS_SENTINEL_NAME`. */
  readonly sentinelName?: string | undefined;
  /** Password of the sentinels themselves. Default: none. */
  readonly sentinelPassword?: string | undefined;
  /** Nodes of a Cluster, as `{ host, port }` or `'host:port'`. Some of them are enough. Default: `REDIS_CLUSTER_NODES`. */
  readonly clusterNodes?: readonly (HostPort | string)[] | undefined;
}

const OPTION_NAMES: SettingNames = {
  url: 'url',
  host: 'host',
  port: 'port',
  username: 'username',
  password: 'password',
  db: 'db',
  tls: 'tls',
  sentinels: 'sentinels',
  sentinelName: 'sentinelName',
  clusterNodes: 'clusterNodes',
};

/**
 * Puts options and environment together. Options that name servers replace all the environment says about servers, a URL's login included.
 *
 * @throws {ConfigError} When an option is malformed, or what results contradicts itself.
 */
export function resolveTarget(options: RedisTargetOptions, environment: Environment): RedisTarget {
  const given = readOptions(options);
  checkSettings(given, OPTION_NAMES);
  const settings = merge(given, environment);
  checkSettings(settings, namesOf(given));
  return toTarget(settings, options.sentinelPassword);
}

function readOptions(options: RedisTargetOptions): RedisSettings {
  const { sentinels, clusterNodes, tls, port, db } = options;
  checkNumber('port', port, 1, 65_535);
  checkNumber('db', db, 0, 99_999);
  if (tls !== undefined && typeof tls !== 'boolean' && (typeof tls !== 'object' || (tls as unknown) === null)) {
    throw new ConfigError("tls: write true, false or an object of options for Node's tls.connect.");
  }
  return {
    url: textOf('url', options.url),
    host: textOf('host', options.host),
    port,
    username: textOf('username', options.username),
    password: textOf('password', options.password),
    db,
    tls,
    sentinels: sentinels && parseHostPorts('sentinels', sentinels),
    sentinelName: textOf('sentinelName', options.sentinelName),
    clusterNodes: clusterNodes && parseHostPorts('clusterNodes', clusterNodes),
  };
}

/** An empty text counts as not given, as in the environment. The value is in no message: it may be a password. */
function textOf(option: string, value: unknown): string | undefined {
  if (value === undefined || value === '') return undefined;
  if (typeof value !== 'string') throw new ConfigError(`${option}: write a string.`);
  return value;
}

function checkNumber(option: string, value: unknown, min: number, max: number): void {
  if (value === undefined || (Number.isInteger(value) && Number(value) >= min && Number(value) <= max)) return;
  throw new ConfigError(`${option}: ${JSON.stringify(value)} is not a whole number from ${min} to ${max}.`);
}

/** Every setting is called what it is called where it came from. */
function namesOf(given: RedisSettings): SettingNames {
  const fromOptions = Object.entries(OPTION_NAMES).filter(([key]) => given[key as keyof RedisSettings] !== undefined);
  return { ...VARIABLES, ...Object.fromEntries(fromOptions) };
}

function merge(given: RedisSettings, environment: Environment): RedisSettings {
  const options = flat(given, 'url');
  const replaced = [given.url, given.host, given.sentinels, given.clusterNodes].some((value) => value !== undefined);
  const { port, username, password, db, tls } = environment;
  if (!replaced) return { ...flat(environment, 'REDIS_URL'), ...options };
  return {
    ...flat({ username, password, db, tls }, ''),
    ...(given.host !== undefined && port !== undefined && { port }),
    ...options,
  };
}

/** Takes a URL apart; what is said beside it is kept. Nothing undefined remains, so that spreading overrides only what was said. */
function flat(settings: RedisSettings, urlName: string): RedisSettings {
  const { url, ...rest } = settings;
  const said = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return url === undefined ? said : { ...parseRedisUrl(url, urlName), ...said };
}

function toTarget(settings: RedisSettings, sentinelPassword: string | undefined): RedisTarget {
  const { sentinels, sentinelName, clusterNodes, tls, db, username, password } = settings;
  const secure: ConnectionOptions | undefined = tls === true ? {} : tls || undefined;
  const login: RedisOptions = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(secure !== undefined && { tls: secure }),
  };
  if (clusterNodes !== undefined) return { kind: 'cluster', nodes: clusterNodes, login };
  const withDb = db === undefined ? login : { ...login, db };
  if (sentinels === undefined || sentinelName === undefined) {
    return { kind: 'server', login: { ...withDb, ...serverOf(settings) } };
  }
  return {
    kind: 'sentinel',
    login: {
      ...withDb,
      sentinels: [...sentinels],
      name: sentinelName,
      ...(sentinelPassword !== undefined && { sentinelPassword }),
      ...(secure !== undefined && { sentinelTLS: secure, enableTLSForSentinelMode: true }),
    },
  };
}

/** `path` and `family` come from a URL only. */
function serverOf(settings: RedisSettings & { path?: string; family?: number }): RedisOptions {
  const { path, host = 'localhost', port = 6_379, family } = settings;
  if (path !== undefined) return { path };
  return { host, port, ...(family !== undefined && { family }) };
}
