import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { type Environment, readEnvironment } from '../core/environment.ts';
import { ConfigError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { checkOptions } from '../core/options.ts';
import { followFailovers, outliveFailovers, stopLookingAtEnd } from './follow-failovers.ts';
import { logOutages } from './outage-log.ts';
import { clusterOptions, connectionOptions, type RedisPreset, sentinelOptions } from './redis-presets.ts';
import { type RedisTarget, type RedisTargetOptions, resolveTarget } from './redis-target.ts';

/** Options of {@link createRedis}. What is not given is read from the environment. */
export interface CreateRedisOptions extends RedisTargetOptions {
  /** Put before every key by ioredis itself. Default: `REDIS_KEY_PREFIX`, else none. */
  readonly keyPrefix?: string | undefined;
  /** Cluster only: which nodes answer reads. Replicas lag behind their master: what was set or deleted a moment ago may be read as it was before; what was invalidated is not. Default: `master`. */
  readonly readFrom?: 'master' | 'replica' | 'any' | undefined;
  /**
   * `production`: gives up on a connection attempt after 1.5 s and on a silent connection after 2 s.
   * `development`: after 5 s and 10 s, so that breakpoints and slow starts pass; errors of commands show who sent them; the line about a
   * missing Redis says what to do. Default: `production` if `NODE_ENV` is, else `development`.
   */
  readonly preset?: RedisPreset | undefined;
  /** Gets one line when Redis goes away and one when it is back. Default: `console`. */
  readonly logger?: Logger | undefined;
  /** Any option of ioredis for each connection. Wins over everything above. */
  readonly redisOptions?: RedisOptions | undefined;
  /** Cluster only: any option of ioredis for the Cluster as a whole, such as `natMap`. Wins over everything above. */
  readonly clusterOptions?: Omit<ClusterOptions, 'redisOptions'> | undefined;
}

const OPTIONS: readonly (keyof CreateRedisOptions)[] = [
  ...(['url', 'host', 'port', 'username', 'password', 'db', 'tls', 'keyPrefix'] as const),
  ...(['sentinels', 'sentinelName', 'sentinelPassword', 'clusterNodes', 'readFrom'] as const),
  ...(['preset', 'logger', 'redisOptions', 'clusterOptions'] as const),
];

const SCALE_READS = { master: 'master', replica: 'slave', any: 'all' } as const;

/**
 * Connects ioredis to the Redis that options and environment name: one server, Sentinel or Cluster. It connects in the background, never
 * gives up, and is back within a second of Redis. A missing Redis is logged once and crashes nothing. You own the connection: `quit()` it.
 *
 * A connection that has waited two seconds for an answer (ten in development) is replaced. Commands that block for longer need one of
 * their own: `redis.duplicate({ socketTimeout: undefined })`. While Redis is away a command of yours fails within about two seconds; on a
 * Cluster of which no node answers it waits until one does. (What a suite asks has a deadline of its own and never waits.)
 *
 * Default: `localhost:6379`.
 *
 * @returns `undefined` when `REDIS_ENABLED` is false; `createSuite` then keeps everything in process memory.
 * @throws {ConfigError} When an option or a variable is malformed or contradicts another one.
 */
export function createRedis(options: CreateRedisOptions = {}): Redis | Cluster | undefined {
  checkOptions('createRedis', options, OPTIONS);
  const environment = readEnvironment();
  const target = resolveTarget(options, environment);
  checkWords(options, target);
  if (!environment.redisEnabled) return undefined;

  const preset = options.preset ?? (environment.isProduction ? 'production' : 'development');
  const client = connect(target, preset, withEnvironment(options, environment));
  logOutages(client, options.logger ?? console, preset);
  return client;
}

function checkWords({ readFrom, preset, clusterOptions }: CreateRedisOptions, target: RedisTarget): void {
  if (preset !== undefined && !['development', 'production'].includes(preset)) {
    throw new ConfigError(`preset: ${JSON.stringify(preset)} is unknown. Write 'development' or 'production'.`);
  }
  if (readFrom !== undefined && !Object.hasOwn(SCALE_READS, readFrom)) {
    throw new ConfigError(`readFrom: ${JSON.stringify(readFrom)} is unknown. Write 'master', 'replica' or 'any'.`);
  }
  if (target.kind === 'cluster') return;
  if (readFrom !== undefined && readFrom !== 'master') {
    throw new ConfigError(`readFrom: only a Cluster spreads reads. Remove it, or name clusterNodes.`);
  }
  if (clusterOptions !== undefined) throw new ConfigError('clusterOptions needs clusterNodes. Use redisOptions here.');
}

function withEnvironment(options: CreateRedisOptions, environment: Environment): CreateRedisOptions {
  return { ...options, keyPrefix: options.keyPrefix ?? environment.keyPrefix };
}

function connect(target: RedisTarget, preset: RedisPreset, options: CreateRedisOptions): Redis | Cluster {
  const prefix = options.keyPrefix === undefined ? {} : { keyPrefix: options.keyPrefix };
  const each: EachConnection = { ...connectionOptions(preset), ...target.login };
  if (target.kind !== 'cluster') {
    const sentinel = target.kind === 'sentinel' ? sentinelOptions(preset) : {};
    const redis = new Redis({ ...each, ...sentinel, ...prefix, ...options.redisOptions } as EachConnection);
    outliveFailovers(redis);
    return redis;
  }
  const cluster = new Cluster([...target.nodes], {
    ...clusterOptions(preset),
    ...(each.tls !== undefined && { dnsLookup: keepName }),
    ...prefix,
    scaleReads: SCALE_READS[options.readFrom ?? 'master'],
    redisOptions: { ...each, ...options.redisOptions } as EachConnection,
    ...options.clusterOptions,
  });
  followFailovers(cluster);
  stopLookingAtEnd(cluster);
  return cluster;
}

/** ioredis types a client by its `replyMapping`. Ours are typed as by default; who passes another one casts. */
type EachConnection = Omit<RedisOptions, 'replyMapping'>;

/** Certificates name hosts, so under TLS a host name must stay one. */
function keepName(host: string, callback: (error: null, address: string) => void): void {
  callback(null, host);
}
