import type { RedisClient } from '../../src/redis/client.ts';
import { createSessionStore, type SessionPlaceOptions } from '../../src/session/session.ts';
import type { SessionStoreAdapter } from '../../src/testing/testing.ts';
import { uniquePrefix } from '../support/connections.ts';

/** The session store on connections that `connect` makes: one for each of the two processes. */
export function sessionStores(connect: () => RedisClient, options: SessionPlaceOptions = {}): SessionStoreAdapter {
  const one = connect();
  const other = connect();
  // Patient: this is about what is found, on machines that may be busy.
  const store = (redis: RedisClient, prefix: string): ReturnType<typeof createSessionStore> =>
    createSessionStore({ redis, prefix, deadline: '5s', connectRedisPrefix: `${prefix}:old:`, ...options });
  return {
    openStore: () => store(one, uniquePrefix()),
    openPair() {
      const prefix = uniquePrefix();
      return [store(one, prefix), store(other, prefix)];
    },
  };
}
