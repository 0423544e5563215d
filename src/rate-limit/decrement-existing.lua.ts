import { defineScript } from '../redis/script.ts';

/** Decrements a counter that is still there: one that has expired would come back without an expiry, and live for ever. */
export const decrementExisting = defineScript({
  keys: ['counter'],
  args: [],
  lua: `
if tonumber(redis.call('GET', counter) or '0') <= 0 then return 0 end
return redis.call('DECR', counter)
`,
});
