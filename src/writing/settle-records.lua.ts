import { defineScript } from '../redis/script.ts';

/**
 * Forgets records that have been written, and the pending values that are still theirs, if the partition is still the holder's. Gives the partition back when fewer than `keepFrom` are left.
 * Returns how many that are; -1 when the partition is another's.
 */
export const settleRecords = defineScript({
  keys: ['lease', 'stream', 'pending'],
  keyList: 'values',
  args: ['holder', 'keepFrom'],
  rest: 'records',
  lua: `
if redis.call('GET', lease) ~= holder then return -1 end
for i = 1, #values do
  local id, key, token = records[3 * i - 2], records[3 * i - 1], records[3 * i]
  redis.call('XACK', stream, 'writers', id)
  redis.call('XDEL', stream, id)
  if redis.call('HGET', pending, key) == token then redis.call('HDEL', pending, key) end
  redis.call('UNLINK', values[i])
end
local left = redis.call('XLEN', stream)
if left < tonumber(keepFrom) then redis.call('DEL', lease) end
return left
`,
});
