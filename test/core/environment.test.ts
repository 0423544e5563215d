import { describe, expect, it } from '@jest/globals';
import { readEnvironment } from '../../src/core/environment.ts';
import { ConfigError } from '../../src/core/errors.ts';

const SECRET = 's3cr3t-value';

function mistakeIn(env: NodeJS.ProcessEnv): string {
  try {
    readEnvironment(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(env)}`);
}

describe('readEnvironment', () => {
  it('says nothing about Redis when nothing is set', () => {
    expect(readEnvironment({})).toEqual({
      redisEnabled: true,
      url: undefined,
      host: undefined,
      port: undefined,
      username: undefined,
      password: undefined,
      db: undefined,
      tls: undefined,
      keyPrefix: undefined,
      sentinels: undefined,
      sentinelName: undefined,
      clusterNodes: undefined,
      defaultTtlMs: undefined,
      isProduction: false,
      isDevelopment: true,
    });
  });

  it('takes an empty or blank variable for one that is not set', () => {
    const names = Object.keys(everything());
    expect(readEnvironment(Object.fromEntries(names.map((name) => [name, ''])))).toEqual(readEnvironment({}));
    expect(readEnvironment({ REDIS_PORT: '  ', REDIS_URL: ' ' })).toEqual(readEnvironment({}));
  });

  it('reads every variable of a single server', () => {
    expect(readEnvironment(everything())).toMatchObject({
      host: 'redis.local',
      port: 6380,
      username: 'shop',
      password: ` ${SECRET} `,
      db: 3,
      tls: true,
      keyPrefix: 'shop:',
      defaultTtlMs: 300_000,
      isProduction: true,
    });
  });

  it.each([
    ...['true', '1', 'yes', 'on', 'TRUE', 'On'].map((text) => [text, true] as const),
    ...['false', '0', 'no', 'off', 'False'].map((text) => [text, false] as const),
  ])('reads REDIS_ENABLED=%s as %s', (text, expected) => {
    expect(readEnvironment({ REDIS_ENABLED: text }).redisEnabled).toBe(expected);
  });

  it.each([
    ['a:7000,b:7001', ['a', 'b']],
    [' a:7000 , b:7001 ', ['a', 'b']],
    ['["a:7000", "b:7001"]', ['a', 'b']],
    ['[{"host":"a","port":7000},{"host":"b","port":"7001"}]', ['a', 'b']],
    ['[::1]:7000,[fe80::2]:7001', ['::1', 'fe80::2']],
    ['["[::1]:7000","[fe80::2]:7001"]', ['::1', 'fe80::2']],
    ['[{"host":"::1","port":7000},{"host":"[fe80::2]","port":7001}]', ['::1', 'fe80::2']],
  ])('reads the list of servers %s', (text, [first, second]) => {
    const servers = [
      { host: first, port: 7000 },
      { host: second, port: 7001 },
    ];
    expect(readEnvironment({ REDIS_CLUSTER_NODES: text }).clusterNodes).toEqual(servers);
    expect(readEnvironment({ REDIS_SENTINELS: text, REDIS_SENTINEL_NAME: 'm' }).sentinels).toEqual(servers);
  });

  it.each([
    ['30s', 30_000],
    ['1500ms', 1_500],
    ['5m', 300_000],
    ['short', 60_000],
    ['week', 604_800_000],
  ])('reads CACHE_DEFAULT_TTL=%s as %i ms', (text, ms) => {
    expect(readEnvironment({ CACHE_DEFAULT_TTL: text }).defaultTtlMs).toBe(ms);
  });

  it('does not guess whether a bare CACHE_DEFAULT_TTL is seconds or milliseconds, and says what to write', () => {
    expect(mistakeIn({ CACHE_DEFAULT_TTL: '300' })).toMatch(/^CACHE_DEFAULT_TTL: .*300s.*300ms/);
  });

  it('overlooks the REDIS_PORT that Kubernetes sets for a service named redis', () => {
    expect(readEnvironment({ REDIS_PORT: 'tcp://10.96.0.7:6379' }).port).toBeUndefined();
  });

  it.each([
    'redis://localhost',
    'rediss://user:p%40ss@host.example:6380/2',
    'valkey://[::1]:6379',
    'redis://:pw@host?family=0',
    '/var/run/redis.sock',
  ])('accepts the address %s', (url) => {
    expect(readEnvironment({ REDIS_URL: url }).url).toBe(url);
  });

  it.each([
    ['REDIS_ENABLED', 'maybe', 'true'],
    ['REDIS_TLS', 'ja', 'true'],
    ['REDIS_PORT', '0', '6379'],
    ['REDIS_PORT', '70000', '65535'],
    ['REDIS_PORT', '6379a', '6379'],
    ['REDIS_DB', '-1', 'number'],
    ['REDIS_DB', 'one', 'number'],
    ['REDIS_HOST', 'redis://localhost', 'REDIS_URL'],
    ['REDIS_HOST', 'a,b', 'REDIS_URL'],
    ['REDIS_URL', 'http://localhost', 'redis://'],
    ['REDIS_URL', 'localhost:6379', 'redis://'],
    ['REDIS_URL', 'redis://', 'redis://'],
    ['REDIS_URL', 'redis://host:99999', 'redis://'],
    ['REDIS_URL', 'redis://host:0', 'redis://'],
    ['REDIS_URL', 'redis://host/one', 'number'],
    ['REDIS_URL', 'redis://host?family=5', 'family'],
    ['REDIS_URL', 'redis://host?db=5', 'createRedis'],
    ['REDIS_URL', 'redis://:50%@host', '%25'],
    ['REDIS_CLUSTER_NODES', 'a', 'host:port'],
    ['REDIS_CLUSTER_NODES', 'a:1,b', 'entry 2'],
    ['REDIS_CLUSTER_NODES', '::1:7000', '[::1]'],
    ['REDIS_CLUSTER_NODES', '[]', 'host:port'],
    ['REDIS_CLUSTER_NODES', '["a:1"', 'JSON'],
    ['REDIS_CLUSTER_NODES', '[{"host":"a"}]', 'entry 1'],
    ['REDIS_CLUSTER_NODES', '[{"host":"a","port":0}]', 'entry 1'],
    ['REDIS_CLUSTER_NODES', '[null]', 'entry 1'],
    ['REDIS_SENTINELS', 'a:26379,', 'entry 2'],
    ['CACHE_DEFAULT_TTL', 'soon', 'medium'],
    ['CACHE_DEFAULT_TTL', '0s', '30s'],
    ['CACHE_DEFAULT_TTL', '-5m', '30s'],
  ])('refuses %s=%s with a message that names it and says what to write', (name, value, advice) => {
    const message = mistakeIn({ [name]: value });
    expect(message).toContain(name);
    expect(message).toContain(advice);
  });

  it.each<[string, NodeJS.ProcessEnv, string[]]>([
    ['sentinels without a name', { REDIS_SENTINELS: 'a:1' }, ['REDIS_SENTINELS', 'REDIS_SENTINEL_NAME']],
    ['a name without sentinels', { REDIS_SENTINEL_NAME: 'm' }, ['REDIS_SENTINEL_NAME', 'REDIS_SENTINELS']],
    [
      'sentinels and Cluster nodes',
      { REDIS_SENTINELS: 'a:1', REDIS_SENTINEL_NAME: 'm', REDIS_CLUSTER_NODES: 'b:1' },
      ['REDIS_SENTINELS', 'REDIS_CLUSTER_NODES'],
    ],
    ['an address and Cluster nodes', { REDIS_URL: 'redis://a', REDIS_CLUSTER_NODES: 'b:1' }, ['REDIS_URL']],
    [
      'a host and sentinels',
      { REDIS_HOST: 'a', REDIS_SENTINELS: 'b:1', REDIS_SENTINEL_NAME: 'm' },
      ['REDIS_HOST', 'REDIS_SENTINELS'],
    ],
    ['a database on a Cluster', { REDIS_DB: '1', REDIS_CLUSTER_NODES: 'b:1' }, ['REDIS_DB', 'database 0']],
    ['two hosts', { REDIS_URL: 'redis://a', REDIS_HOST: 'b' }, ['REDIS_HOST', 'REDIS_URL']],
    ['two ports', { REDIS_URL: 'redis://a:1', REDIS_PORT: '2' }, ['REDIS_PORT', 'REDIS_URL']],
    ['two databases', { REDIS_URL: 'redis://a/1', REDIS_DB: '2' }, ['REDIS_DB', 'REDIS_URL']],
    ['two passwords', { REDIS_URL: 'redis://:x@a', REDIS_PASSWORD: 'y' }, ['REDIS_PASSWORD', 'REDIS_URL']],
    ['TLS that is on and off', { REDIS_URL: 'rediss://a', REDIS_TLS: 'no' }, ['REDIS_TLS', 'REDIS_URL']],
  ])('refuses %s', (_what, env, named) => {
    const message = mistakeIn(env);
    for (const name of named) expect(message).toContain(name);
  });

  it('lets variables complete an address or repeat it', () => {
    const env = {
      REDIS_URL: 'redis://a:7000/2',
      REDIS_HOST: 'a',
      REDIS_PORT: '7000',
      REDIS_DB: '2',
      REDIS_PASSWORD: 'x',
    };
    expect(readEnvironment(env)).toMatchObject({ url: 'redis://a:7000/2', password: 'x' });
  });

  it.each<NodeJS.ProcessEnv>([
    { REDIS_URL: `http://:${SECRET}@host` },
    { REDIS_URL: `redis://:${SECRET}@host:99999` },
    { REDIS_URL: `redis://:${SECRET}@host/x` },
    { REDIS_URL: `redis://:${SECRET}%@host` },
    { REDIS_URL: `redis://:${SECRET}@host?x=1` },
    { REDIS_URL: `redis://:other@host`, REDIS_PASSWORD: SECRET },
    { REDIS_URL: `redis://:${SECRET}@host`, REDIS_HOST: 'elsewhere' },
    { REDIS_URL: `redis://:${SECRET}@host`, REDIS_CLUSTER_NODES: 'a:1' },
    { REDIS_HOST: `redis://:${SECRET}@host` },
    { REDIS_CLUSTER_NODES: `redis://:${SECRET}@host:1` },
    { REDIS_SENTINELS: `["${SECRET}@a:1"]`, REDIS_SENTINEL_NAME: 'm' },
    { REDIS_PASSWORD: SECRET, REDIS_SENTINELS: 'a:1' },
  ])('never repeats a password (case %#)', (env) => {
    expect(mistakeIn(env)).not.toContain(SECRET);
  });
});

function everything(): NodeJS.ProcessEnv {
  return {
    REDIS_ENABLED: 'true',
    REDIS_HOST: 'redis.local',
    REDIS_PORT: '6380',
    REDIS_USERNAME: 'shop',
    REDIS_PASSWORD: ` ${SECRET} `,
    REDIS_DB: '3',
    REDIS_TLS: 'true',
    REDIS_KEY_PREFIX: 'shop:',
    CACHE_DEFAULT_TTL: 'medium',
    NODE_ENV: 'production',
  };
}
