import type { Cluster, Redis } from 'ioredis';
import type { Logger } from '../core/logger.ts';
import { isCluster, type RedisClient } from './client.ts';
import type { RedisPreset } from './redis-presets.ts';

/**
 * Writes one line when a server goes away and one when it is back, however many attempts lie between. Being a listener of `error`, it also
 * keeps ioredis from reporting every failed attempt.
 */
export function logOutages(client: RedisClient, logger: Logger, preset: RedisPreset): void {
  const log = createOutageLog(logger, preset);
  if (isCluster(client)) logCluster(client, log);
  else logServer(client, log);
}

interface OutageLog {
  failed(server: string, error: unknown): void;
  recovered(server: string): void;
}

function logServer(redis: Redis, log: OutageLog): void {
  redis.on('error', (error: unknown) => log.failed('Redis', error));
  redis.on('ready', () => log.recovered('Redis'));
}

function logCluster(cluster: Cluster, log: OutageLog): void {
  cluster.on('error', (error: unknown) => log.failed('The Redis Cluster', error));
  cluster.on('ready', () => log.recovered('The Redis Cluster'));
  cluster.on('node error', (error: unknown, address: string) => {
    // A connected node that was slow to list the slots is not away.
    const isConnected = cluster.nodes().some((node) => node.status === 'ready' && addressOf(node) === address);
    if (!isConnected) log.failed(`Redis node ${address}`, error);
  });
  cluster.on('+node', (node: Redis) => {
    node.on('ready', () => log.recovered(`Redis node ${addressOf(node)}`));
  });
}

function addressOf({ options }: Redis): string {
  return `${options.host}:${options.port}`;
}

function createOutageLog(logger: Logger, preset: RedisPreset): OutageLog {
  const since = new Map<string, number>();
  return {
    failed(server, error) {
      if (since.has(server)) return;
      since.set(server, performance.now());
      const advice = preset === 'development' ? adviceFor(error) : '';
      logger.warn(`${server} does not answer (${reasonOf(error)}). Connecting again until it does.${advice}`);
    },
    recovered(server) {
      const failedAt = since.get(server);
      if (failedAt === undefined) return;
      since.delete(server);
      logger.info(`${server} answers again after ${((performance.now() - failedAt) / 1_000).toFixed(1)} s.`);
    },
  };
}

/** A host name with several addresses fails with an error that has several causes and no message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(reasonOf).join(', ');
  const { message, lastNodeError } = error as { message?: string; lastNodeError?: unknown };
  const reason = (message ?? String(error)).replace(/\.$/, '');
  return lastNodeError === undefined || lastNodeError === null ? reason : `${reason}: ${reasonOf(lastNodeError)}`;
}

function adviceFor(error: unknown): string {
  const reason = reasonOf(error);
  if (/ECONNREFUSED|ENOENT|Connection is closed/.test(reason)) {
    return ' Start one with "docker compose up -d" or "redis-server", or say where it is: REDIS_URL=redis://host:port.';
  }
  if (/ENOTFOUND|EAI_AGAIN/.test(reason)) return ' The host name is not known here: check REDIS_URL or REDIS_HOST.';
  if (/NOAUTH|WRONGPASS|NOPERM/.test(reason)) return ' Check REDIS_PASSWORD, and REDIS_USERNAME if there are users.';
  if (/wrong version number|ECONNRESET|SSL|certificate/i.test(reason)) {
    return ' One side may speak TLS and the other not: check REDIS_TLS, or rediss:// in REDIS_URL.';
  }
  return '';
}
