import { describe, expect, it } from '@jest/globals';
import calculateSlot from 'cluster-key-slot';
import { type Cluster, type Command, Redis } from 'ioredis';
import { closedLater, testCluster, testClusterNodes, uniquePrefix } from '../support/connections.ts';
import { openProcess, type Process, until } from '../register/processes.ts';

const COUNTED = /^cmdstat_(get|zrangebyscore|evalsha):calls=(\d+)/gm;

async function open(client: Cluster): Promise<Process> {
  const process = openProcess(client, { prefix: uniquePrefix() });
  const stamp = await process.stampNow();
  const draft = { key: 'd:k', tags: [], flags: 0, freshMs: 60_000, staleMs: 0, computeMs: 0, metadata: '' };
  await process.store.write('d:k', { ...draft, stamp, body: Buffer.from('body') });
  await until(async () => (await process.store.read('d:k')).found !== undefined); // Replicas lag.
  return process;
}

/** Commands that every node of the Cluster has run, by its port. */
async function countAll(): Promise<Map<number, Record<string, number>>> {
  const nodes = testClusterNodes().map(({ host, port }) => closedLater(new Redis({ host, port })));
  return new Map(
    await Promise.all(
      nodes.map(async (node): Promise<[number, Record<string, number>]> => {
        const found = [...(await node.info('commandstats')).matchAll(COUNTED)];
        return [node.options.port ?? 0, Object.fromEntries(found.map(([, name, calls]) => [name, Number(calls)]))];
      }),
    ),
  );
}

/** What the nodes ran meanwhile, without the background noise of other tests as long as `times` is large. */
async function increases(work: () => Promise<unknown>): Promise<(port: number, command: string) => number> {
  const before = await countAll();
  await work();
  const after = await countAll();
  return (port, command) => (after.get(port)?.[command] ?? 0) - (before.get(port)?.[command] ?? 0);
}

function masterPort(client: Cluster, key: string): number {
  return Number(client.slots[calculateSlot(key)]?.[0]?.split(':').at(-1));
}

const TIMES = 2_000;

async function readOften({ store }: Process): Promise<void> {
  for (let i = 0; i < TIMES / 20; i++) {
    const found = await Promise.all(Array.from({ length: 20 }, async () => store.read('d:k')));
    expect(found.every((lookup) => lookup.found !== undefined)).toBe(true);
  }
}

describe('a hit on a Cluster', () => {
  it('is a GET at one master, and a question shared by the turn at the master of the register', async () => {
    const client = testCluster();
    const process = await open(client);
    const increase = await increases(() => readOften(process));
    expect(increase(masterPort(client, process.keys.entry('d:k')), 'get')).toBeGreaterThanOrEqual(TIMES);
    const asked = increase(masterPort(client, process.keys.register), 'zrangebyscore');
    expect(asked).toBeGreaterThanOrEqual(TIMES / 20);
    expect(asked).toBeLessThan(TIMES / 2);
  });

  it('reads entries from replicas where you want that, and still asks the register at its master', async () => {
    const client = testCluster({ scaleReads: 'slave' });
    const process = await open(client);
    const entryMaster = masterPort(client, process.keys.entry('d:k'));
    const registerMaster = masterPort(client, process.keys.register);
    const increase = await increases(() => readOften(process));

    expect(increase(entryMaster, 'get')).toBeLessThan(TIMES);
    const replicas = testClusterNodes()
      .map(({ port }) => port)
      .filter((port) => port !== entryMaster);
    expect(Math.max(...replicas.map((port) => increase(port, 'get')))).toBeGreaterThanOrEqual(TIMES);
    expect(increase(registerMaster, 'evalsha')).toBeGreaterThanOrEqual(TIMES / 20);
    const stamp = await process.stampNow();
    for (let i = 0; i < 100; i++) {
      await process.purgeTags('a');
      expect(await process.verdictOn(stamp, ['a'])).toBe('dead');
    }
  });

  it('asks no replica what was set or deleted last', async () => {
    const asked: string[] = [];
    const client = testCluster({
      scaleReads(nodes: Redis[], { name }: Command) {
        asked.push(name);
        return nodes.slice(1);
      },
    });
    const { store } = openProcess(client, { prefix: uniquePrefix() });
    expect(await store.version('d:k')).toBe('');
    const marked = await store.version('d:k', 'mark');
    expect([await store.version('d:k'), await store.version('d:k', 'mark')]).toEqual([marked, marked]);
    await store.remove('d:k');
    expect(await store.version('d:k')).not.toBe(marked);
    expect(asked).toEqual([]);
  });
});
