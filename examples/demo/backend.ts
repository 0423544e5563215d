/** Finds a Redis for the demo: the one the environment names, else one started for this run, else none (the embedded backend). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import { createRedis, type Logger } from '../../src/index.ts';
import { type RedisProcess, startRedis } from '../../test/support/redis-server.ts';

const NAMED_BY = ['REDIS_URL', 'REDIS_CLUSTER_NODES', 'REDIS_SENTINELS', 'REDIS_HOST'] as const;
const PATIENCE_MS = 5_000;

/** A Redis server that belongs to this run, so the tour may stop it. */
export interface OwnServer {
  kill(): Promise<void>;
  /** Starts an empty one on the same port. */
  restart(): Promise<void>;
}

export interface Backend {
  /** Undefined: the suite keeps everything in the memory of this process. */
  readonly redis: Redis | Cluster | undefined;
  /** One line that says which Redis this is and why. */
  readonly title: string;
  readonly ownServer: OwnServer | undefined;
  close(): Promise<void>;
}

/** @throws {Error} When the environment names a Redis that does not answer. */
export async function chooseBackend(prefix: string, logger: Logger): Promise<Backend> {
  if (/^(?:false|0|no|off)$/i.test(process.env['REDIS_ENABLED'] ?? ''))
    return embedded('REDIS_ENABLED switches it off');
  const variable = NAMED_BY.find((name) => (process.env[name] ?? '') !== '');
  if (variable !== undefined) return connectTo(variable, prefix, logger);
  try {
    return connectToOwn(await startRedis(), logger);
  } catch (error) {
    return embedded(firstSentence(error));
  }
}

function embedded(why: string): Backend {
  return {
    redis: undefined,
    title: `Redis: none (${why}). The embedded backend keeps the cache in this process.`,
    ownServer: undefined,
    close: async () => undefined,
  };
}

async function connectTo(variable: string, prefix: string, logger: Logger): Promise<Backend> {
  const redis = createRedis({ logger });
  if (redis === undefined) return embedded('switched off');
  const answered = await Promise.race([
    redis.ping().then(Boolean, () => false),
    sleep(PATIENCE_MS, false, { ref: false }),
  ]);
  if (!answered) {
    redis.disconnect();
    throw new Error(`${variable} names a Redis that does not answer. Unset it to let the demo start its own.`);
  }
  const close = async (): Promise<void> => {
    await removeKeys(redis, prefix).catch(() => undefined); // Without us they would stay until their lifetime ends.
    redis.disconnect();
  };
  const title = `Redis: ${kindOf(redis, variable)}, named by ${variable}. If others use it too, their commands are counted below as well.`;
  return { redis, title, ownServer: undefined, close };
}

function kindOf(redis: Redis | Cluster, variable: string): string {
  if (redis.isCluster) return `a Cluster of ${mastersOf(redis).length} masters`;
  return variable === 'REDIS_SENTINELS' ? 'the master of your sentinels' : 'a server of yours';
}

function connectToOwn(first: RedisProcess, logger: Logger): Backend {
  let server = first;
  const redis = createRedis({ url: `redis://${first.host}:${first.port}`, logger, preset: 'production' });
  const ownServer: OwnServer = {
    kill: () => server.stop(),
    restart: async () => {
      server = await startRedis([], first.port);
    },
  };
  const close = async (): Promise<void> => {
    redis?.disconnect();
    await server.stop();
  };
  const title = `Redis: a server started for this run on port ${first.port}, found on PATH. It ends with the demo.`;
  return { redis, title, ownServer, close };
}

/** The servers that hold keys: one, or the masters of a Cluster. */
export function mastersOf(redis: Redis | Cluster): Redis[] {
  return redis.isCluster ? (redis as Cluster).nodes('master') : [redis as Redis];
}

async function removeKeys(redis: Redis | Cluster, prefix: string): Promise<void> {
  for (const master of mastersOf(redis)) {
    const shown = redis.options.keyPrefix ?? '';
    const added = master.options.keyPrefix ?? ''; // SCAN shows the key prefix, UNLINK may add it once more.
    for await (const keys of master.scanStream({ match: `${shown}${prefix}:*`, count: 1_000 }) as AsyncIterable<
      string[]
    >) {
      await Promise.all(keys.map((key) => master.unlink(key.slice(added.length))));
    }
  }
}

function firstSentence(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.\s[^]*$/, '');
}
