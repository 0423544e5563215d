import { defineScript } from '../redis/script.ts';

/** Adds to a counter; one that begins gets a lifetime, unless that is 0. Returns the sum as text: a number of Lua loses digits above 2^53. */
export const addToCounter = defineScript({
  keys: ['counter'],
  args: ['by', 'ttlMs'],
  lua: `
local begins = redis.call('EXISTS', counter) == 0
redis.call('INCRBY', counter, by)
if begins and ttlMs ~= '0' then redis.call('PEXPIRE', counter, ttlMs) end
return redis.call('GET', counter)
`,
});
