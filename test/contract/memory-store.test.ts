import { describe, it } from '@jest/globals';
import { createMemoryStore } from '../../src/cache/memory-store.ts';
import { createMemoryRegister } from '../../src/register/memory-register.ts';
import { cacheStoreContract } from '../../src/testing/testing.ts';

describe('memory store', () => {
  cacheStoreContract({ describe, it }, { openStore: () => createMemoryStore(createMemoryRegister(), 16_000_000) });
});
