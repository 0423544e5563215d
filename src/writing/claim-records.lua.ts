import { defineScript } from '../redis/script.ts';

/**
 * Takes or keeps a partition, and the records at its head: those handed out before and never settled come first. Returns `empty`, `theirs`, or the fence, which attempt at the head this is, and id,
 * key and token of each record. A head that was attempted `attempts` times comes alone.
 *
 * Whoever had the partition last and does not say that writing has `failed` makes no further attempt: he may never have been answered. Another, who takes it over, does: its owner may have died of it.
 *
 * The DEL comes first because a full server refuses scripts whose first write needs memory: what is written behind is what makes room.
 */
export const claimRecords = defineScript({
  keys: ['lease', 'fence', 'stream'],
  args: ['owner', 'leaseMs', 'count', 'attempts', 'outcome'],
  lua: `
local holder = redis.call('GET', lease)
local isMine = holder and holder:sub(1, #owner + 1) == owner .. ' '
if redis.call('XLEN', stream) == 0 then
  if isMine then redis.call('DEL', lease) end
  return {'empty'}
end
if holder and not isMine then return {'theirs'} end
local last, lastOwner = (redis.call('GET', fence) or '0'):match('^(%d+) ?(.*)$')
local held
if isMine then
  held = holder:sub(#owner + 2)
  redis.call('PEXPIRE', lease, leaseMs)
else
  redis.call('DEL', lease)
  local time = redis.call('TIME')
  held = string.format('%.0f', math.max(time[1] * 1000000 + time[2], tonumber(last) + 1))
  redis.call('SET', fence, held .. ' ' .. owner)
  redis.call('SET', lease, owner .. ' ' .. held, 'PX', leaseMs)
  redis.pcall('XGROUP', 'CREATE', stream, 'writers', '0')
end
local head = redis.call('XPENDING', stream, 'writers', '-', '+', 1)[1]
local before = head and head[4] or 0
local size = before >= tonumber(attempts) and 1 or count
local function read(from)
  local reply = redis.call('XREADGROUP', 'GROUP', 'writers', 'owner', 'COUNT', size, 'STREAMS', stream, from)
  return reply and reply[1] and reply[1][2] or {}
end
local isSame = head and lastOwner == owner and outcome ~= 'failed'
local records
if isSame then
  -- Reading them as one who is given them would count. They are the first of the stream.
  local out = #redis.call('XPENDING', stream, 'writers', '-', '+', size)
  records = redis.call('XRANGE', stream, '-', '+', 'COUNT', out)
else
  records = head and read('0') or read('>')
end
local found = {held, isSame and before or before + 1}
for i = 1, #records do
  local fields = records[i][2]
  found[#found + 1] = records[i][1]
  found[#found + 1] = fields and fields[2] or ''
  found[#found + 1] = fields and fields[4] or ''
end
return found
`,
});
