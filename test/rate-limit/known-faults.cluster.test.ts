import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { createRedis } from '../../src/index.ts';
import { nodeOf } from '../../src/redis/client.ts';
import { closedLater, uniquePrefix } from '../support/connections.ts';
import { collectingLogger } from '../support/outages.ts';
import { type RedisCluster, type RedisProcess, startCluster } from '../support/redis-server.ts';
import { surviveFailover } from './failover.ts';
import { KNOWN_ATTACKS } from './known-attacks.ts';
import { FAULTS_OF_PEERS, type Servers } from './known-faults.ts';
import { suiteOf } from './support.ts';

let cluster: RedisCluster;
let servers: Servers;

function connect(): Cluster {
  const client = createRedis({ clusterNodes: cluster.nodes, preset: 'production', logger: collectingLogger() });
  if (!(client instanceof Cluster)) throw new Error('unreachable');
  return closedLater(client);
}

beforeAll(async () => {
  cluster = await startCluster({ nodeTimeoutMs: 60_000 });
  servers = { processes: cluster.processes, connect };
});
afterAll(() => cluster.stop());

describe('what other limiters do wrong, on a Cluster', () => {
  it.each(FAULTS_OF_PEERS)('%s', async (_name, check) => {
    expect.hasAssertions();
    await check(servers);
  });
});

describe('attacks on limits, on a Cluster', () => {
  it.each(KNOWN_ATTACKS)('%s', async (_name, check) => {
    expect.hasAssertions();
    await check(servers);
  });
});

describe('a Cluster with one frozen master', () => {
  it('decides for clients of the others as ever', async () => {
    const client = connect();
    const prefix = uniquePrefix();
    const limiter = suiteOf({ redis: client, prefix, deadline: '1s' }).rateLimiter({ limit: 1, window: '1h' });
    await limiter.take('warm');
    const settingsNode = nodeOf(client, `${prefix}:rl:{default}:settings`);
    const nodeOfKey = (key: string): string => nodeOf(client, `${prefix}:rl:{default:${key}}:!`);
    const clients = Array.from({ length: 60 }, (_, i) => `c${i}`);
    const frozen = cluster.processes.find(({ host, port }) => {
      const node = `${host}:${port}`;
      return node !== settingsNode && clients.some((key) => nodeOfKey(key) === node);
    });
    const well = clients.filter((key) => nodeOfKey(key) !== `${frozen?.host}:${frozen?.port}`);
    frozen?.freeze();
    try {
      const results = await Promise.all(clients.map((key) => limiter.take(key)));
      expect(results.filter(({ allowed }) => allowed)).toHaveLength(60);
      expect(limiter.stats().withoutRedis).toBe(60 - well.length);
      const again = await Promise.all(well.map((key) => limiter.take(key)));
      expect(again.filter(({ allowed }) => allowed)).toHaveLength(0);
    } finally {
      frozen?.thaw();
    }
  });
});

describe('a Cluster that loses a master', () => {
  function processAt(node: string): RedisProcess {
    const found = cluster.processes.find(({ host, port }) => `${host}:${port}` === node);
    if (found === undefined) throw new Error(`No process at ${node}`);
    return found;
  }

  /** At once: waiting until the others have agreed is not what this is about. */
  async function promote(lost: RedisProcess): Promise<void> {
    const others = cluster.processes.filter((each) => each !== lost);
    const admins = others.map(({ port }) => closedLater(new Redis({ port, disconnectTimeout: 50 })));
    const infos = await Promise.all(admins.map((admin) => admin.info('replication')));
    await admins[infos.findIndex((info) => info.includes(`master_port:${lost.port}\r`))]?.cluster(
      'FAILOVER',
      'TAKEOVER',
    );
  }

  it('goes on, and counts on once its replica has taken over', async () => {
    expect.hasAssertions();
    await surviveFailover({ connect, masterOf: (client, key) => processAt(nodeOf(client, key)), promote });
  });
});
