import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Cluster, Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../../src/core/errors.ts';
import { createRedis, type CreateRedisOptions } from '../../src/redis/redis.ts';
import { closedLater, testRedisUrl, uniquePrefix } from '../support/connections.ts';
import { type RedisProcess, reservePort, startRedis } from '../support/redis-server.ts';
import { answered, backAfter, collectingLogger } from '../support/outages.ts';
import { runningTime } from '../support/running-time.ts';

const shared = new URL(testRedisUrl());
const host = shared.hostname;
const port = Number(shared.port);
const VARIABLE = /^(?:REDIS_|NODE_ENV$)/;

let before: NodeJS.ProcessEnv;
const servers: RedisProcess[] = [];

beforeEach(() => {
  before = { ...process.env };
  for (const name of Object.keys(process.env)) if (VARIABLE.test(name)) delete process.env[name];
});
afterEach(async () => {
  for (const name of Object.keys(process.env)) if (VARIABLE.test(name)) delete process.env[name];
  Object.assign(process.env, before);
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

function create(options: CreateRedisOptions = {}): Redis {
  return closedLater(client(createRedis({ logger: collectingLogger(), ...options })));
}

function client(created: Redis | Cluster | undefined): Redis {
  if (created === undefined || created.isCluster) throw new Error('expected a connection to one server');
  return created as Redis;
}

async function server(args: readonly string[] = [], at?: number): Promise<RedisProcess> {
  const started = await startRedis(args, at);
  servers.push(started);
  return started;
}

/** Which server and database answers, and to which connection name. */
async function whoAnswers(redis: Redis): Promise<{ port: number; db: number; name: string }> {
  const info = await redis.info('server');
  const self = await redis.client('INFO');
  return {
    port: Number(/tcp_port:(\d+)/.exec(info)?.[1]),
    db: Number(/ db=(\d+)/.exec(self)?.[1]),
    name: / name=(\S*)/.exec(self)?.[1] ?? '',
  };
}

describe('createRedis: which server', () => {
  it('connects to what the options name, under a name CLIENT LIST shows', async () => {
    const redis = create({ host, port, db: 2 });
    expect(await whoAnswers(redis)).toEqual({ port, db: 2, name: 'express-redis-suite' });
  });

  it('connects to an address', async () => {
    expect(await whoAnswers(create({ url: `redis://${host}:${port}/3` }))).toMatchObject({ port, db: 3 });
  });

  it('connects to what the environment names', async () => {
    process.env['REDIS_HOST'] = host;
    process.env['REDIS_PORT'] = String(port);
    process.env['REDIS_DB'] = '4';
    expect(await whoAnswers(create())).toMatchObject({ port, db: 4 });
  });

  it('connects to REDIS_URL', async () => {
    process.env['REDIS_URL'] = `redis://${host}:${port}/5`;
    expect(await whoAnswers(create())).toMatchObject({ port, db: 5 });
  });

  it('lets options win over the environment, one by one', async () => {
    process.env['REDIS_URL'] = `redis://${host}:${port}/5`;
    expect(await whoAnswers(create({ db: 6 }))).toMatchObject({ port, db: 6 });
  });

  it('leaves aside all the environment says about servers when an option names another one', async () => {
    process.env['REDIS_SENTINELS'] = 'nowhere:1';
    process.env['REDIS_SENTINEL_NAME'] = 'm';
    expect(await whoAnswers(create({ host, port }))).toMatchObject({ port });
  });

  it('does not send the login of REDIS_URL to another server', () => {
    process.env['REDIS_URL'] = 'redis://user:secret@elsewhere:1/3';
    const { options } = create({ host, port });
    expect([options.username, options.password, options.db]).toEqual([null, null, 0]);
  });

  it('puts the key prefix before every key', async () => {
    const keyPrefix = `${uniquePrefix()}:`;
    process.env['REDIS_KEY_PREFIX'] = keyPrefix;
    await create({ host, port }).set('a', '1');
    expect(await create({ host, port, keyPrefix: '' }).get(`${keyPrefix}a`)).toBe('1');
  });

  it('logs in with user and password, or says what to check', async () => {
    const locked = await server();
    await create({ host: locked.host, port: locked.port }).config('SET', 'requirepass', 'open:sesame');
    const redis = create({ url: `redis://:open%3Asesame@${locked.host}:${locked.port}` });
    expect(await redis.ping()).toBe('PONG');

    const logger = collectingLogger();
    const stranger = create({ host: locked.host, port: locked.port, password: 'wrong', preset: 'development', logger });
    await expect(stranger.ping()).rejects.toThrow('WRONGPASS');
    expect(logger.warnings).toEqual([expect.stringMatching(/WRONGPASS.*Check REDIS_PASSWORD/)]);
    expect(logger.warnings.join('')).not.toContain('wrong)');
  });

  it('passes any other option of ioredis through, and lets it win', () => {
    const redis = create({ host, port, redisOptions: { enableAutoPipelining: true, connectionName: 'mine' } });
    expect(redis.options).toMatchObject({ enableAutoPipelining: true, connectionName: 'mine' });
  });

  it('gives no connection when REDIS_ENABLED is false', () => {
    process.env['REDIS_ENABLED'] = 'false';
    expect(createRedis({ host, port })).toBeUndefined();
  });

  it.each([
    ['production', 'production', { socketTimeout: 2_000, showFriendlyErrorStack: false }],
    ['development', 'development', { socketTimeout: 10_000, showFriendlyErrorStack: true }],
    ['test', 'development', { socketTimeout: 10_000 }],
  ])('with NODE_ENV=%s takes the preset %s', (nodeEnv, _preset, expected) => {
    process.env['NODE_ENV'] = nodeEnv;
    expect(create({ host, port }).options).toMatchObject(expected);
  });

  it('shows who sent a command that failed, in development', async () => {
    const redis = create({ host, port, preset: 'development' });
    async function myHandler(): Promise<unknown> {
      return redis.call('GET');
    }
    const error = (await myHandler().catch((error: unknown) => error)) as Error;
    expect(error.stack).toContain('myHandler');
  });

  it.each<[string, CreateRedisOptions, string]>([
    ['a misspelt option', { hots: 'x' } as CreateRedisOptions, 'hots'],
    ['an address that is none', { url: 'http://x' }, 'url'],
    ['a port that is none', { port: 0 }, 'port'],
    ['a port as text', { port: '6379' as unknown as number }, 'port'],
    ['a database that is none', { db: -1 }, 'db'],
    ['a host that is no text', { host: 7 as unknown as string }, 'host'],
    ['TLS options that are none', { tls: 'yes' as unknown as boolean }, 'tls'],
    ['an address and another host', { url: 'redis://a', host: 'b' }, 'host'],
    ['sentinels without a name', { sentinels: ['a:1'] }, 'sentinelName'],
    ['sentinels and Cluster nodes', { sentinels: ['a:1'], sentinelName: 'm', clusterNodes: ['a:1'] }, 'clusterNodes'],
    ['a database on a Cluster', { clusterNodes: ['a:1'], db: 1 }, 'db'],
    ['an empty list of nodes', { clusterNodes: [] }, 'clusterNodes'],
    ['replica reads without a Cluster', { host: 'a', readFrom: 'replica' }, 'readFrom'],
    ['Cluster options without a Cluster', { host: 'a', clusterOptions: {} }, 'clusterOptions'],
    ['unknown reads', { clusterNodes: ['a:1'], readFrom: 'slave' as 'replica' }, 'readFrom'],
    ['an unknown preset', { preset: 'staging' as 'production' }, 'preset'],
  ])('refuses %s, before it connects', (_what, options, named) => {
    expect(() => createRedis(options)).toThrow(ConfigError);
    expect(() => createRedis(options)).toThrow(named);
  });

  it('names the variable when option and variable contradict each other', () => {
    process.env['REDIS_DB'] = '1';
    expect(() => createRedis({ clusterNodes: ['a:1'] })).toThrow(/REDIS_DB and clusterNodes/);
  });
});

describe.each(['production', 'development'] as const)('createRedis: outages (%s)', (preset) => {
  it('answers within a second after Redis was killed and started again', async () => {
    const crashing = await server();
    const redis = create({ host: crashing.host, port: crashing.port, preset });
    await redis.ping();
    await crashing.kill();
    await sleep(800);
    await crashing.restart();
    expect(await backAfter(redis)).toBeLessThan(1_000);
  });

  it('answers within a second after Redis was frozen, even when its silence was noticed', async () => {
    const freezing = await server();
    const redis = create({ host: freezing.host, port: freezing.port, preset });
    await redis.ping();
    freezing.freeze();
    redis.ping().catch(() => undefined);
    await sleep(preset === 'production' ? 2_600 : 600); // Production replaces the connection in between.
    freezing.thaw();
    expect(await backAfter(redis)).toBeLessThan(1_000);
  });

  it('never pauses for more than half a second, nor as long as everybody else', () => {
    const { retryStrategy } = create({ host, port, preset }).options;
    const pauses = Array.from({ length: 1_000 }, (_, attempt) => retryStrategy?.(attempt + 1));
    expect(pauses.every((pause) => typeof pause === 'number' && pause > 0 && pause <= 500)).toBe(true);
    expect(new Set(pauses.slice(20)).size).toBeGreaterThan(100);
  });

  it('waits for a Redis that is started later', async () => {
    const later = await reservePort();
    const redis = create({ host: '127.0.0.1', port: later, preset });
    await sleep(800);
    expect(redis.status).not.toBe('ready');
    await server([], later);
    expect(await backAfter(redis)).toBeLessThan(1_000);
  });

  it('fails a command within three seconds while Redis is missing', async () => {
    const redis = create({ host: '127.0.0.1', port: await reservePort(), preset });
    const startedAt = runningTime();
    await expect(redis.ping()).rejects.toThrow('max retries per request');
    expect(runningTime() - startedAt).toBeLessThan(3_000);
  });
});

describe('createRedis: what it reports', () => {
  it('logs one line when Redis goes away and one when it is back', async () => {
    const crashing = await server();
    const logger = collectingLogger();
    const redis = create({ host: crashing.host, port: crashing.port, preset: 'production', logger });
    await redis.ping();
    await crashing.kill();
    await sleep(1_000);
    await crashing.restart();
    await answered(redis);
    expect(logger.warnings).toEqual([
      expect.stringMatching(/^Redis does not answer \(.+\)\. Connecting again until it does\.$/),
    ]);
    expect(logger.infos).toEqual([expect.stringMatching(/^Redis answers again after \d\.\d s\.$/)]);
  });

  it('says how to start one in development', async () => {
    const logger = collectingLogger();
    create({ host: 'localhost', port: await reservePort(), preset: 'development', logger });
    await sleep(300);
    expect(logger.warnings).toEqual([expect.stringMatching(/ECONNREFUSED.*docker compose up.*REDIS_URL/)]);
  });

  it('notices a connection that is silent, and gives its commands to a new one', async () => {
    const freezing = await server();
    const logger = collectingLogger();
    const redis = create({ host: freezing.host, port: freezing.port, preset: 'production', logger });
    await redis.ping();
    freezing.freeze();
    const pending = redis.incr('counter');
    await sleep(2_300);
    expect(logger.warnings).toEqual([expect.stringContaining('Socket timeout')]);
    freezing.thaw();
    await expect(pending).resolves.toBeGreaterThan(0);
  });

  it('connects again and repeats the command when a server has become a replica and refuses writes', async () => {
    const master = await server();
    const redis = create({ host: master.host, port: master.port, preset: 'production' });
    const admin = create({ host: master.host, port: master.port });
    await redis.ping();
    await admin.replicaof('127.0.0.1', String(await reservePort()));
    const reconnected = new Promise<void>((resolve) => redis.once('reconnecting', () => resolve()));
    const written = redis.set('a', '1');
    await reconnected;
    await admin.call('REPLICAOF', 'NO', 'ONE');
    await expect(written).resolves.toBe('OK');
  });

  it('does not connect over and over to a server that stays a replica', async () => {
    const replica = await server();
    const redis = create({ host: replica.host, port: replica.port, preset: 'production' });
    await redis.ping();
    await redis.replicaof('127.0.0.1', String(await reservePort()));
    let reconnects = 0;
    redis.on('reconnecting', () => reconnects++);
    const writes = Array.from({ length: 20 }, async (_, i) => {
      await sleep(i * 20);
      return redis.set('a', '1').catch((error: Error) => error.message);
    });
    const replies = await Promise.all(writes);
    expect(replies.every((reply) => reply.startsWith('READONLY'))).toBe(true);
    expect(reconnects).toBe(1);
  });
});
