import { expect, it } from '@jest/globals';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { DataCache, LoadContext, LoadOptions } from '../../src/data/data.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import type { Suite } from '../../src/suite.ts';
import { chaos, createRandom, type Random, seedOf } from '../support/random-order.ts';
import { openSuite } from './backends.ts';

export interface DataInterleavings {
  readonly seed: number;
  readonly prefix: string;
  readonly durationMs: number;
  readonly maxStalenessMs: number;
  /** Each plays a process; the last one keeps no copies in its memory. */
  readonly clients: readonly RedisClient[];
  /** What goes wrong now and then. */
  readonly mishaps: readonly (() => Promise<unknown>)[];
}

export interface DataReport {
  /** Reads that returned something older than they should have. */
  readonly violations: readonly string[];
  readonly reads: number;
  readonly loads: number;
  readonly writes: number;
  readonly mishaps: number;
}

interface Process {
  readonly name: number;
  readonly suite: Suite;
  readonly data: DataCache;
}

export const ITEMS = 2;
const READERS = 10;
const ENOUGH = 60;
const PATIENCE_MS = 40_000;
const NO_DATABASE = new Error('no database');

/** The tests of it: `run` runs interleavings where there are mishaps. */
export function itIsNeverOlder(run: (seed: number, maxStalenessMs: number) => Promise<DataReport>): void {
  it.each([
    ['never older than what was set, deleted or invalidated before the read began', 0],
    ['never older than what was so before the bound, nor than what the same process has changed', 30],
  ])('is %s', async (_promise, maxStalenessMs) => {
    const seed = seedOf();
    const report = await run(seed, maxStalenessMs);
    expect({ seed, violations: report.violations }).toEqual({ seed, violations: [] });
    expect(Math.min(report.reads, report.loads, report.writes)).toBeGreaterThan(20);
    expect(report.mishaps).toBeGreaterThan(3);
  });
}

/**
 * Reads, loads, sets, deletes and invalidates at random from all processes at once. Behind the caches is a database whose versions only grow: every value that is read must be at least as new as
 * every change that had returned before the read began.
 */
