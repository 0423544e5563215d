import { describe, it } from '@jest/globals';
import { cacheStoreContract } from '../../src/testing/testing.ts';
import { testRedis } from '../support/connections.ts';
import { redisStores } from './redis-stores.ts';

describe('Redis store', () => {
  cacheStoreContract({ describe, it }, redisStores(testRedis));
});

describe('Redis store that may be behind', () => {
  cacheStoreContract({ describe, it }, redisStores(testRedis, { maxStalenessMs: 30 }));
});

describe('Redis store with copies in memory', () => {
  cacheStoreContract({ describe, it }, redisStores(testRedis, { memory: '8mb' }));
});

describe('Redis store with copies in memory that may be behind', () => {
  cacheStoreContract({ describe, it }, redisStores(testRedis, { memory: '8mb', maxStalenessMs: 30 }));
});
