import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { Cluster, Redis } from 'ioredis';
import { appendRecord } from '../../src/writing/append-record.lua.ts';
import { createRedisWriteLog } from '../../src/writing/redis-write-log.ts';
import type { Claim, WriteLog } from '../../src/writing/write-log.ts';
import { connectionOf } from '../../src/redis/connection.ts';
import { createKeys } from '../../src/redis/keys.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';

const LIMITS = { name: 'log', leaseMs: 60_000, maxPending: 6, maxDeadLetters: 2 } as const;

type Mine = Extract<Claim, { state: 'mine' }>;

/** One of two processes, as they see it. What it holds may be long lost. */
interface Owner {
  readonly log: WriteLog;
  claimed: Mine | undefined;
}

/** What must be so, told by what has been called and how it ended. */
interface Model {
  /** Values in the order in which they are to be handed out. */
  waiting: { key: string; text: string }[];
  /** How many of them have been handed out. */
  out: number;
  dead: { key: string; text: string }[];
  holder: Owner | undefined;
  fence: number;
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('append' as const), key: fc.constantFrom('a', 'b') }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('claim' as const), who: fc.nat(1), count: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('settle' as const), who: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('bury' as const), who: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.constant({ do: 'lose the lease' as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), who: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'revive' as const }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What an owner does that has lost the partition. */
function lostBefore(last: 'settle' | 'bury' | 'release'): Step[] {
  return [
    { do: 'append', key: 'a' },
    { do: 'claim', who: 0, count: 1 },
    { do: 'lose the lease' },
    { do: 'claim', who: 1, count: 1 },
    { do: last, who: 0 },
  ];
}

/** One more than there is room for, given up and asked back. */
const revivedTooEarly: Step[] = [
  ...Array.from({ length: 6 }, () => ({ do: 'append', key: 'a' }) as const),
  { do: 'claim', who: 0, count: 1 },
  { do: 'bury', who: 0 },
  { do: 'append', key: 'b' },
  { do: 'revive' },
];

const lostThenTaken: Step[] = [...lostBefore('release'), { do: 'claim', who: 0, count: 1 }];

/** A partition that was given up with its last record is anybody's. */
const emptied: Step[] = [
  { do: 'append', key: 'a' },
  { do: 'claim', who: 0, count: 1 },
  { do: 'bury', who: 0 },
  { do: 'claim', who: 0, count: 1 },
  { do: 'append', key: 'a' },
  { do: 'claim', who: 1, count: 1 },
];

