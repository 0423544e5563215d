import { afterAll, describe, expect, it, jest } from '@jest/globals';
import type { Cluster, Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLeases, type LeaseOutcome, type Leases } from '../../src/cache/leases.ts';
import { renewLease } from '../../src/cache/renew-lease.lua.ts';
import { connectionOf } from '../../src/redis/connection.ts';
import { createKeys, type Keys } from '../../src/redis/keys.ts';
import { closedLater, uniquePrefix } from '../support/connections.ts';

type Lease = Awaited<ReturnType<Leases['ask']>>;

const GROUP = '0-';
const opened: Leases[] = [];

afterAll(() => {
  for (const leases of opened) leases.close();
});

/** Leases of one process, on a connection of its own. */
export function openLeases(client: Redis | Cluster, keys: Keys, deadlineMs = 2_000): Leases {
  const leases = createLeases(connectionOf(client, deadlineMs), keys);
  opened.push(leases);
  return leases;
}

/** The lease, which must be the asker's. */
export async function mine(asked: Promise<Lease>): Promise<Extract<Lease, { state: 'mine' }>> {
  const lease = await asked;
  if (lease.state !== 'mine') throw new Error(`It is ${lease.state}`);
  return lease;
}

/** The lease, which must be another's. */
export async function theirs(asked: Promise<Lease>): Promise<Extract<Lease, { state: 'theirs' }>> {
  const lease = await asked;
  if (lease.state !== 'theirs') throw new Error(`It is ${lease.state}`);
  return lease;
}

