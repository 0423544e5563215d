import { ConfigError } from './errors.ts';

/** What the address of one Redis server says. A socket has a `path`, everything else a `host`. */
export interface RedisAddress {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly tls?: true;
  /** IP version; 0 takes what the name resolves to. */
  readonly family?: 0 | 4 | 6;
}

const FORM = 'redis://[user:password@]host[:port][/db], rediss:// for TLS, or /path/of/the.sock';

/**
 * Reads `redis://`, `rediss://`, `valkey://` and `valkeys://` addresses and paths of Unix sockets. `name` is the setting to blame.
 * The address itself is in no message: it may hold a password.
 *
 * @throws {ConfigError} When it is none of these.
 */
export function parseRedisUrl(text: string, name: string): RedisAddress {
  if (text.startsWith('/')) return { path: text };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const scheme = /^(?:redis|valkey)(s?):$/.exec(url?.protocol ?? '');
  if (url === undefined || scheme === null || url.hostname === '') {
    throw new ConfigError(`${name} is not the address of a Redis server. Write ${FORM}.`);
  }
  return {
    host: url.hostname.replaceAll(/^\[|\]$/g, ''),
    ...(url.port !== '' && { port: portOf(url.port, name) }),
    ...(url.username !== '' && { username: decode(url.username, name) }),
    ...(url.password !== '' && { password: decode(url.password, name) }),
    ...(scheme[1] === 's' && { tls: true as const }),
    ...databaseOf(url, name),
    ...familyOf(url, name),
  };
}

function portOf(text: string, name: string): number {
  if (text === '0') throw new ConfigError(`${name}: 0 is not a port. Write ${FORM}.`);
  return Number(text);
}

function decode(text: string, name: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError(`${name}: its user or password holds a lone "%". Write %25 for it.`);
  }
}

function databaseOf(url: URL, name: string): { db?: number } {
  const text = url.pathname.replace(/^\//, '');
  if (text === '') return {};
  if (!/^\d{1,5}$/.test(text)) throw new ConfigError(`${name}: after the host comes a database number. Write ${FORM}.`);
  return { db: Number(text) };
}

function familyOf(url: URL, name: string): { family?: 0 | 4 | 6 } {
  for (const [parameter, value] of url.searchParams) {
    if (parameter !== 'family' || !['0', '4', '6'].includes(value)) {
      throw new ConfigError(
        `${name}: the only parameter it may have is family=0, 4 or 6. Give other settings as options of createRedis().`,
      );
    }
    return { family: Number(value) as 0 | 4 | 6 };
  }
  return {};
}
