import { defineScript } from '../redis/script.ts';

/** Holds a lock for longer, if it is still the holder's. Returns 1 if it was. */
export const renewLock = defineScript({
  keys: ['lock'],
  args: ['token', 'ttlMs'],
  lua: `
if redis.call('GET', lock) ~= token then return 0 end
return redis.call('PEXPIRE', lock, ttlMs)
`,
});
