import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { EntryDraft } from '../../src/cache/entry.ts';
import { createLeases, type Leases } from '../../src/cache/leases.ts';
import { createMemoryTier } from '../../src/cache/memory-tier.ts';
import { createRedisStore } from '../../src/cache/redis-store.ts';
import { createStatistics } from '../../src/cache/statistics.ts';
import type { CacheStore } from '../../src/cache/store.ts';
import { createTieredStore } from '../../src/cache/tiered-store.ts';
import { EventBus } from '../../src/core/events.ts';
import { createData, type DataCache } from '../../src/data/data.ts';
import { keyPrefixOf, type RedisClient } from '../../src/redis/client.ts';
import { type Connection, connectionOf } from '../../src/redis/connection.ts';
import { createKeys, type Keys } from '../../src/redis/keys.ts';
import { createRedisRegister } from '../../src/register/redis-register.ts';
import type { Purge, PurgeMode } from '../../src/register/records.ts';
import type { Register } from '../../src/register/register.ts';
import { chaos, createRandom } from '../support/random-order.ts';

export interface Interleavings {
  readonly seed: number;
  readonly prefix: string;
  readonly durationMs: number;
  readonly maxStalenessMs: number;
  readonly maxRecords: number;
  /** Each on a connection of its own plays a process. */
  readonly clients: readonly RedisClient[];
  /** What goes wrong now and then. */
  readonly mishaps: readonly (() => Promise<unknown>)[];
  /** Changes a store: a fault to be found. */
  readonly tamper?: (store: CacheStore) => CacheStore;
}

export interface Report {
  /** Reads that returned something older than they should have. */
  readonly violations: readonly string[];
  readonly hits: number;
  readonly misses: number;
  readonly unavailable: number;
  readonly invalidations: number;
  readonly mishaps: number;
}

interface Process {
  readonly name: number;
  readonly store: CacheStore;
  readonly data: DataCache;
}

const ITEMS = 4;
const ENOUGH = 100;
const PATIENCE_MS = 40_000;

/** Reads, writes and invalidates at random from all clients at once, and checks every value read against what had been invalidated before the read began. */
export async function runInterleavings(options: Interleavings): Promise<Report> {
  const { seed, prefix, clients, mishaps, durationMs, maxStalenessMs } = options;
  const random = createRandom(seed);
  const history = createHistory(maxStalenessMs);
  const opened: { close(): void }[] = [];
  const processes = clients.map((client, name): Process => {
    const keys = createKeys(prefix, keyPrefixOf(client));
    // The last one keeps no copies in its memory.
    return Object.assign(openProcess(client, keys, { options, hasTier: name < clients.length - 1 }, opened), { name });
  });
  const tally = { hits: 0, misses: 0, unavailable: 0, invalidations: 0, mishaps: 0 };
  const endsAt = performance.now() + durationMs;
  /** Longer where the machine is busy: too little would prove nothing. */
  function goesOn(): boolean {
    if (history.violations.length > 0) return false;
    const isEnough = Math.min(tally.hits, tally.misses, tally.invalidations) > ENOUGH;
    return performance.now() < endsAt + (isEnough ? 0 : PATIENCE_MS);
  }

  async function reader(process: Process): Promise<void> {
    while (goesOn()) {
      const item = random(ITEMS);
      if (random(3) === 0) await readShared(process, item);
      else await readAndStore(process, item);
      if (random(8) === 0) await sleep(random(6));
    }
  }

  async function readAndStore({ name, store }: Process, item: number): Promise<void> {
    const due = history.dueNow(name, item);
    const { found, stamp } = await store.read(addressOf(item));
    if (found !== undefined) {
      tally.hits++;
      history.check(Number(found.entry.body.toString()), found.state, due, `process ${name} read item ${item}`);
    } else if (stamp === undefined) {
      tally.unavailable++;
      await sleep(5);
    } else {
      tally.misses++;
      await pause(random);
      const draft = draftOf(item, history.versionOf(item), stamp);
      await pause(random);
      await store.write(addressOf(item), draft);
    }
  }

  /** Loaded once for all who ask at the same time, its tags known before, or only at its end. */
  async function readShared({ name, data }: Process, item: number): Promise<void> {
    const due = history.dueNow(name, item);
    const isDynamic = random(2) === 0;
    const version = await data.getOrSet<number>(
      `item${item}`,
      async ({ tag }) => {
        await pause(random);
        const loaded = history.versionOf(item);
        await pause(random);
        if (isDynamic) tag(...tagsOf(item));
        return loaded;
      },
      { tags: isDynamic ? [] : tagsOf(item), ttl: '1m' },
    );
    // It may be stale: then it is being loaded anew.
    history.check(version, 'stale', due, `process ${name} got item ${item}`);
  }

  async function writer({ name, store }: Process): Promise<void> {
    while (goesOn()) {
      const item = random(ITEMS);
      const mode: PurgeMode = random(4) === 0 ? 'soft' : 'hard';
      const version = history.commit(item);
      await pause(random);
      const purge = purgeOf(item, mode, random(20));
      const isConfirmed = await store.register.invalidate([purge, strangerOf(random(50))]).then(
        () => true,
        () => false,
      );
      tally.invalidations++;
      history.note({ item, version, mode, process: name, isConfirmed });
      await sleep(random(12));
    }
  }

  const readers = processes.flatMap((process) => [reader(process), reader(process), reader(process)]);
  await Promise.all([
    ...readers,
    ...processes.map((process) => writer(process)),
    chaos({ mishaps, random, goesOn, pauseMs: () => 20 + random(80), onMishap: () => tally.mishaps++ }),
  ]);
  for (const each of opened) each.close();
  return { ...tally, violations: history.violations };
}

