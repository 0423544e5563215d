import { defineScript } from '../redis/script.ts';

/** Has a lease live on for its whole length, if it is still there. Returns whether it is. */
export const renewLease = defineScript({
  keys: ['leases'],
  args: ['id', 'lease'],
  lua: `
if not redis.call('ZSCORE', leases, id) then return 0 end
local time = redis.call('TIME')
local ends = tonumber(time[1]) * 1000000 + tonumber(time[2]) + tonumber(lease)
redis.call('ZADD', leases, string.format('%.0f', ends), id)
redis.call('PEXPIRE', leases, string.format('%.0f', math.ceil(tonumber(lease) / 1000)))
return 1
`,
});
