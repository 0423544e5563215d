/** Fills a memory tier, a memory store, and one with values kept beside their entries, of a bound, with small entries, more than there is room for. Tells as JSON how many bytes each has taken for good, and how many times what is counted values take that take much. Needs `--expose-gc`. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Beside } from '../../src/cache/beside.ts';
import { decodeEntry, encodeEntry, type Entry } from '../../src/cache/entry.ts';
import { createMemoryStore } from '../../src/cache/memory-store.ts';
import { createMemoryTier } from '../../src/cache/memory-tier.ts';
import { createCodec } from '../../src/codec/codec.ts';
import { createKeepsakes, type ValueMode } from '../../src/data/keepsakes.ts';
import { createMemoryRegister } from '../../src/register/memory-register.ts';
import { draftOf } from '../../src/testing/store-steps.ts';

const bound = Number(process.argv[2]);
const entries = bound / 300;
const register = createMemoryRegister();
const address = (i: number): string => `d:user:${i}`;
const draft = (i: number): ReturnType<typeof draftOf> =>
  draftOf(register.stamp() ?? { generation: 0, clock: 0 }, address(i), { body: Buffer.alloc(20) });

/** Bytes in use: the least there is, once collecting garbage has given nothing back five times. Buffers are given back behind. */
async function used(): Promise<number> {
  let least = Infinity;
  for (let futile = 0; futile < 5; futile++) {
    globalThis.gc?.();
    await sleep(20);
    const { heapUsed, external } = process.memoryUsage();
    if (heapUsed + external < least - 10_000) futile = 0;
    least = Math.min(least, heapUsed + external);
  }
  return least;
}

const kept: unknown[] = [];

/** Bytes of the heap and of buffers that `fill` takes for good. */
async function taken(fill: () => Promise<unknown>): Promise<number> {
  const before = await used();
  kept.push(await fill());
  return (await used()) - before;
}

async function fillTier(): Promise<unknown> {
  const tier = createMemoryTier(bound);
  for (let i = 0; i < entries; i++) tier.keep(address(i), encodeEntry(draft(i), 1), tier.now());
  return tier;
}

async function fillStore(): Promise<unknown> {
  const store = createMemoryStore(register, bound);
  for (let i = 0; i < entries; i++) await store.write(address(i), draft(i));
  return store;
}

/** Values whose names no other has take most beside their bytes. */
async function fillValues(): Promise<unknown> {
  const store = createMemoryStore(register, bound);
  const keepsakes = createKeepsakes(createCodec(), 'frozen');
  for (let i = 0; i < entries; i++) {
    const value = { [`x${i}`]: { [`y${i}`]: [i, 'text'] }, [`z${i}`]: `text ${i}` };
    await store.write(address(i), { ...draft(i), flags: 0, body: Buffer.from(JSON.stringify(value)) });
    const entry = (await store.read(address(i))).found?.entry;
    if (entry?.beside === undefined) throw new Error('It is in memory');
    keepsakes.valueOf(entry, entry.beside);
  }
  return store;
}

const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** Values of which engine or copier keep more than the places of what is in them. */
const HEAVY: readonly [ValueMode, (id: number) => unknown][] = [
  ['frozen', (id) => many(20, () => Object.fromEntries(many(200, (i) => [`k${id}:${i}`, i])))],
  ['frozen', () => many(100, () => Object.fromEntries(many(20, (i) => [String(1_000_003 * (i + 1)), i])))],
  ['copies', (id) => [{ id }, ...many(5_000, () => 1)]],
  ['copies', () => many(200, (i) => Object.fromEntries(many(10, (bit) => [`k${bit}`, (i >> bit) % 2 === 0 ? 1 : {}])))],
  ['copies', () => many(200, (i) => many(10, (bit) => ((i >> bit) % 2 === 0 ? 1 : {})))],
  ['copies', () => JSON.parse('['.repeat(400) + ']'.repeat(400))],
];

/** How much more than is counted values take that are kept. */
async function heaviness(mode: ValueMode, valueOf: (id: number) => unknown): Promise<number> {
  const codec = createCodec();
  const keepsakes = createKeepsakes(codec, mode);
  let counted = 0;
  const keep: Beside['keep'] = (beside, made) => {
    beside.made = made;
    counted += made.bytes;
    return true;
  };
  const entryOf = (id: number): Entry | undefined =>
    decodeEntry(encodeEntry({ ...draft(id), ...codec.encode(valueOf(id)) }, 1));
  const bytes = await taken(async () =>
    many(40, (id) => {
      const entry = entryOf(id);
      if (entry === undefined) throw new Error('It is an entry');
      const beside: Beside = { address: '', uses: mode === 'frozen' ? 0 : 3, made: undefined, keep };
      void keepsakes.valueOf(entry, beside);
      return beside;
    }),
  );
  return bytes / counted;
}

void (async () => {
  const [tier, store, values] = [await taken(fillTier), await taken(fillStore), await taken(fillValues)];
  const heavy: number[] = [];
  for (const [mode, valueOf] of HEAVY) heavy.push(await heaviness(mode, valueOf));
  process.stdout.write(JSON.stringify({ tier, store, values, heavy, kept: kept.length }));
})();
