import { expect, it } from '@jest/globals';
import { createMemoryStore } from '../../src/cache/memory-store.ts';
import { createCodec } from '../../src/codec/codec.ts';
import { EventBus } from '../../src/core/events.ts';
import { createValues, type Values } from '../../src/data/values.ts';
import { createMemoryRegister } from '../../src/register/memory-register.ts';
import { keep } from '../../src/testing/store-steps.ts';

/** Reads what stands in memory as often as is asked for, as a cache of a mode does. */
async function readingsOf(mode: Parameters<typeof createValues>[1], body: string, count: number): Promise<unknown[]> {
  const store = createMemoryStore(createMemoryRegister(), 16_000_000);
  const values: Values = createValues(createCodec(), mode, new EventBus());
  await keep(store, 'd:k', { flags: 0, body: Buffer.from(body) });
  const readings: unknown[] = [];
  for (let i = 0; i < count; i++) {
    const { found } = await store.read('d:k');
    readings.push(found && values.ofEntry(found.entry, undefined));
  }
  return readings;
}

it.each(['copies', 'frozen'] as const)(
  'what somebody has stored too deep for the stack is read all the same (%s)',
  async (mode) => {
    const readings = await readingsOf(mode, `${'['.repeat(20_000)}${']'.repeat(20_000)}`, 5);
    expect(readings.every(Array.isArray)).toBe(true);
  },
);

it('what is frozen is one value for all callers from the first on', async () => {
  expect(new Set(await readingsOf('frozen', '{"a":[1]}', 6)).size).toBe(1);
});

it.each([
  ['that are copied', '{"a":[1]}'],
  ['that are better parsed', '{"7":[1]}'],
])('values %s are of each caller his own', async (_what, body) => {
  const readings = await readingsOf('copies', body, 20);
  expect(new Set(readings).size).toBe(20);
  expect(readings).toEqual(Array(20).fill(JSON.parse(body)));
});
