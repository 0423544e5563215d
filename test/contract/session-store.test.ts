import { describe, it } from '@jest/globals';
import { createSessionStore } from '../../src/session/session.ts';
import { sessionStoreContract } from '../../src/testing/testing.ts';
import { uniquePrefix } from '../support/connections.ts';

describe('session store in memory', () => {
  sessionStoreContract(
    { describe, it },
    { openStore: () => createSessionStore({ backend: 'memory', prefix: uniquePrefix() }) },
  );
});
