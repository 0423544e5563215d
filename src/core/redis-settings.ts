import type { ConnectionOptions } from 'node:tls';
import { ConfigError } from './errors.ts';
import type { HostPort } from './host-ports.ts';
import { parseRedisUrl, type RedisAddress } from './redis-url.ts';

/** What may be said about where Redis is. Environment and options say the same things under different names. */
export interface RedisSettings {
  readonly url?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly db?: number | undefined;
  readonly tls?: boolean | ConnectionOptions | undefined;
  readonly sentinels?: readonly HostPort[] | undefined;
  readonly sentinelName?: string | undefined;
  readonly clusterNodes?: readonly HostPort[] | undefined;
}

/** How a setting is called where it was written: `REDIS_HOST` or `host`. */
export type SettingNames = Readonly<Record<keyof RedisSettings, string>>;

/**
 * Refuses settings that contradict each other, instead of picking one in silence.
 *
 * @throws {ConfigError} When two settings name two different servers, or one is missing its other half.
 */
export function checkSettings(settings: RedisSettings, names: SettingNames): void {
  checkOneDeployment(settings, names);
  checkSentinelName(settings, names);
  if (settings.clusterNodes !== undefined && (settings.db ?? 0) !== 0) {
    throw new ConfigError(
      `${names.db} and ${names.clusterNodes} exclude each other: a Cluster has database 0 only. Remove ${names.db} and tell applications apart by key prefix.`,
    );
  }
  if (settings.url !== undefined) checkUrlAgrees(parseRedisUrl(settings.url, names.url), settings, names);
}

function checkOneDeployment(settings: RedisSettings, names: SettingNames): void {
  const single = (['url', 'host', 'port'] as const).find((key) => settings[key] !== undefined);
  const given = [single, 'sentinels' as const, 'clusterNodes' as const].filter(
    (key) => key !== undefined && settings[key] !== undefined,
  ) as (keyof RedisSettings)[];
  const [first, second] = given;
  if (first !== undefined && second !== undefined) {
    throw new ConfigError(
      `${names[first]} and ${names[second]} exclude each other: they name two deployments of Redis. Keep one of them.`,
    );
  }
}

function checkSentinelName(settings: RedisSettings, names: SettingNames): void {
  const [has, lacks] = settings.sentinels === undefined ? ['sentinelName', 'sentinels'] : ['sentinels', 'sentinelName'];
  if (settings[has as keyof RedisSettings] === undefined || settings[lacks as keyof RedisSettings] !== undefined)
    return;
  const { sentinels, sentinelName } = names;
  throw new ConfigError(
    has === 'sentinels'
      ? `${sentinels} needs ${sentinelName}: the name of the master in the sentinels' configuration, often mymaster.`
      : `${sentinelName} needs ${sentinels}: the addresses of the sentinels. Write it as host:port,host:port or remove ${sentinelName}.`,
  );
}

function checkUrlAgrees(address: RedisAddress, settings: RedisSettings, names: SettingNames): void {
  for (const key of ['host', 'port', 'username', 'password', 'db'] as const) {
    if (settings[key] === undefined || address[key] === undefined || settings[key] === address[key]) continue;
    throw new ConfigError(`${names[key]} says something else than ${names.url} does. Remove one of the two.`);
  }
  if (settings.tls === false && address.tls === true) {
    throw new ConfigError(`${names.tls} is off but ${names.url} says rediss://. Write redis:// or turn TLS on.`);
  }
}
