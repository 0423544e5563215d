import { ConfigError } from './errors.ts';

/** Where one process of a Sentinel or Cluster deployment listens. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads a list of servers: `{ host, port }` or `'host:port'`, IPv6 in brackets. Entries are blamed by their position, never repeated.
 *
 * @throws {ConfigError} When the list is empty or an entry is not a host with a port.
 */
export function parseHostPorts(name: string, list: readonly unknown[]): readonly HostPort[] {
  if (!Array.isArray(list) || list.length === 0) {
    throw new ConfigError(`${name} lists no server. Write at least one host:port, or leave it out.`);
  }
  return list.map((entry, index) => {
    const server = typeof entry === 'string' ? fromText(entry.trim()) : fromObject(entry);
    if (server !== undefined) return server;
    throw new ConfigError(
      `${name}: entry ${index + 1} is not a host with a port. Write host:port, or [::1]:port for IPv6.`,
    );
  });
}

function fromText(text: string): HostPort | undefined {
  const match = /^(?:\[([\da-f:.%]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/i.exec(text);
  return match === null ? undefined : checked(match[1] ?? match[2], Number(match[3]));
}

function fromObject(entry: unknown): HostPort | undefined {
  const { host, port } = (entry ?? {}) as { host?: unknown; port?: unknown };
  return checked(host, typeof port === 'string' && /^\d+$/.test(port) ? Number(port) : port);
}

function checked(host: unknown, port: unknown): HostPort | undefined {
  if (typeof host !== 'string' || !/^[^\s/@]+$/.test(host)) return undefined;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  return { host: host.replaceAll(/^\[|\]$/g, ''), port };
}
