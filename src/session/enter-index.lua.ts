import { defineScript } from '../redis/script.ts';

/**
 * Puts a session into its user's index, or moves its end there. Returns `[entry, sessions in the index]`. An entry is `<microseconds of the login>:<session>`, its score the latest instant at which the
 * session may still live. Drops those whose instant has passed, and expires with the last.
 */
export const enterIndex = defineScript({
  keys: ['index'],
  args: ['entry', 'session', 'untilMs'],
  lua: `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if entry == '' then entry = string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2])) .. ':' .. session end
redis.call('ZREMRANGEBYSCORE', index, '-inf', string.format('%.0f', now))
redis.call('ZADD', index, untilMs, entry)
local last = redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', index, string.format('%.0f', tonumber(last[2])))
return { entry, redis.call('ZCARD', index) }
`,
});
