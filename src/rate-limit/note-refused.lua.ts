import { defineScript } from '../redis/script.ts';

/** Adds to who is refused until when, and how often; keeps `cap` of each. `notes` are client, refusals, milliseconds to go, one after another. */
export const noteRefused = defineScript({
  keys: ['refused', 'offenders'],
  args: ['cap', 'countingMs'],
  rest: 'notes',
  lua: `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for i = 1, #notes, 3 do
  redis.call('ZADD', refused, string.format('%.0f', now + tonumber(notes[i + 2])), notes[i])
  redis.call('ZINCRBY', offenders, notes[i + 1], notes[i])
end
redis.call('ZREMRANGEBYSCORE', refused, '-inf', string.format('%.0f', now))
redis.call('ZREMRANGEBYRANK', refused, 0, -1 - tonumber(cap))
redis.call('ZREMRANGEBYRANK', offenders, 0, -1 - tonumber(cap))
redis.call('PEXPIRE', refused, 31622400000)
if redis.call('PTTL', offenders) < 0 then redis.call('PEXPIRE', offenders, countingMs) end -- Whoever is refused begins no other day.
return 1
`,
});
