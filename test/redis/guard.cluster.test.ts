import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from 'ioredis';
import { nodeOf } from '../../src/redis/client.ts';
import { closedLater } from '../support/connections.ts';
import { type RedisCluster, startCluster } from '../support/redis-server.ts';
import { type Guarded, guarded, type Outcome, summary, until } from './guarded.ts';

describe('guarded calls on a Cluster', () => {
  let cluster: RedisCluster;
  let client: Cluster;

  beforeAll(async () => {
    // So patient that the Cluster itself does not notice a frozen node.
    cluster = await startCluster({ replicasPerMaster: 0, nodeTimeoutMs: 60_000 });
    client = closedLater(new Cluster([...cluster.nodes]));
    await client.get('a');
  });
  afterAll(async () => {
    client.disconnect();
    await cluster.stop();
  });

  /** One key of every master. */
  function keys(): Map<string, string> {
    const byNode = new Map<string, string>();
    for (let i = 0; byNode.size < 3; i++) byNode.set(nodeOf(client, `key:${i}`), `key:${i}`);
    return byNode;
  }

  function get(g: Guarded, key: string): Promise<Outcome> {
    return g.call(key, () => client.get(key));
  }

  it('knows which master answers for which key', () => {
    expect([...keys().keys()].toSorted()).toEqual(cluster.nodes.map(({ host, port }) => `${host}:${port}`).toSorted());
  });

  it('leave the other masters alone when one is frozen', async () => {
    const g = guarded(client, { maxInFlight: 50 });
    const [frozen, ...well] = [...keys()];
    if (frozen === undefined) throw new Error('unreachable');
    const server = cluster.processes.find(({ port }) => frozen[0].endsWith(`:${port}`));
    server?.freeze();
    try {
      const outcomes = await Promise.all(Array.from({ length: 100 }, () => get(g, frozen[1])));
      expect(summary(outcomes)).toEqual({ timeout: 50, ERR_REDIS: 50 });
      expect(summary([await get(g, frozen[1])])).toEqual({ ERR_CIRCUIT_OPEN: 1 });
      const others: Outcome[] = [];
      for (let i = 0; i < 50; i++) for (const [, key] of well) others.push(await get(g, key));
      expect(summary(others)).toEqual({ reply: 100 });
      expect(Math.max(...others.map(({ tookMs }) => tookMs))).toBeLessThan(60);
      expect(g.incidents).toEqual([`degraded ${frozen[0]}`]);
    } finally {
      server?.thaw();
    }
    await until('recovery', () => g.incidents.length === 2);
    expect(g.incidents).toEqual([`degraded ${frozen[0]}`, `recovered ${frozen[0]}`]);
    expect(summary([await get(g, frozen[1])])).toEqual({ reply: 1 });
  });

  it('wait for the first connection, and for no longer than the deadline', async () => {
    const fresh = closedLater(new Cluster([...cluster.nodes]));
    const g = guarded(fresh, { deadlineMs: 2_000 });
    expect(summary(await Promise.all(['a', 'b', 'c'].map((key) => g.call(key, () => fresh.get(key)))))).toEqual({
      reply: 3,
    });
    const nowhere = closedLater(
      new Cluster([{ host: '127.0.0.1', port: 1 }], {
        clusterRetryStrategy: () => 100,
        redisOptions: { disconnectTimeout: 50 },
      }),
    );
    const without = guarded(nowhere);
    const outcomes: Outcome[] = [];
    for (let i = 0; i < 20; i++) outcomes.push(await without.call('a', () => nowhere.get('a')));
    expect(Math.max(...outcomes.map(({ tookMs }) => tookMs))).toBeLessThan(160);
    expect(without.incidents).toEqual(['degraded cluster']);
  });
});
