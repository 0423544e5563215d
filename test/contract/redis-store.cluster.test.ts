import { describe, it } from '@jest/globals';
import { cacheStoreContract } from '../../src/testing/testing.ts';
import { testCluster } from '../support/connections.ts';
import { redisStores } from './redis-stores.ts';

describe('Redis store on a Cluster', () => {
  cacheStoreContract({ describe, it }, redisStores(testCluster));
});

describe('Redis store on a Cluster that may be behind', () => {
  cacheStoreContract({ describe, it }, redisStores(testCluster, { maxStalenessMs: 30 }));
});

describe('Redis store on a Cluster with copies in memory', () => {
  cacheStoreContract({ describe, it }, redisStores(testCluster, { memory: '8mb' }));
});