export async function runDataInterleavings(options: DataInterleavings): Promise<DataReport> {
  const { seed, prefix, clients, mishaps, durationMs, maxStalenessMs } = options;
  const random = createRandom(seed);
  const database = createDatabase(maxStalenessMs);
  const tally = { reads: 0, loads: 0, writes: 0, mishaps: 0 };
  const processes = clients.map((client, name): Process => {
    const memory = name < clients.length - 1 ? ({ memory: '4mb' } as const) : {};
    if (name === 0) delayReplies(client, () => random(80));
    const suite = openSuite(client, { prefix, maxStaleness: maxStalenessMs, deadline: '1s', ...memory });
    return { name, suite, data: suite.data.namespace('ns') };
  });
  const endsAt = performance.now() + durationMs;
  /** Longer where the machine is busy: too little would prove nothing. */
  function goesOn(): boolean {
    if (database.violations.length > 0) return false;
    const isEnough = Math.min(tally.reads, tally.loads, tally.writes) > ENOUGH;
    return performance.now() < endsAt + (isEnough ? 0 : PATIENCE_MS);
  }

  function loaderOf(item: number, isDynamic: boolean, mayFail: boolean) {
    return async ({ tag }: Pick<LoadContext, 'tag'>): Promise<number> => {
      tally.loads++;
      await pause(random);
      if (mayFail && random(3) === 0) throw NO_DATABASE;
      const version = database.versionOf(item);
      await (random(2) === 0 ? sleep(random(12)) : nextTurn()); // While it is changed.
      if (isDynamic) tag(...tagsOf(item));
      return version;
    };
  }

  async function reader(process: Process): Promise<void> {
    while (goesOn()) {
      tally.reads++;
      await readSomehow(process);
      await sleep(random(8));
    }
  }

  async function readSomehow({ name, data }: Process): Promise<void> {
    const items = Array.from({ length: ITEMS }, (_, i) => i);
    const dues = items.map((i) => database.dueNow(name, i));
    const item = random(ITEMS);
    const check = (version: unknown, i: number, how: string): void =>
      database.check(version, dues[i] ?? 0, `process ${name} ${how} item ${i}`);
    switch (random(6)) {
      case 0:
        return check(await data.get(keyOf(item)), item, 'got');
      case 1: {
        const versions = await data.getMany(items.map(keyOf));
        return versions.forEach((version, i) => check(version, i, 'got among many'));
      }
      case 2: {
        const isDynamic = random(2) === 0;
        const load = async (keys: readonly string[]): Promise<number[]> =>
          Promise.all(keys.map((key) => loaderOf(itemOf(key), false, false)({ tag: () => undefined })));
        const tags = isDynamic ? () => items.flatMap(tagsOf) : items.flatMap(tagsOf);
        const versions = await data.getOrSetMany(items.map(keyOf), load, { tags, ttl: '1m' }).catch(unlessNoDatabase);
        return versions?.forEach((version, i) => check(version, i, 'loaded among many'));
      }
      default: {
        const isDynamic = random(3) > 0;
        const kept = KEPT[random(KEPT.length)];
        const loadOptions: LoadOptions<number> = { ...kept, tags: isDynamic ? [] : tagsOf(item) };
        const load = loaderOf(item, isDynamic, kept?.failSafe !== undefined);
        const version = await data.getOrSet(keyOf(item), load, loadOptions).catch(unlessNoDatabase);
        return check(version, item, 'loaded');
      }
    }
  }

  async function writer(process: Process): Promise<void> {
    while (goesOn()) {
      const item = random(ITEMS);
      await database.change(item, async (version) => {
        const write = WRITES[random(WRITES.length)] as Write;
        const outcome = await untilDone(() => write(process, item, version), goesOn);
        tally.writes++;
        return outcome === 'heeded' ? process.name : undefined;
      });
      if (random(4) === 0) await process.data[random(2) === 0 ? 'touch' : 'has'](keyOf(item)).catch(() => undefined);
      if (random(4) === 0) await process.data.expire(keyOf(item), '30s').catch(() => undefined);
      await sleep(random(15));
    }
  }

  // Many: most of them wait for a load, and some must come while it is under way.
  const readers = processes.flatMap((process) => Array.from({ length: READERS }, () => reader(process)));
  await Promise.all([
    ...readers,
    ...processes.map(writer),
    chaos({ mishaps, random, goesOn, pauseMs: () => 100 + random(250), onMishap: () => tally.mishaps++ }),
  ]);
  return { ...tally, violations: database.violations };
}

/** What this client reads of entries has been on its way for some time. */
function delayReplies(client: RedisClient, delayMs: () => number): void {
  const { getBuffer, getrangeBuffer } = client;
  const late = async <T>(reply: Promise<T>): Promise<T> => sleep(delayMs(), await reply);
  Object.assign(client, {
    getBuffer: (key: string) => late(getBuffer.call(client, key)),
    getrangeBuffer: (key: string, from: number, to: number) => late(getrangeBuffer.call(client, key, from, to)),
  });
}

/** How long what is loaded is kept. */
const KEPT: readonly LoadOptions<number>[] = [
  { ttl: '1m' },
  { ttl: '1m', refreshAhead: 0 },
  { ttl: '20ms', staleWhileRevalidate: '1m' },
  { ttl: '20ms', failSafe: '1m' },
  { ttl: '1m', coalesce: 'process' },
  { ttl: '1m', fresh: true },
];

/** Tells the caches of a new version; `ignored` where they need not heed it. Fails when it is not confirmed. */
type Write = (process: Process, item: number, version: number) => Promise<'heeded' | 'ignored'>;

