import { defineScript } from '../redis/script.ts';

/** Bans a client for a time, counted on Redis' clock. What is known of its conduct stays. Returns the end, in microseconds. */
export const blockClient = defineScript({
  keys: ['conduct'],
  args: ['duration'],
  lua: `
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])
local level, refusals, since = 0, 0, clock
local known = redis.call('GET', conduct)
if known then
  local _
  _, level, refusals, since = struct.unpack('<dddd', known)
end
local ends = clock + tonumber(duration)
local lives = math.max(1, math.ceil(tonumber(duration) / 1000), redis.call('PTTL', conduct))
redis.call('SET', conduct, struct.pack('<dddd', ends, level, refusals, since), 'PX', string.format('%.0f', lives))
return ends
`,
});
