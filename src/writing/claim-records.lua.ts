import { defineScript } from '../redis/script.ts';

/**
 * Takes or keeps a partition, and the records at its head: those handed out before and never settled come first. Returns `empty`, `theirs`, or the fence, how many times the head has been handed
 * out, and id, key and token of each record. A head that was handed out `attempts` times comes alone.
 *
 * The DEL comes first because a full server refuses scripts whose first write needs memory: what is written behind is what makes room.
 */
export const claimRecords = defineScript({
  keys: ['lease', 'fence', 'stream'],
  args: ['owner', 'leaseMs', 'count', 'attempts'],
  lua: `
local holder = redis.call('GET', lease)
local isMine = holder and holder:sub(1, #owner + 1) == owner .. ' '
if redis.call('XLEN', stream) == 0 then
  if isMine then redis.call('DEL', lease) end
  return {'empty'}
end
if holder and not isMine then return {'theirs'} end
local held
if isMine then
  held = holder:sub(#owner + 2)
  redis.call('PEXPIRE', lease, leaseMs)
else
  redis.call('DEL', lease)
  local time = redis.call('TIME')
  local last = tonumber(redis.call('GET', fence) or '0')
  held = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last + 1))
  redis.call('SET', fence, held)
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
local records = head and read('0') or read('>')
local found = {held, before + 1}
for i = 1, #records do
  local fields = records[i][2]
  found[#found + 1] = records[i][1]
  found[#found + 1] = fields and fields[2] or ''
  found[#found + 1] = fields and fields[4] or ''
end
return found
`,
});