const set: Write = async ({ data }, item, version) => {
  if (await data.set(keyOf(item), version, { ttl: '1m', tags: tagsOf(item) })) return 'heeded';
  throw new Error('not set');
};
const setIfAbsent: Write = async ({ data }, item, version) =>
  (await data.setIfAbsent(keyOf(item), version, { ttl: '1m', tags: tagsOf(item) })) ? 'heeded' : 'ignored';
const remove: Write = ({ data }, item) => heeded(data.delete(keyOf(item)));
const invalidateTag: Write = ({ suite }, item) => heeded(suite.invalidate([`tag${item}`]));

const WRITES: readonly Write[] = [
  set,
  set,
  remove,
  remove,
  remove,
  invalidateTag,
  invalidateTag,
  invalidateTag,
  invalidateTag,
  setIfAbsent,
  setIfAbsent,
  setIfAbsent,
  setIfAbsent,
  ({ suite }, item) => heeded(suite.invalidate({ keys: [`ns:${keyOf(item)}`] })),
  ({ suite }) => heeded(suite.invalidate({ prefix: 'ns:item' })),
  ({ suite }, item) => heeded(suite.invalidate({ pattern: `*it?m${item}` })),
  ({ suite }) => heeded(suite.invalidate({ all: true })),
  ({ data }) => heeded(data.clear()),
];

function heeded(work: Promise<unknown>): Promise<'heeded'> {
  return work.then(() => 'heeded');
}

/** What is not confirmed may come about later: whoever wants to be sure does it again, on the same connection. */
async function untilDone<T>(work: () => Promise<T>, goesOn: () => boolean): Promise<T | undefined> {
  do {
    const outcome = await work().catch(() => undefined);
    if (outcome !== undefined) return outcome;
    await sleep(5);
  } while (goesOn());
  return undefined;
}

/** Of a load that is shared, too. */
function unlessNoDatabase(error: unknown): undefined {
  if (error !== NO_DATABASE) throw error;
}

function keyOf(item: number): string {
  return `item${item}`;
}

function itemOf(key: string): number {
  return Number(key.slice('item'.length));
}

function tagsOf(item: number): string[] {
  return [`tag${item}`, 'all'];
}

async function pause(random: Random): Promise<void> {
  const choice = random(4);
  if (choice === 0) await sleep(random(8));
  else if (choice < 3) await nextTurn();
}

interface Database {
  readonly violations: string[];
  versionOf(item: number): number;
  /** Gives an item its next version, one change of it at a time, and has that told; which process has done so counts, once it has. */
  change(item: number, tell: (version: number) => Promise<number | undefined>): Promise<void>;
  /** The oldest version that a read beginning now may return. */
  dueNow(process: number, item: number): number;
  check(version: unknown, due: number, what: string): void;
}

function createDatabase(maxStalenessMs: number): Database {
  const versions = Array.from({ length: ITEMS }, () => 0);
  const turns = Array.from({ length: ITEMS }, async () => undefined);
  const told = Array.from({ length: ITEMS }, (): { version: number; process: number; at: number }[] => []);
  const violations: string[] = [];

  async function changeNow(item: number, tell: (version: number) => Promise<number | undefined>): Promise<undefined> {
    const version = (versions[item] ?? 0) + 1;
    versions[item] = version;
    const process = await tell(version);
    if (process !== undefined) told[item]?.unshift({ version, process, at: performance.now() });
  }

  return {
    violations,
    versionOf: (item) => versions[item] ?? 0,
    change(item, tell) {
      const turn = (turns[item] ?? Promise.resolve()).then(() => changeNow(item, tell));
      turns[item] = turn;
      return turn;
    },
    dueNow(process, item) {
      const before = performance.now() - maxStalenessMs;
      return told[item]?.find((each) => each.process === process || each.at <= before)?.version ?? 0;
    },
    check(version, due, what) {
      if (version === undefined || (typeof version === 'number' && version >= due)) return;
      violations.push(`${what}: version ${JSON.stringify(version)}, not ${due}`);
    },
  };
}
