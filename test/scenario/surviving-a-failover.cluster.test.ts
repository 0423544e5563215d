import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import calculateSlot from 'cluster-key-slot';
import { Cluster, Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRedis } from '../../src/index.ts';
import { nodeOf } from '../../src/redis/client.ts';
import { createKeys } from '../../src/redis/keys.ts';
import { closedLater } from '../support/connections.ts';
import { collectingLogger, eventually } from '../support/outages.ts';
import { type RedisCluster, type RedisProcess, startCluster } from '../support/redis-server.ts';
import { until } from '../redis/guarded.ts';
import { moveSlot } from './slots.ts';
import { atOnce, delayOf, hitAfter, oneByOne, openShop, type Shop, showInTurn } from './shop.ts';
import { openPatient, survive } from '../session/failover.ts';
import { runningTime } from '../support/running-time.ts';

const keys = createKeys('shop');
const names = Array.from({ length: 40 }, (_, i) => `name:${i}`);

describe('on a Cluster', () => {
  let cluster: RedisCluster;
  let client: Cluster;
  let shop: Shop;

  beforeAll(async () => {
    cluster = await startCluster({ nodeTimeoutMs: 1_500 });
    const created = createRedis({ clusterNodes: cluster.nodes, preset: 'production', logger: collectingLogger() });
    if (!(created instanceof Cluster)) throw new Error('unreachable');
    client = closedLater(created);
    shop = await openShop(client);
    await hitAfter(shop, 'a');
  });
  afterAll(async () => {
    await shop.close();
    await cluster.stop();
  });

  function masterOf(key: string): RedisProcess {
    const node = nodeOf(client, key);
    const process = cluster.processes.find(({ host, port }) => `${host}:${port}` === node);
    if (process === undefined) throw new Error(`No process at ${node}`);
    return process;
  }

  it('slots that move, the register and a page in them, make nothing stale and nothing fail', async () => {
    const elsewhere = await openShop(closedLater(new Cluster([...cluster.nodes])), { deadline: '2s' });
    const patient = await openShop(closedLater(new Cluster([...cluster.nodes])), { deadline: '2s' });
    await hitAfter(patient, 'a');
    let version = 0;
    async function change(): Promise<void> {
      version++;
      for (const { versions } of [patient, elsewhere]) versions.set('a', version);
      await patient.suite.invalidate(['product:a']);
      const seen = await atOnce(8, (i) => (i % 2 === 0 ? patient : elsewhere).show('a'));
      expect(seen.map((answer) => [answer.status, answer.version])).toEqual(seen.map(() => [200, version]));
    }
    const page = (await clientOf(0).keys('shop:e:*'))
      .concat(await clientOf(1).keys('shop:e:*'), await clientOf(2).keys('shop:e:*'))
      .find((key) => key.includes('/products/a'));
    expect(page).toBeDefined();
    for (const key of [keys.register, String(page)]) {
      const from = cluster.processes.indexOf(masterOf(key));
      await moveSlot(calculateSlot(key), clientOf(from), clientOf((from + 1) % 3), () => oneByOne(3, change));
      expect(await hitAfter(elsewhere, 'a')).toBeLessThan(1_500);
    }
    await Promise.all([patient.close(), elsewhere.close()]);
  });

  function clientOf(node: number): Redis {
    const { host, port } = cluster.processes[node] ?? {};
    return closedLater(new Redis({ host: String(host), port: Number(port), disconnectTimeout: 50 }));
  }

  it('a frozen master concerns its own keys only, and nothing waits for it any more', async () => {
    const register = masterOf(keys.register);
    const frozen = masterOf(keys.entry('d:k'));
    expect(frozen).not.toBe(register); // By the choice of names.
    const well = names.filter((name) => masterOf(keys.entry(`d:${name}`)) !== frozen);
    for (const name of well) await shop.suite.data.set(name, 'kept');
    frozen.freeze();
    try {
      const first = await atOnce(10, () => shop.suite.data.getOrSet('k', () => 'loaded'));
      expect(new Set(first)).toEqual(new Set(['loaded']));
      const startedAt = runningTime();
      for (const name of well) expect(await shop.suite.data.get(name)).toBe('kept');
      for (let i = 0; i < 20; i++) expect(await shop.suite.data.getOrSet('k', () => i)).toBe(i);
      // Sixty calls; the deadline alone would make two seconds of the twenty.
      expect(runningTime() - startedAt).toBeLessThan(1_000);
      expect(shop.incidents).toEqual([`degraded ${frozen.host}:${frozen.port}`]);
    } finally {
      frozen.thaw();
    }
    await until('recovery', () => shop.incidents.length === 2);
    expect(shop.incidents[1]).toBe(`recovered ${frozen.host}:${frozen.port}`);
    await eventually('a write', async () => (await shop.suite.data.set('k', 'back')) || undefined);
    expect(await eventually('what was written', () => shop.suite.data.get('k'))).toBe('back');
  });

  it('the loss of the master that keeps the register is survived: handlers answer, and its replica takes over', async () => {
    const elsewhere = await openShop(
      closedLater(new Cluster([...cluster.nodes], { redisOptions: { disconnectTimeout: 50 } })),
      { deadline: '2s' },
    );
    await elsewhere.suite.invalidate(['product:a']); // Whatever others have stored.
    await hitAfter(elsewhere, 'a');
    const lost = masterOf(keys.register);
    await lost.kill();
    const asked = atOnce(20, () => shop.show('a'));
    expect(await delayOf(shop, asked)).toBeLessThan(350);
    const answers = await asked;
    const later = await showInTurn(shop, 'a', 20);
    expect(new Set([...answers, ...later.answers].map(({ status, version }) => `${status} ${version}`))).toEqual(
      new Set(['200 0']),
    );
    expect(later.medianDelayMs).toBeLessThan(25);
    expect(await shop.save('a')).toMatchObject({ status: 200, version: 1 });
    elsewhere.versions.set('a', 1);
    expect((await shop.show('a')).version).toBe(1);

    await untilReplaced(lost);
    expect(await hitAfter(shop, 'a')).toBeLessThan(1_500);
    expect((await shop.show('a')).version).toBe(1);
    await hitAfter(elsewhere, 'a');
    expect((await elsewhere.show('a')).version).toBe(1);
    expect(shop.incidents.filter((incident) => incident.startsWith('degraded')).length).toBeLessThanOrEqual(3);
    await elsewhere.close();
  });

  it('the loss of the master that keeps a session is survived: nothing is told as saved that was not', async () => {
    const patient = await openPatient(client);
    const withReplica = new Set(cluster.processes.slice(0, 3)); // Those that took over have none.
    let key = await patient.key();
    while (!withReplica.has(masterOf(key)) || masterOf(key) === masterOf(keys.register)) {
      await patient.user.ask('/login', { method: 'POST' });
      key = await patient.key();
    }
    const lost = masterOf(key);
    const node = client.nodes('master').find(({ options }) => options.port === lost.port);
    expect(await node?.wait(1, 5_000)).toBe(1);
    await survive(patient, () => lost.kill());
  });

  /** Resolves when the surviving nodes agree on another master for the register. */
  async function untilReplaced(lost: RedisProcess): Promise<void> {
    const survivor = cluster.processes.find((process) => process !== lost);
    const asked = closedLater(new Redis({ port: survivor?.port ?? 0, disconnectTimeout: 50 }));
    for (let i = 0; i < 500; i++) {
      const info = await asked.cluster('INFO');
      const slots = JSON.stringify(await asked.cluster('SLOTS'));
      if (info.includes('cluster_state:ok') && !slots.includes(String(lost.port))) return;
      await sleep(20);
    }
    throw new Error('No replica took over within ten seconds');
  }
});
