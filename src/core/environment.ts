import { ConfigError } from './errors.ts';
import { TTL_PRESETS, type Ttl, toTtlMs } from './duration.ts';
import { type HostPort, parseHostPorts } from './host-ports.ts';
import { checkSettings, type SettingNames } from './redis-settings.ts';

/** What the process environment says, checked and typed. `undefined` where nothing is said. */
export interface Environment {
  /** `REDIS_ENABLED`: true, false, 1, 0, yes, no, on, off. Default: true. */
  readonly redisEnabled: boolean;
  /** `REDIS_URL`: `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS, or the path of a socket. */
  readonly url: string | undefined;
  /** `REDIS_HOST`. */
  readonly host: string | undefined;
  /** `REDIS_PORT`. The form `tcp://…`, which Kubernetes sets for a service named redis, counts as not set. */
  readonly port: number | undefined;
  /** `REDIS_USERNAME`. */
  readonly username: string | undefined;
  /** `REDIS_PASSWORD`. In no message. */
  readonly password: string | undefined;
  /** `REDIS_DB`. */
  readonly db: number | undefined;
  /** `REDIS_TLS`, in the words of `REDIS_ENABLED`. */
  readonly tls: boolean | undefined;
  /** `REDIS_KEY_PREFIX`: put before every key by ioredis. */
  readonly keyPrefix: string | undefined;
  /** `REDIS_SENTINELS`: `host:port,host:port`, or JSON: a list of such strings or of `{ host, port }`. IPv6 in brackets. */
  readonly sentinels: readonly HostPort[] | undefined;
  /** `REDIS_SENTINEL_NAME`: the master's name in the sentinels' configuration. */
  readonly sentinelName: string | undefined;
  /** `REDIS_CLUSTER_NODES`, in the forms of `REDIS_SENTINELS`. Some of the nodes are enough. */
  readonly clusterNodes: readonly HostPort[] | undefined;
  /** `CACHE_DEFAULT_TTL`: `30s`, `5m`, `short` and so on, in milliseconds. */
  readonly defaultTtlMs: number | undefined;
  /** Whether `NODE_ENV` is `production`. */
  readonly isProduction: boolean;
  /** Whether `NODE_ENV` is `development`, or not set. */
  readonly isDevelopment: boolean;
}

/** What the settings are called in the environment. */
export const VARIABLES: SettingNames = {
  url: 'REDIS_URL',
  host: 'REDIS_HOST',
  port: 'REDIS_PORT',
  username: 'REDIS_USERNAME',
  password: 'REDIS_PASSWORD',
  db: 'REDIS_DB',
  tls: 'REDIS_TLS',
  sentinels: 'REDIS_SENTINELS',
  sentinelName: 'REDIS_SENTINEL_NAME',
  clusterNodes: 'REDIS_CLUSTER_NODES',
};

/**
 * Reads the environment. An empty variable counts as not set.
 *
 * @throws {ConfigError} When a value cannot be read, or two contradict each other. The message names the variable and never holds a password.
 */
export function readEnvironment(env: NodeJS.ProcessEnv = process.env): Environment {
  const text = (name: string): string | undefined => env[name]?.trim() || undefined;
  const environment: Environment = {
    redisEnabled: toBoolean('REDIS_ENABLED', text('REDIS_ENABLED')) ?? true,
    url: text(VARIABLES.url),
    host: toHost(text(VARIABLES.host)),
    port: toPort(text(VARIABLES.port)),
    username: text(VARIABLES.username),
    password: env[VARIABLES.password] || undefined, // A password may begin or end with a blank.
    db: toDatabase(text(VARIABLES.db)),
    tls: toBoolean(VARIABLES.tls, text(VARIABLES.tls)),
    keyPrefix: text('REDIS_KEY_PREFIX'),
    sentinels: toHostPorts(VARIABLES.sentinels, text(VARIABLES.sentinels)),
    sentinelName: text(VARIABLES.sentinelName),
    clusterNodes: toHostPorts(VARIABLES.clusterNodes, text(VARIABLES.clusterNodes)),
    defaultTtlMs: toLifetime(text('CACHE_DEFAULT_TTL')),
    isProduction: env['NODE_ENV'] === 'production',
    isDevelopment: (text('NODE_ENV') ?? 'development') === 'development',
  };
  checkSettings(environment, VARIABLES);
  return environment;
}

function toBoolean(name: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (/^(?:true|1|yes|on)$/i.test(text)) return true;
  if (/^(?:false|0|no|off)$/i.test(text)) return false;
  throw new ConfigError(`${name}: ${JSON.stringify(text)} is neither true nor false. Write one of these two.`);
}

/** Not echoed: whoever puts an address here may have put the password in it. */
function toHost(text: string | undefined): string | undefined {
  if (text === undefined || /^[^\s/@,]+$/.test(text)) return text?.replaceAll(/^\[|\]$/g, '');
  throw new ConfigError('REDIS_HOST takes one host name or IP address. A whole address belongs into REDIS_URL.');
}

function toPort(text: string | undefined): number | undefined {
  if (text === undefined || text.startsWith('tcp://')) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new ConfigError(
    `REDIS_PORT: ${JSON.stringify(text)} is not a port. Write a number from 1 to 65535, such as 6379.`,
  );
}

function toDatabase(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new ConfigError(`REDIS_DB: ${JSON.stringify(text)} is not a database. Write its number, such as 0.`);
}

function toHostPorts(name: string, text: string | undefined): readonly HostPort[] | undefined {
  if (text === undefined) return undefined;
  return parseHostPorts(name, /^\[\s*["{\]]/.test(text) ? parseJson(name, text) : text.split(','));
}

function parseJson(name: string, text: string): unknown[] {
  try {
    return JSON.parse(text) as unknown[];
  } catch {
    throw new ConfigError(`${name} begins as a JSON list but is none. Write host:port,host:port instead.`);
  }
}

function toLifetime(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+(?:\.\d+)?$/.test(text)) {
    throw new ConfigError(
      `CACHE_DEFAULT_TTL: ${text} could be seconds or milliseconds. Write ${text}s for seconds or ${text}ms for milliseconds.`,
    );
  }
  try {
    return toTtlMs(text as Ttl, 'CACHE_DEFAULT_TTL');
  } catch (cause) {
    throw new ConfigError(
      `CACHE_DEFAULT_TTL: ${JSON.stringify(text)} is not a lifetime. Write 30s, 5m, 1h, 7d or one of ${Object.keys(TTL_PRESETS).join(', ')}.`,
      { cause },
    );
  }
}