function openProcess(
  client: RedisClient,
  keys: Keys,
  { options, hasTier }: { readonly options: Interleavings; readonly hasTier: boolean },
  opened: { close(): void }[],
): Pick<Process, 'store' | 'data'> {
  const { maxStalenessMs, maxRecords, tamper = (store) => store } = options;
  const connection = connectionOf(client, 1_000);
  const register = createRedisRegister({ connection, keys, maxStalenessMs, maxRecords });
  register.open();
  const leases = createLeases(connection, keys);
  leases.open();
  opened.push(register, leases);
  const tier = hasTier ? createMemoryTier(1_000_000) : undefined;
  const redis = createRedisStore(connection, keys, register, (address) => {
    const since = tier?.now();
    return (bytes) => since && tier?.keep(address, bytes, since);
  });
  const tiered = tier && createTieredStore({ redis, tier, maxStalenessMs, onUnverifiable: 'bypass' });
  const store = tamper(tiered ?? redis);
  return { store, data: dataOn(store, connection, { keys, register, leases }) };
}

function dataOn(
  store: CacheStore,
  connection: Connection,
  { keys, register, leases }: { readonly keys: Keys; readonly register: Register; readonly leases: Leases },
): DataCache {
  const events = new EventBus();
  const limits = { memoryBytes: 0, maxStalenessMs: 0, onUnverifiable: 'bypass' } as const;
  const place = { connection, keys, register, events, ...limits, onClose: () => undefined, close: () => undefined };
  const statistics = { httpStatistics: createStatistics(), dataStatistics: createStatistics() };
  const backend = { kind: 'redis', place, store, tier: undefined, leases, events, ...statistics } as const;
  return createData({ ...backend, close: () => undefined }, 60_000);
}

/** The fault that the order of stamp, load and store is there to prevent: the stamp is taken when the value is stored. */
export function takesStampsLate(store: CacheStore): CacheStore {
  return {
    ...store,
    async write(address, draft) {
      await store.register.refresh();
      return store.write(address, { ...draft, stamp: store.register.stamp() ?? draft.stamp });
    },
  };
}

function addressOf(item: number): string {
  return `d:item${item}`;
}

function tagsOf(item: number): string[] {
  return [`tag${item}`, item % 2 === 0 ? 'even' : 'odd', 'all'];
}

function draftOf(item: number, version: number, stamp: EntryDraft['stamp']): EntryDraft {
  return {
    key: addressOf(item),
    tags: tagsOf(item),
    stamp,
    flags: 0,
    freshMs: 60_000,
    staleMs: 0,
    computeMs: 0,
    metadata: '',
    body: Buffer.from(String(version)),
  };
}

function purgeOf(item: number, mode: PurgeMode, choice: number): Purge {
  if (choice === 0) return { mode, kind: 'everything', value: '' };
  if (choice < 3) return { mode, kind: 'prefix', value: 'd:item' };
  if (choice < 5) return { mode, kind: 'pattern', value: `it?m${item}` };
  if (choice < 7) return { mode, kind: 'allTags', value: JSON.stringify(['all', `tag${item}`]) };
  if (choice < 10) return { mode, kind: 'key', value: addressOf(item) };
  return { mode, kind: 'tag', value: tagsOf(item)[choice % 3] ?? '' };
}

/** Something no entry depends on, which fills the register up. */
function strangerOf(i: number): Purge {
  return { mode: 'hard', kind: 'tag', value: `stranger${i}` };
}

async function pause(random: (below: number) => number): Promise<void> {
  const choice = random(4);
  if (choice === 0) await sleep(random(8));
  else if (choice < 3) await nextTurn();
}

interface Due {
  /** What was invalidated in either mode may only come back as stale, what was invalidated hard not at all. */
  readonly fresh: number;
  readonly served: number;
}

interface Noted {
  readonly item: number;
  readonly version: number;
  readonly mode: PurgeMode;
  readonly process: number;
  readonly isConfirmed: boolean;
}

interface History {
  readonly violations: string[];
  versionOf(item: number): number;
  commit(item: number): number;
  /** An invalidation has returned. One that failed counts in its own process only. */
  note(noted: Noted): void;
  /** The oldest versions that a read beginning now may return. */
  dueNow(process: number, item: number): Due;
  check(version: number, state: 'fresh' | 'stale', due: Due, what: string): void;
}

/** What was committed and invalidated, and when that returned. */
function createHistory(maxStalenessMs: number): History {
  const versions = Array.from({ length: ITEMS }, () => 0);
  const noted: (Noted & { readonly at: number })[] = [];
  const violations: string[] = [];
  return {
    violations,
    versionOf: (item) => versions[item] ?? 0,
    commit: (item) => (versions[item] = (versions[item] ?? 0) + 1),
    note: (invalidation) => noted.push({ ...invalidation, at: performance.now() }),
    dueNow(process, item) {
      const before = performance.now() - maxStalenessMs;
      const due = noted.filter(
        (each) => each.item === item && (each.process === process || (each.isConfirmed && each.at <= before)),
      );
      const hard = due.filter(({ mode }) => mode === 'hard');
      const newest = (list: Noted[]): number => Math.max(0, ...list.map(({ version }) => version));
      return { fresh: newest(due), served: newest(hard) };
    },
    check(version, state, due, what) {
      const oldest = state === 'fresh' ? due.fresh : due.served;
      if (version < oldest) violations.push(`${what}: ${state} version ${version}, not ${oldest}`);
    },
  };
}
