import { defineScript } from '../redis/script.ts';
import { POLICY_PATTERN } from './packed-policy.ts';
import { ADD_TO_LOG, FOUND_IN_LOG, LOOK_AT_LOG } from './sliding-window.lua.ts';

/**
 * What `decide-limits` does, for the limiter that is met most: `take` of one sliding window, where nobody is banned for asking again and refusals use up nothing. The
 * same reply.
 */
export const takeWindow = defineScript({
  keys: ['conduct', 'name'],
  args: ['policy'],
  reply: 'bytes',
  lua: `
local _, limit, window, cost, grain = string.match(policy, ${POLICY_PATTERN})
limit, window, cost, grain = limit + 0, window + 0, cost + 0, grain + 0
local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]
local now, status, ends, last, total = clock, 1, 0, 0, 0
local ban, log = redis.call('GET', conduct), redis.call('GET', name)
if log then
  last, total = struct.unpack('<I7I6', log, #log - 12)
  if last > now then now = last end
end
${FOUND_IN_LOG}
${LOOK_AT_LOG}
if ban and struct.unpack('<d', ban) > clock then
  status, ends = 2, struct.unpack('<d', ban)
elseif not fits then
  status = 0
else
${ADD_TO_LOG}
end
return struct.pack('<dddddddd', status, now, clock, ends, fits and 1 or 0, remaining > 0 and remaining or 0, retry, reset)
`,
});
