import { defineScript } from '../redis/script.ts';

/**
 * Takes an admission back, in every policy that still counts it: what has expired or was reset stays as it is, and no key begins to live for ever. Per policy four
 * values: algorithm, limit, window, cost, in the order of the keys. For logs see `sliding-window.lua`.
 */
export const refundLimits = defineScript({
  keys: [],
  keyList: 'names',
  args: ['at', 'id'],
  rest: 'given',
  lua: `
local instant = tonumber(at)
local rules = {}

rules['sliding-window'] = function(name, _, _, cost)
  local log = redis.call('GET', name)
  if not log or instant <= struct.unpack('<I7', log) then return end
  local count = (#log - 20) / 13
  local low, high = 1, count + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if struct.unpack('<I7', log, middle * 13 + 8) >= instant then high = middle else low = middle + 1 end
  end
  if low > count then return end
  local before = low > 1 and struct.unpack('<I6', log, low * 13 + 2) or struct.unpack('<I6', log, 8)
  local back = math.min(cost, struct.unpack('<I6', log, low * 13 + 15) - before)
  local parts = { string.sub(log, 1, low * 13 + 7) }
  for i = low, count do
    local moment, total = struct.unpack('<I7I6', log, i * 13 + 8)
    parts[#parts + 1] = struct.pack('<I7I6', moment, total - back)
  end
  redis.call('SET', name, table.concat(parts), 'KEEPTTL')
end

rules['fixed-window'] = function(name, _, _, cost)
  local raw = redis.call('GET', name)
  if not raw then return end
  local start, used = struct.unpack('<dd', raw)
  if instant < start then return end
  redis.call('SET', name, struct.pack('<dd', start, math.max(0, used - cost)), 'KEEPTTL')
end

rules['token-bucket'] = function(name, limit, window, cost)
  local raw = redis.call('GET', name)
  if not raw or limit <= 0 then return end
  local since, fullAt = struct.unpack('<dd', raw)
  if instant < since then return end
  redis.call('SET', name, struct.pack('<dd', since, fullAt - cost * (window / limit)), 'KEEPTTL')
end

rules['concurrency'] = function(name) redis.call('ZREM', name, id) end

for i, name in ipairs(names) do
  local from = (i - 1) * 4
  rules[given[from + 1]](name, tonumber(given[from + 2]), tonumber(given[from + 3]), tonumber(given[from + 4]))
end
return 1
`,
});
