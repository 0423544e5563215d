import { describe, expect, it } from '@jest/globals';
import { createMemoryStore } from '../../src/cache/memory-store.ts';
import { createMemoryRegister } from '../../src/register/memory-register.ts';
import { keep } from '../../src/testing/store-steps.ts';
import { cacheStoreContract } from '../../src/testing/testing.ts';

describe('memory store', () => {
  cacheStoreContract({ describe, it }, { openStore: () => createMemoryStore(createMemoryRegister(), 16_000_000) });

  it('drops what was least recently used, whoever has listed what there is', async () => {
    const store = createMemoryStore(createMemoryRegister(), 40_000);
    const body = Buffer.alloc(9_000);
    for (const address of ['d:a', 'd:b', 'd:c']) await keep(store, address, { body });
    await store.read('d:a');
    for await (const page of store.list('d:')) expect(page).toHaveLength(3);
    for (const address of ['d:d', 'd:e']) await keep(store, address, { body });
    const found = await store.readMany(['d:a', 'd:b', 'd:c', 'd:d', 'd:e']);
    expect(found.map((lookup) => lookup.found !== undefined)).toEqual([true, false, true, true, true]);
  });
});
