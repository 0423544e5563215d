import { defineScript } from '../redis/script.ts';

/** Keeps a lease for longer, if it is still the owner's. */
export const renewLease = defineScript({
  keys: ['lease'],
  args: ['owner', 'ttlMs'],
  lua: `
if redis.call('HGET', lease, 'owner') ~= owner then return 0 end
return redis.call('PEXPIRE', lease, ttlMs)
`,
});
