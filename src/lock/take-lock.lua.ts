import { defineScript } from '../redis/script.ts';

/** How long after its end a lock's last fence is remembered: longer than clocks of servers step back. */
const FENCE_MS = 86_400_000;

/**
 * Takes a lock that nobody holds. Returns its fence as text, `''` when it is held. Fences grow with every holder, by Redis' time in microseconds at least, so that they grow too when a failover has lost the
 * last one.
 */
export const takeLock = defineScript({
  keys: ['lock', 'lastFence'],
  args: ['token', 'ttlMs'],
  lua: `
if not redis.call('SET', lock, token, 'NX', 'PX', ttlMs) then return '' end
local time = redis.call('TIME')
local fence = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), (tonumber(redis.call('GET', lastFence) or 0)) + 1)
local text = string.format('%.0f', fence)
redis.call('SET', lastFence, text, 'PX', tonumber(ttlMs) + ${FENCE_MS})
return text
`,
});
