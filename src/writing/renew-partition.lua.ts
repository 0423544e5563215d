import { defineScript } from '../redis/script.ts';

/** Keeps a partition for longer (0 ms: gives it back), if it is still the holder's. Returns 1 if it was. */
export const renewPartition = defineScript({
  keys: ['lease'],
  args: ['holder', 'leaseMs'],
  lua: `
if redis.call('GET', lease) ~= holder then return 0 end
return redis.call('PEXPIRE', lease, leaseMs)
`,
});
