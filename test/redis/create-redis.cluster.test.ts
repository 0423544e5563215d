import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import calculateSlot from 'cluster-key-slot';
import { Cluster, Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSubscriber } from '../../src/redis/subscriber.ts';
import { createRedis, type CreateRedisOptions } from '../../src/redis/redis.ts';
import { closedLater, testClusterNodes, uniquePrefix } from '../support/connections.ts';
import { answered, backAfter, collectingLogger, eventually } from '../support/outages.ts';
import { type RedisCluster, type RedisProcess, startCluster } from '../support/redis-server.ts';
import { runningTime } from '../support/running-time.ts';

function create(options: CreateRedisOptions = {}): Cluster {
  const client = createRedis({ preset: 'production', logger: collectingLogger(), ...options });
  if (!(client instanceof Cluster)) throw new Error('expected a Cluster');
  return closedLater(client);
}

/** Closes a ready Cluster while it looks for its nodes; returns how often it has done so. */
function closedWhileLooking(cluster: Cluster): () => number {
  let count = 0;
  const look = cluster.refreshSlotsCache.bind(cluster);
  cluster.refreshSlotsCache = (callback) => {
    look(callback);
    if (cluster.status === 'ready') cluster.disconnect();
    if (cluster.status !== 'connecting') count++;
  };
  return () => count;
}

/** The second that is promised, and what a busy machine adds to it: the servers, too, wait for a core. */
const SOON_MS = 1_000 + 500;

describe('createRedis on a Cluster', () => {
  it('reaches every master when it knows one node', async () => {
    const prefix = uniquePrefix();
    const [node] = testClusterNodes();
    const cluster = create({ clusterNodes: node === undefined ? [] : [node] });
    const keys = Array.from({ length: 30 }, (_, i) => `${prefix}:${i}`);
    await Promise.all(keys.map((key) => cluster.set(key, key, 'PX', 60_000)));
    expect(await Promise.all(keys.map((key) => cluster.get(key)))).toEqual(keys);
    expect(cluster.nodes('master')).toHaveLength(3);
  });

  it('reads its nodes from REDIS_CLUSTER_NODES and its key prefix from REDIS_KEY_PREFIX', async () => {
    const keyPrefix = `${uniquePrefix()}:`;
    process.env['REDIS_CLUSTER_NODES'] = process.env['TEST_REDIS_CLUSTER'];
    process.env['REDIS_KEY_PREFIX'] = keyPrefix;
    try {
      await create().set('a', '1', 'PX', 60_000);
    } finally {
      delete process.env['REDIS_CLUSTER_NODES'];
      delete process.env['REDIS_KEY_PREFIX'];
    }
    expect(await create({ clusterNodes: testClusterNodes() }).get(`${keyPrefix}a`)).toBe('1');
  });

  it.each([
    ['master', 'master'],
    ['replica', 'slave'],
    ['any', 'all'],
    [undefined, 'master'],
  ] as const)('with readFrom: %s reads are answered by %s', async (readFrom, scaleReads) => {
    const cluster = create({ clusterNodes: testClusterNodes(), readFrom });
    expect(cluster.options.scaleReads).toBe(scaleReads);
    await answered(cluster);
    expect(await cluster.get(uniquePrefix())).toBeNull();
  });

  it('looks for its nodes no more once it is closed, even while it is looking, and neither does what listens to news', async () => {
    const cluster = create({ clusterNodes: testClusterNodes(), clusterOptions: { slotsRefreshInterval: 20 } });
    const listeners: Cluster[] = [];
    const duplicate = cluster.duplicate.bind(cluster);
    cluster.duplicate = (...options) => {
      listeners.push(closedLater(duplicate(...options)));
      return listeners[0] as Cluster;
    };
    createSubscriber(cluster, uniquePrefix(), () => undefined).start();
    for (const each of [...listeners, cluster]) {
      const looks = closedWhileLooking(each);
      await eventually('a look', () => (looks() > 0 ? true : undefined));
      await sleep(150);
      expect(looks()).toBe(1);
    }
    expect(listeners).toHaveLength(1);
  });

  it('passes options of the Cluster and of its connections through', () => {
    const cluster = create({
      clusterNodes: testClusterNodes(),
      clusterOptions: { maxRedirections: 3 },
      redisOptions: { connectionName: 'mine' },
    });
    expect(cluster.options).toMatchObject({ maxRedirections: 3, redisOptions: { connectionName: 'mine' } });
  });
});

