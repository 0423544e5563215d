import { defineScript } from '../redis/script.ts';

/** Drops a dead letter with its value. Returns 1 if it was there. */
export const discardLetter = defineScript({
  keys: ['value', 'dead', 'replaceable'],
  args: ['letter', 'key', 'token'],
  lua: `
if redis.call('XDEL', dead, letter) == 0 then return 0 end
if redis.call('HGET', replaceable, key) == token then redis.call('HDEL', replaceable, key) end
redis.call('UNLINK', value)
return 1
`,
});
