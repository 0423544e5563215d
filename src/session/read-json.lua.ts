import { defineScript } from '../redis/script.ts';

/** GET as a script, for clients that read from replicas. */
export const readJson = defineScript({
  keys: ['session'],
  args: [],
  lua: `return redis.call('GET', session)`,
});
