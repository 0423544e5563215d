import { describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { toRegisterPage } from '../../src/register/register-reply.ts';
import { createRegisterSync, type RegisterSync } from '../../src/register/register-sync.ts';
import { bumpModel, rangeModel, type RegisterModel } from './register-model.ts';

interface Server {
  readonly asked: string[];
  isDown: boolean;
  latencyMs: number;
  register: RegisterModel;
  bump(members: readonly string[], minClock?: number, floor?: number): ReturnType<typeof bumpModel>['reply'];
}

/** A register in this process, and a mirror kept in step with it. */
function open(maxStalenessMs = 0, cap = 1_000): { server: Server; sync: RegisterSync } {
  let generation = 1;
  const server: Server = {
    asked: [],
    isDown: false,
    latencyMs: 0,
    register: new Map(),
    bump(members, minClock = 0, raiseFloorTo = 0) {
      const args = { newGeneration: generation++, minClock, raiseFloorTo, retentionUs: 1e15, cap, members, now: 1 };
      const { after, reply } = bumpModel(server.register, args);
      server.register = after;
      return reply;
    },
  };
  async function answer<T>(what: string, ask: () => T): Promise<T | undefined> {
    server.asked.push(what);
    const reply = server.isDown ? undefined : ask();
    if (server.latencyMs > 0) await sleep(server.latencyMs);
    return reply;
  }
  const reads = {
    page: (from: number | '-inf', limit: number) =>
      answer('page', () => toRegisterPage(rangeModel(server.register, from === '-inf' ? -Infinity : from, limit))),
    bump: (members: readonly string[], minClock: number, floor: number) =>
      answer('bump', () => server.bump(members, minClock, floor)),
  };
  const atEndOfTurn = (task: () => void): void => void setImmediate(task);
  const sync = createRegisterSync({ reads, maxStalenessMs, deadlineMs: 200, atEndOfTurn, onSynced: () => undefined });
  return { server, sync };
}

describe('keeping the mirror in step', () => {
  it('asks nothing before the first read, then opens the register, reads it, and asks once more', async () => {
    const { server, sync } = open();
    expect(sync.mirror).toBeUndefined();
    expect(await sync.refresh()).toBe(true);
    expect(server.asked).toEqual(['bump', 'page', 'page']);
    server.asked.length = 0;
    expect(await sync.refresh()).toBe(true);
    expect(server.asked).toEqual(['page']);
  });

  it('shares one question among the reads of a turn, sent after them, and none with later reads', async () => {
    const { server, sync } = open();
    await sync.refresh();
    server.asked.length = 0;
    const first = sync.refresh();
    expect(sync.refresh()).toBe(first);
    expect(server.asked).toEqual([]);
    await nextTurn();
    const later = sync.refresh();
    expect(later).not.toBe(first);
    await Promise.all([first, later]);
    expect(server.asked).toEqual(['page', 'page']);
  });

  it('says false when nothing answers, and asks anew each time', async () => {
    for (const maxStalenessMs of [0, 60_000]) {
      const { server, sync } = open(maxStalenessMs);
      server.isDown = true;
      expect(await sync.refresh()).toBe(false);
      server.isDown = false;
      expect(await sync.refresh()).toBe(true);
      server.isDown = true;
      sync.distrust();
      expect(await sync.refresh()).toBe(false);
      server.isDown = false;
      expect(await sync.refresh()).toBe(true);
    }
  });

  it('says false at the deadline, and uses what comes later', async () => {
    const { server, sync } = open(60_000);
    server.latencyMs = 80;
    expect(await sync.refresh()).toBe(false); // Three answers take longer than the deadline.
    await sleep(200);
    expect(sync.refresh()).toBe(true);
  });

  it('does not rely on an answer from before it had doubts', async () => {
    const { server, sync } = open(60_000);
    await sync.refresh();
    server.latencyMs = 10;
    sync.tell(Infinity);
    const before = sync.refresh(); // On its way while the connection breaks.
    await nextTurn();
    await nextTurn();
    sync.distrust();
    server.asked.length = 0;
    server.latencyMs = 20;
    const after = sync.refresh();
    expect(await before).toBe(true);
    expect(server.asked.slice(0, 3)).toEqual(['bump', 'page', 'page']); // It waited until the register was loaded again.
    expect(await after).toBe(true);
  });

  it('applies what this process wrote itself without asking', async () => {
    const { server, sync } = open(60_000);
    await sync.refresh();
    sync.applyOwn(['hta'], server.bump(['hta']));
    expect(sync.refresh()).toBe(true);
    expect(sync.mirror?.members().has('hta')).toBe(true);
    expect(sync.mirror?.syncedClock).toBe(sync.mirror?.newestClock);
    server.bump(['htb']);
    sync.applyOwn(['htc'], server.bump(['htc']));
    expect([...(sync.mirror?.members().keys() ?? [])]).toEqual(['hta', 'htc']); // Of `b` it does not know yet,
    sync.tell(Infinity);
    await sync.refresh();
    expect([...(sync.mirror?.members().keys() ?? [])].toSorted()).toEqual(['hta', 'htb', 'htc']); // and it asks from before `b`.
  });

  it('loads again when its own write shows another register, or an older clock', async () => {
    const { server, sync } = open(60_000);
    await sync.refresh();
    const old = sync.mirror?.generation;
    server.register = new Map();
    sync.applyOwn(['hta'], server.bump(['hta']));
    expect(sync.refresh()).not.toBe(true);
    await sync.refresh();
    expect(sync.mirror?.generation).not.toBe(old);
    const copy = server.register;
    sync.applyOwn(['htb'], server.bump(['htb']));
    server.register = copy;
    sync.applyOwn(['htc'], server.bump(['htc'])); // From a clock below the one that is known.
    expect(await sync.refresh()).toBe(true);
    expect([...(sync.mirror?.members().keys() ?? [])].toSorted()).toEqual(['hta', 'htb', 'htc']);
    expect(server.register.has('htb')).toBe(true);
  });

  it.each([
    ['a record', ['htc'], 0, 'valid'],
    ['a floor', [], 3, 'dead'],
  ] as const)(
    'takes %s that was written below its clock, after a failover had lost the latest, for newer than what it has computed',
    async (_, members, floor, otherVerdict) => {
      const { server, sync } = open();
      server.bump(['hta']);
      const copy = server.register;
      for (const member of ['htb', 'htb2']) server.bump([member]);
      await sync.refresh();
      const { mirror } = sync;
      const stamp = { generation: mirror?.generation ?? 0, clock: mirror?.syncedClock ?? 0 };
      server.register = copy;
      const { clock } = server.bump(members, 0, floor); // By a process that knew as little as the register.
      expect(clock).toBeLessThanOrEqual(stamp.clock);
      sync.distrust();
      expect(await sync.refresh()).toBe(true);
      const verdictOn = (tag: string): unknown => sync.mirror?.judge(stamp, () => ({ key: 'd:key', tags: [tag] }));
      expect([verdictOn('c'), verdictOn('other')]).toEqual(['dead', otherVerdict]);
      expect(server.register.has('htb')).toBe(floor === 0);
    },
  );

  it('makes one floor of many thousand records that were lost', async () => {
    const { server, sync } = open(0, 20_000);
    await sync.refresh();
    const copy = server.register;
    server.bump(Array.from({ length: 10_001 }, (_, i) => `ht${i}`));
    await sync.refresh();
    const stamp = { generation: sync.mirror?.generation ?? 0, clock: 1 };
    server.register = copy;
    expect(await sync.refresh()).toBe(true);
    expect(sync.mirror?.judge(stamp, () => ({ key: 'd:key', tags: [] }))).toBe('dead');
    expect(server.register.size).toBeLessThan(10);
  });

  it('keeps no more records than the register does', async () => {
    const { server, sync } = open(0, 50);
    for (let i = 0; i < 500; i++) {
      server.bump([`ht${i}`]);
      await sync.refresh();
      expect(sync.mirror?.members().size).toBeLessThanOrEqual(50 + 1);
    }
    expect(sync.mirror?.floor).toBeGreaterThan(0);
  });
});
