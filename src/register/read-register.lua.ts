import { defineScript } from '../redis/script.ts';

/** ZRANGEBYSCORE as a script: clients that read from replicas send every script to the master, and what was invalidated must be asked there. */
export const readRegister = defineScript({
  keys: ['register'],
  args: ['from', 'limit'],
  lua: `return redis.call('ZRANGEBYSCORE', register, from, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)`,
});