describe.each([
  ['Redis', 40, (): Redis | Cluster => testRedis()],
  ['Cluster', 12, (): Redis | Cluster => testCluster()],
] as const)('the log of a write-behind on %s', (_name, numRuns, connect) => {
  const connection = connectionOf(connect(), 5_000);
  const { client } = connection;

  it('loses nothing, keeps the order, and heeds no owner who lost the partition', async () => {
    const run = fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const keys = createKeys(uniquePrefix());
        const open = (): Owner => ({
          log: createRedisWriteLog(connection, keys, { ...LIMITS, collapse: 'none' }),
          claimed: undefined,
        });
        const owners = [open(), open()] as const;
        const model: Model = { waiting: [], out: 0, dead: [], holder: undefined, fence: 0 };
        const lose = async (): Promise<void> => void (await client.del(keys.writePartition('log', 0, 'l')));
        for (const [i, one] of steps.entries()) await take(one, { owners, model, lose, text: String(i) });
        await finish(owners[0], model, lose);
      }),
      {
        numRuns,
        examples: [[lostBefore('settle')], [lostBefore('bury')], [lostThenTaken], [emptied], [revivedTooEarly]],
      },
    );
    await expect(run).resolves.toBeUndefined();
  });

  const keys = createKeys(uniquePrefix());
  const log = createRedisWriteLog(connection, keys, { ...LIMITS, collapse: 'last' });
  const claimed = async (partition: number, by = log): Promise<Mine> => {
    const claim = await by.claim(partition, 10, Infinity, false);
    if (claim.state !== 'mine') throw new Error(`It is ${claim.state}`);
    return claim;
  };

  it('keeps a value for as long as its record, and records it once however often a client repeats that', async () => {
    const part = (text: string): string => keys.writePartition('log', 0, text);
    const places = { stream: part('s'), pending: part('p'), value: part('v:vt'), replaceable: part('r') };
    const append = (maxPending: number): Promise<unknown> =>
      appendRecord(client, places, { key: 'a', token: 'vt', maxPending });
    expect(await append(5)).toBe(-1); // There is no value.
    await client.set(places.value, 'x', 'PX', 60_000);
    expect(await append(0)).toBe(0);
    expect(await client.exists(places.value)).toBe(0);
    await client.set(places.value, 'x', 'PX', 60_000);
    expect([await append(5), await append(5)]).toEqual([1, 1]);
    expect(await client.pttl(places.value)).toBe(-1);
  });

  it('keeps a partition at every claim, and for its owner only', async () => {
    const lease = keys.writePartition('log', 1, 'l');
    await log.append(1, { key: 'a', bytes: Buffer.from('x') });
    const { fence } = await claimed(1);
    await client.pexpire(lease, 1_000);
    expect((await claimed(1)).fence).toBe(fence);
    expect(await client.pttl(lease)).toBeGreaterThan(1_000);
    const other = createRedisWriteLog(connection, keys, { ...LIMITS, collapse: 'last' });
    expect([await log.renew(1, fence), await other.renew(1, fence)]).toEqual([true, false]);
  });

  it('forgets what was written with its value, but not what came after it', async () => {
    const write = (text: string): Promise<number> => log.append(3, { key: 'a', bytes: Buffer.from(text) });
    await write('1');
    const { fence, records } = await claimed(3);
    await write('2');
    expect(await log.settle(3, fence, records, 1)).toBe(1);
    expect(await log.latest(3, 'a')).toMatchObject({ bytes: Buffer.from('2') });
    expect(await client.exists(keys.writePartition('log', 3, `v:${records[0]?.token}`))).toBe(0);
  });

  it('forgets dead letters with their values, and only the last of a key is not replaced', async () => {
    for (const text of ['1', '2']) {
      await log.append(4, { key: 'a', bytes: Buffer.from(text) });
      const { fence, records } = await claimed(4);
      for (const record of records) await log.bury(4, fence, { record, error: 'e', attempts: 1 });
    }
    const [first, last] = await log.letters(4, undefined, 10);
    if (first === undefined || last === undefined) throw new Error('There are no letters');
    expect(await log.discard(4, first)).toBe(true);
    expect((await log.letters(4, undefined, 10)).map(({ isReplaced }) => isReplaced)).toEqual([false]);
    await log.append(4, { key: 'a', bytes: Buffer.from('3') });
    expect(await log.revive(4, last)).toBe('replaced');
    const values = [first, last].map(({ token }) => client.exists(keys.writePartition('log', 4, `v:${token}`)));
    expect(await Promise.all(values)).toEqual([0, 0]);
  });

  it('has larger fences though the clock of Redis goes back', async () => {
    const places = ['l', 'f'].map((text) => keys.writePartition('log', 2, text));
    const [lease = '', fence = ''] = places;
    await log.append(2, { key: 'a', bytes: Buffer.from('x') });
    await client.set(fence, '5000000000000000');
    const first = await claimed(2);
    await client.del(lease);
    expect([first.fence, (await claimed(2)).fence]).toEqual(['5000000000000001', '5000000000000002']);
  });
});

interface World {
  readonly owners: readonly [Owner, Owner];
  readonly model: Model;
  readonly lose: () => Promise<void>;
  readonly text: string;
}

async function take(step: Step, { owners, model, lose, text }: World): Promise<void> {
  const owner = 'who' in step ? (owners[step.who] ?? owners[0]) : owners[0];
  const isHolder = owner === model.holder && owner.claimed !== undefined && Number(owner.claimed.fence) === model.fence;
  switch (step.do) {
    case 'append':
      return append(owner, model, step.key, text);
    case 'claim':
      return claim(owner, model, step.count);
    case 'settle':
      return settle(owner, model, isHolder);
    case 'bury':
      return bury(owner, model, isHolder);
    case 'lose the lease':
      await lose();
      model.holder = undefined;
      return;
    case 'release':
      if (owner.claimed === undefined) return;
      await owner.log.release(0, owner.claimed.fence);
      if (isHolder) model.holder = undefined;
      return;
    case 'revive':
      return revive(owner, model);
  }
}

