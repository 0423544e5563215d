import { defineScript } from '../redis/script.ts';

/** Has a lease live on for its whole length, if it is still there. Returns whether it is. */
export const renewLease = defineScript({
  keys: ['leases'],
  args: ['id', 'lease'],
  lua: `
if not redis.call('ZSCORE', leases, id) then return 0 end
local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]
redis.call('ZADD', leases, string.format('%.0f', clock + lease), id)
-- Others may be longer: the key lives as long as the longest.
local latest = redis.call('ZREVRANGE', leases, 0, 0, 'WITHSCORES')[2]
redis.call('PEXPIRE', leases, string.format('%.0f', math.ceil((latest - clock) / 1000) + 1))
return 1
`,
});