describe('createRedis on a Cluster in trouble', () => {
  let cluster: RedisCluster;
  let redis: Cluster;
  let master: RedisProcess;
  let key: string;

  beforeAll(async () => {
    cluster = await startCluster({ nodeTimeoutMs: 1_000 });
    master = cluster.processes[0] as RedisProcess;
    key = keyInFirstThird();
    redis = create({ clusterNodes: cluster.nodes });
    await redis.set(key, '1');
  });
  afterAll(() => cluster.stop());

  it('uses a master again within a second of its restart', async () => {
    await master.kill();
    await sleep(200);
    await master.restart();
    await untilServed(cluster.processes, key);
    expect(await backAfter(redis, key)).toBeLessThan(SOON_MS);
  });

  it('gives what waits for a frozen master to the one that takes over', async () => {
    await untilReplicated(redis);
    const frozen = await untilServed(cluster.processes, key);
    frozen.freeze();
    try {
      const waiting = redis.set(key, '2');
      await untilServed(
        cluster.processes.filter((process) => process !== frozen),
        key,
      );
      const takenOverAt = runningTime();
      expect(await backAfter(redis, key)).toBeLessThan(SOON_MS);
      await expect(waiting).resolves.toBe('OK');
      expect(runningTime() - takenOverAt).toBeLessThan(SOON_MS + 300);
    } finally {
      frozen.thaw();
    }
  });

  it('is back within a second of a Cluster that was away altogether, for clients old and new', async () => {
    const logger = collectingLogger();
    const before = create({ clusterNodes: cluster.nodes });
    await answered(before, key);
    await Promise.all(cluster.processes.map((process) => process.kill()));
    const after = create({ clusterNodes: cluster.nodes, logger });
    await sleep(1_000);
    await Promise.all(cluster.processes.map((process) => process.restart()));
    await untilServed(cluster.processes, key);
    const times = await Promise.all([backAfter(before, key), backAfter(after, key)]);
    expect(Math.max(...times)).toBeLessThan(SOON_MS);
    const lines = logger.warnings.filter((line) => line.startsWith('The Redis Cluster'));
    expect(lines).toEqual([expect.stringMatching(/^The Redis Cluster does not answer \(.+: .+\)\./)]);
    expect(logger.infos).toContainEqual(expect.stringMatching(/^The Redis Cluster answers again after/));
  });
});

function keyInFirstThird(): string {
  for (let i = 0; ; i++) if (calculateSlot(`key:${i}`) < 5_000) return `key:${i}`;
}

/** Resolves with the process that takes writes for the key, as soon as one does. Asks the servers themselves, not the client under test. */
async function untilServed(processes: readonly RedisProcess[], key: string): Promise<RedisProcess> {
  const clients = processes.map(({ host, port }) => closedLater(new Redis({ host, port, retryStrategy: () => 20 })));
  try {
    return await eventually('a server that takes writes', async () => {
      const replies = await Promise.all(
        clients.map((client) => Promise.race([client.set(key, '1').catch(() => 'refused'), sleep(100, 'silent')])),
      );
      return processes[replies.indexOf('OK')];
    });
  } finally {
    for (const client of clients) client.disconnect();
  }
}

/** Only a replica that is up to date may take over. */
async function untilReplicated(redis: Cluster): Promise<void> {
  await eventually('replicas', async () => {
    const infos = await Promise.all(redis.nodes('master').map((node) => node.info('replication')));
    return infos.every((info) => /slave0:.*state=online/.test(info)) || undefined;
  });
}