async function append({ log }: Owner, model: Model, key: string, text: string): Promise<void> {
  const isFull = model.waiting.length >= LIMITS.maxPending;
  if (!isFull) model.waiting.push({ key, text });
  expect(await log.append(0, { key, bytes: Buffer.from(text) })).toBe(isFull ? 0 : model.waiting.length);
  const latest = model.waiting.findLast((one) => one.key === key);
  if (!isFull) expect(await log.latest(0, key)).toEqual({ key, bytes: Buffer.from(latest?.text ?? '') });
}

async function claim(owner: Owner, model: Model, count: number): Promise<void> {
  const claimed = await owner.log.claim(0, count, Infinity, count > 1);
  if (model.waiting.length === 0) {
    expect(claimed.state).toBe('empty');
    if (model.holder === owner) model.holder = undefined;
    return;
  }
  if (model.holder !== undefined && model.holder !== owner) return expect(claimed.state).toBe('theirs');
  if (claimed.state !== 'mine') throw new Error(`The partition is free, and ${claimed.state}`);
  const fence = Number(claimed.fence);
  // The same for as long as it stays with one owner, else larger than ever before.
  if (model.holder === owner) expect(fence).toBe(model.fence);
  else expect(fence).toBeGreaterThan(model.fence);
  const expected = model.waiting.slice(0, model.out === 0 ? count : Math.min(count, model.out));
  expect(claimed.records.map(({ key, bytes }) => ({ key, text: bytes?.toString() }))).toEqual(expected);
  model.out = Math.max(model.out, expected.length);
  model.holder = owner;
  model.fence = fence;
  owner.claimed = claimed;
}

async function settle(owner: Owner, model: Model, isHolder: boolean): Promise<void> {
  const { claimed } = owner;
  if (claimed === undefined) return;
  owner.claimed = undefined;
  const left = await owner.log.settle(0, claimed.fence, claimed.records, 1);
  if (!isHolder) return expect(left).toBe(-1);
  const texts = new Set(claimed.records.map(({ bytes }) => bytes?.toString()));
  const before = model.waiting.length;
  model.waiting = model.waiting.filter(({ text }) => !texts.has(text));
  model.out -= before - model.waiting.length;
  expect(left).toBe(model.waiting.length);
  if (left === 0) model.holder = undefined;
}

async function bury(owner: Owner, model: Model, isHolder: boolean): Promise<void> {
  const record = owner.claimed?.records[0];
  if (record === undefined || owner.claimed === undefined) return;
  const { fence } = owner.claimed;
  owner.claimed = undefined;
  const outcome = await owner.log.bury(0, fence, { record, error: 'e', attempts: 1 });
  if (!isHolder) return expect(outcome).toBe('lost');
  if (model.dead.length >= LIMITS.maxDeadLetters) return expect(outcome).toBe('full');
  expect(outcome).toBe('buried');
  const text = record.bytes?.toString() ?? '';
  model.waiting = model.waiting.filter((one) => one.text !== text);
  model.out--;
  model.dead.push({ key: record.key, text });
}

async function revive({ log }: Owner, model: Model): Promise<void> {
  const letters = await log.letters(0, undefined, 10);
  expect(letters.map(({ key, bytes }) => ({ key, text: bytes?.toString() }))).toEqual(model.dead);
  const [letter] = letters;
  if (letter === undefined) return;
  const isFull = model.waiting.length >= LIMITS.maxPending;
  expect(await log.revive(0, letter)).toBe(isFull ? 'full' : 'revived');
  if (!isFull) model.waiting.push(...model.dead.splice(0, 1));
}

/** All that is left comes out, in order. */
async function finish(owner: Owner, model: Model, lose: () => Promise<void>): Promise<void> {
  if (model.holder !== owner) {
    await lose();
    model.holder = undefined;
  }
  while (model.waiting.length > 0) {
    await claim(owner, model, 10);
    await settle(owner, model, true);
  }
  expect(await owner.log.length(0)).toBe(0);
  for (const key of ['a', 'b']) expect(await owner.log.latest(0, key)).toBeUndefined();
}