/** What leases promise on any Redis. */
export function describeLeases(where: string, connect: () => Redis | Cluster): void {
  const clients = [0, 1].map(() => closedLater(connect()));

  function scene(): { one: Leases; other: Leases; keys: Keys; client: Redis | Cluster } {
    const keys = createKeys(uniquePrefix());
    const [a = connect(), b = connect()] = clients;
    return { one: openLeases(a, keys), other: openLeases(b, keys), keys, client: a };
  }

  describe(`leases on ${where}`, () => {
    it.each<LeaseOutcome>(['stored', 'refused', 'failed', 'left'])(
      'tell those who wait that it was %s',
      async (end) => {
        const { one, other } = scene();
        const warmUp = await mine(one.ask('warm-up', { group: GROUP, seen: undefined }));
        await (
          await theirs(other.ask('warm-up', { group: GROUP, seen: undefined }))
        ).ended; // It listens from now on.
        warmUp.settle('stored');
        let told: unknown[] = [];
        // A message that takes longer than a moment counts as lost, and a busy machine may lose some: not all.
        for (let attempt = 0; attempt < 20 && told.join() !== [end, end].join(); attempt++) {
          const lease = await mine(one.ask(`k${attempt}`, { group: GROUP, seen: undefined }));
          const waits = await Promise.all(
            [1, 2].map(() => theirs(other.ask(`k${attempt}`, { group: GROUP, seen: undefined }))),
          );
          lease.settle(end);
          told = await Promise.all(waits.map(({ ended }) => ended));
        }
        expect(told).toEqual([end, end]);
        (await mine(other.ask('k0', { group: GROUP, seen: undefined }))).settle('stored');
      },
    );

    it('are one for each address and group, also within a process', async () => {
      const { one, other } = scene();
      const states: string[] = [];
      for (const [leases, address, group] of [
        [one, 'k', GROUP],
        [one, 'k', GROUP],
        [other, 'k', GROUP],
        [other, 'k', '0+'],
        [other, 'l', GROUP],
      ] as const) {
        states.push((await leases.ask(address, { group, seen: undefined })).state);
      }
      expect(states).toEqual(['mine', 'theirs', 'theirs', 'mine', 'mine']);
    });

    it('are not given to whoever has not seen the entry that is there', async () => {
      const { one, other, keys, client } = scene();
      const entry = Buffer.alloc(80, 7);
      await client.set(keys.entry('k'), entry);
      expect(await one.ask('k', { group: GROUP, seen: undefined })).toEqual({ state: 'changed' });
      expect(await one.ask('k', { group: GROUP, seen: Buffer.alloc(80, 8) })).toEqual({ state: 'changed' });
      await mine(one.ask('k', { group: GROUP, seen: entry }));
      await theirs(other.ask('k', { group: GROUP, seen: entry.subarray(0, 60) }));
      await client.del(keys.entry('k'));
      expect(await other.ask('k', { group: GROUP, seen: entry })).toEqual({ state: 'changed' });
    });

    it('let those ask again who are told nothing', async () => {
      const { one, other, keys, client } = scene();
      await mine(one.ask('k', { group: GROUP, seen: undefined }));
      const wait = await theirs(other.ask('k', { group: GROUP, seen: undefined }));
      await client.del(keys.lease('k', GROUP)); // As when it runs out.
      expect(await wait.ended).toBeUndefined();
      await mine(other.ask('k', { group: GROUP, seen: undefined }));
    });

    it('run out after three seconds at most, and are renewed until they are settled', async () => {
      const { one, keys, client } = scene();
      const lease = await mine(one.ask('k', { group: GROUP, seen: undefined }));
      const key = keys.lease('k', GROUP);
      expect(await client.pttl(key)).toBeLessThanOrEqual(3_000);
      await client.pexpire(key, 1_900);
      await sleep(1_300);
      expect(await client.pttl(key)).toBeGreaterThan(1_900);
      lease.settle('stored');
      await sleep(50);
      expect(await client.exists(key)).toBe(0);
    });

    it('name what was last put there, until what was computed is stored or is not', async () => {
      const { one, keys, client } = scene();
      const name = keys.tombstone('k');
      const stored = await mine(one.ask('k', { seen: undefined, mark: true }));
      expect([stored.version, await client.get(name)]).toEqual([stored.version || 'a name', stored.version]);
      expect(await client.pttl(name)).toBeGreaterThan(0);
      stored.settle('stored'); // What is on its way to the store goes by it.
      const lost = await mine(one.ask('k', { seen: undefined, mark: true }));
      expect([lost.version, await client.get(name)]).toEqual([stored.version, stored.version]);
      await client.del(name);
      const failed = await mine(one.ask('l', { seen: undefined, mark: true }));
      failed.settle('failed');
      (await mine(one.ask('l', { seen: undefined }))).settle('failed');
      expect(await client.exists(keys.tombstone('l'))).toBe(0);
      await client.set(keys.tombstone('m'), 'put');
      const after = await mine(one.ask('m', { seen: undefined, mark: true }));
      after.settle('failed');
      (await mine(one.ask('m', { seen: undefined }))).settle('failed');
      expect([after.version, await client.get(keys.tombstone('m'))]).toEqual(['put', 'put']);
    });

    it('are given back when the computation takes too long, and leave nothing behind', async () => {
      const { one, other, keys } = scene();
      const forgotten = jest.spyOn(Map.prototype, 'delete');
      const begun = jest.spyOn(globalThis, 'setInterval');
      const ended = jest.spyOn(globalThis, 'clearInterval');
      await mine(one.ask('k', { seen: undefined, maxHeldMs: 1 }));
      expect(forgotten.mock.calls.flat()).toContain(keys.lease('k', ''));
      const renewal = begun.mock.results.at(-1)?.value as NodeJS.Timeout;
      forgotten.mockRestore();
      await sleep(1_200);
      await mine(other.ask('k', { seen: undefined }));
      expect(ended.mock.calls.flat()).toContain(renewal);
      jest.restoreAllMocks();
    });

    it('close what listens, and open it no more', async () => {
      const { one, other, client } = scene();
      const opened = jest.spyOn(client as Redis, 'duplicate');
      await mine(other.ask('k', { seen: undefined }));
      await (
        await theirs(one.ask('k', { seen: undefined }))
      ).ended;
      one.close();
      await (
        await theirs(one.ask('k', { seen: undefined }))
      ).ended;
      const [listener, ...others] = opened.mock.results.map(({ value }) => value as Redis);
      opened.mockRestore();
      expect(listener?.status).toMatch(/^(?:close|end)$/);
      expect(others).toEqual([]);
    });

    it('cannot be given back by those who have lost them', async () => {
      const { one, other, keys, client } = scene();
      const lost = await mine(one.ask('k', { group: GROUP, seen: undefined }));
      await client.del(keys.lease('k', GROUP));
      await mine(other.ask('k', { group: GROUP, seen: undefined }));
      const lease = keys.lease('k', GROUP);
      expect(await renewLease(client, { lease }, { owner: 'who has lost it', ttlMs: 60_000 })).toBe(0);
      lost.settle('stored');
      await sleep(50);
      expect((await one.ask('k', { group: GROUP, seen: undefined })).state).toBe('theirs');
    });

    it('go on when scripts are forgotten, and when nobody listens', async () => {
      const { one, other, client } = scene();
      const nodes =
        'nodes' in client && typeof client.nodes === 'function' ? client.nodes('master') : [client as Redis];
      await Promise.all(nodes.map((node) => node.script('FLUSH')));
      const lease = await mine(one.ask('k', { group: GROUP, seen: undefined }));
      other.close();
      const wait = await theirs(other.ask('k', { group: GROUP, seen: undefined }));
      await Promise.all(nodes.map((node) => node.script('FLUSH')));
      lease.settle('stored');
      expect(['stored', undefined]).toContain(await wait.ended);
      await mine(other.ask('k', { group: GROUP, seen: undefined }));
    });

    it('are done without where something else stands in the place of an entry or a lease', async () => {
      const { one, keys, client } = scene();
      await client.lpush(keys.entry('k'), 'x');
      await client.set(keys.lease('l', GROUP), 'x');
      expect(await one.ask('k', { group: GROUP, seen: undefined })).toEqual({ state: 'unavailable' });
      expect(await one.ask('l', { group: GROUP, seen: undefined })).toEqual({ state: 'unavailable' });
    });
  });
}
