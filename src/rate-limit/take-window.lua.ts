import { defineScript } from '../redis/script.ts';
import { ADD_TO_LOG, FOUND_IN_LOG, LOOK_AT_LOG } from './sliding-window.lua.ts';

/**
 * What `decide-limits` does, for the limiter that is met most: `take` of one sliding window, where nobody is banned for asking again and refusals use up nothing. The
 * same reply. `ttl` is how long a log is kept in milliseconds.
 */
export const takeWindow = defineScript({
  keys: ['conduct', 'name'],
  args: ['limit', 'window', 'cost', 'grain', 'ttl'],
  reply: 'bytes',
  lua: `
limit, window, cost, grain = limit + 0, window + 0, cost + 0, grain + 0
local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]
local now, status, ends = clock, 1, 0
local ban = redis.call('GET', conduct)
local log = redis.call('GET', name)
${FOUND_IN_LOG}
if log then
  now = struct.unpack('<I7', log, #log - 12)
  if now > clock then ttl = ttl + math.ceil((now - clock) / 1000) else now = clock end
end
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
