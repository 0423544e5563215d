import { describe, it } from '@jest/globals';
import { sessionStoreContract } from '../../src/testing/testing.ts';
import { testRedis } from '../support/connections.ts';
import { sessionStores } from './session-stores.ts';

describe('session store in Redis', () => {
  sessionStoreContract({ describe, it }, sessionStores(testRedis));
});

describe('encrypted session store', () => {
  sessionStoreContract({ describe, it }, sessionStores(testRedis, { encryptionKeys: 'k'.repeat(32) }));
});

describe('session store in connect-redis’ format', () => {
  sessionStoreContract({ describe, it }, sessionStores(testRedis, { format: 'json' }));
});

describe('session store that reads both formats', () => {
  sessionStoreContract({ describe, it }, sessionStores(testRedis, { migrate: true }));
});

describe('session store behind a keyPrefix with signs of patterns', () => {
  sessionStoreContract(
    { describe, it },
    sessionStores(() => testRedis({ keyPrefix: 'a*[b]?:' })),
  );
});
