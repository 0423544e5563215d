import { expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { encodeEntry } from '../../src/cache/entry.ts';
import { createMemoryStore } from '../../src/cache/memory-store.ts';
import { createMemoryTier } from '../../src/cache/memory-tier.ts';
import { createMemoryRegister } from '../../src/register/memory-register.ts';
import { draftOf } from '../../src/testing/store-steps.ts';

const BOUND = 4_000_000;
/** More than there is room for. */
const ENTRIES = 12_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes of the heap and of buffers that `fill` takes for good. */
async function taken(fill: () => Promise<unknown>): Promise<number> {
  const used = async (): Promise<number> => {
    for (let i = 0; i < 3; i++) {
      collectGarbage();
      await sleep(10); // Buffers are given back behind.
    }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = await used();
  const filled = await fill();
  const after = await used();
  expect(filled).toBeDefined(); // It is there until now.
  return after - before;
}

const register = createMemoryRegister();
const draft = (address: string): ReturnType<typeof draftOf> =>
  draftOf(register.stamp() ?? { generation: 0, clock: 0 }, address, { body: Buffer.alloc(20) });

it('the memory that is allowed is what small entries take, by and large', async () => {
  const address = (i: number): string => `d:user:${i}`;
  const tier = async (): Promise<unknown> => {
    const filled = createMemoryTier(BOUND);
    for (let i = 0; i < ENTRIES; i++) filled.keep(address(i), encodeEntry(draft(address(i)), 1), filled.now());
    return filled;
  };
  const store = async (): Promise<unknown> => {
    const filled = createMemoryStore(register, BOUND);
    for (let i = 0; i < ENTRIES; i++) await filled.write(address(i), draft(address(i)));
    return filled;
  };
  for (const fill of [tier, store]) {
    const bytes = await taken(fill);
    expect(bytes).toBeGreaterThan(0.6 * BOUND);
    expect(bytes).toBeLessThan(1.4 * BOUND);
  }
});
