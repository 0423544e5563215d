import calculateSlot from 'cluster-key-slot';
import type { Cluster, Redis } from 'ioredis';
import { ConfigError } from '../core/errors.ts';

/** An ioredis connection of yours: `Redis` (standalone or Sentinel) or `Cluster`, majors 5.11+ and 6. */
export type RedisClient = Redis | Cluster;

/** ioredis 5 and 6 may both be installed, so `instanceof` would lie. */
export function isCluster(client: RedisClient): client is Cluster {
  return client.isCluster;
}

/** The prefix ioredis puts before every key of this client. Not applied to channels and SCAN patterns. */
export function keyPrefixOf(client: RedisClient): string {
  return client.options.keyPrefix ?? '';
}

/** Names the server that answers for `key`: `host:port` of the slot's master on Cluster, else `redis`. */
export function nodeOf(client: RedisClient, key: string): string {
  if (!isCluster(client)) return 'redis';
  return client.slots[calculateSlot(keyPrefixOf(client) + key)]?.[0] ?? 'cluster';
}

/** Whether read commands of this client may be answered by a replica, which lags behind its master. */
export function mayReadReplicas(client: RedisClient): boolean {
  return isCluster(client) && client.options.scaleReads !== 'master';
}

/**
 * Refuses what cannot be used, when a factory is called.
 *
 * @throws {ConfigError} When it is not an ioredis connection, or its `keyPrefix` would tear keys apart on Cluster.
 */
export function checkClient(client: RedisClient): void {
  const candidate = client as { getBuffer?: unknown; duplicate?: unknown } | null | undefined;
  if (typeof candidate?.getBuffer !== 'function' || typeof candidate.duplicate !== 'function') {
    throw new ConfigError('redis: pass an ioredis Redis or Cluster (ioredis 5.11 or later).');
  }
  if (!isCluster(client) && client.options.role === 'slave') {
    throw new ConfigError(
      'redis: this connection is to a replica (role: slave). Entries are written, and replicas lag behind what is invalidated.',
    );
  }
  const prefix = keyPrefixOf(client);
  if (prefix.includes('{') && !/^[^{]*\{[^}]+\}/.test(prefix)) {
    throw new ConfigError(
      `redis: its keyPrefix ${JSON.stringify(prefix)} opens a brace without closing it, so keys that belong together would land in different Cluster slots. Write '{tag}' or use no braces.`,
    );
  }
}
