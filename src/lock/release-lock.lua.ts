import { defineScript } from '../redis/script.ts';

/** Gives a lock back, if it is still the holder's. Returns 1 if it was. */
export const releaseLock = defineScript({
  keys: ['lock'],
  args: ['token'],
  lua: `
if redis.call('GET', lock) ~= token then return 0 end
return redis.call('DEL', lock)
`,
});
