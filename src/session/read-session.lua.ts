import { defineScript } from '../redis/script.ts';

/** HGETALL as a script: clients that read from replicas send every script to the master, and a replica may still hold a session that has ended. */
export const readSession = defineScript({
  keys: ['session'],
  args: [],
  lua: `return redis.call('HGETALL', session)`,
});
