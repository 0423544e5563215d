import { describe, it } from '@jest/globals';
import { sessionStoreContract } from '../../src/testing/testing.ts';
import { testCluster } from '../support/connections.ts';
import { sessionStores } from './session-stores.ts';

describe('session store on a Cluster', () => {
  sessionStoreContract({ describe, it }, sessionStores(testCluster));
});

describe('session store on a Cluster, both formats', () => {
  sessionStoreContract({ describe, it }, sessionStores(testCluster, { migrate: true }));
});
