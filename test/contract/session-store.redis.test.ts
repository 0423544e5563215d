import { describe, expect, it } from '@jest/globals';
import { sessionStoreContract, type SessionStoreAdapter } from '../../src/testing/testing.ts';
import { testRedis } from '../support/connections.ts';
import { sessionStores } from './session-stores.ts';

describe('session store', () => {
  contract('in Redis', sessionStores(testRedis));
  contract('encrypted', sessionStores(testRedis, { encryptionKeys: 'k'.repeat(32) }));
  contract('in connect-redis’ format', sessionStores(testRedis, { format: 'json' }));
  contract('that reads both formats', sessionStores(testRedis, { migrate: true }));
  contract(
    'behind a keyPrefix with signs of patterns',
    sessionStores(() => testRedis({ keyPrefix: 'a*[b]?:' })),
  );
});

/** Several tests at a time, whatever group they are of: many wait for a session to end, and none touches what another one does. */
function contract(which: string, adapter: SessionStoreAdapter): void {
  let group = '';
  sessionStoreContract(
    {
      describe(name, declare) {
        group = name;
        declare();
      },
      it(name, run) {
        it.concurrent(`${which}, ${group}: ${name}`, () => expect(run()).resolves.toBeUndefined());
      },
    },
    adapter,
  );
}
