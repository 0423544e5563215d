import { defineScript } from '../redis/script.ts';

/**
 * Decides all policies of one client, all or nothing. Returns `[status, now, clock, banned until]` and of every policy `[fits, remaining, retry at, reset at]`: status
 * 0 refused, 1 admitted, 2 banned, 3 banned from now on; times in microseconds, `now` clamped so that it never runs back behind what is kept.
 *
 * `mode`: `take`; `peek` changes nothing; `charge` counts whether it fits or not. `countRefused` is 1 when refused requests use up the limit as well. Per policy five
 * values: algorithm, limit, window, cost, detail, in the order of the keys. Kept are: of a sliding window the log (first instant, then entries of instant and
 * cumulative cost), of a fixed window and a token bucket two doubles, of concurrency a sorted set of leases by expiry.
 */
export const decideLimits = defineScript({
  keys: ['conduct'],
  keyList: 'names',
  args: ['mode', 'id', 'countRefused', 'banAfter', 'banWithin', 'banDuration', 'banMax'],
  rest: 'given',
  lua: `
-- No functions: making them would cost every call more than what they do.
local HEAD, ENTRY = 7, 13
local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]
local now = clock
local kept = redis.call('MGET', unpack(KEYS)) -- A sorted set reads as nothing.

local policies = {}
for i = 1, #names do
  local from, raw = i * 5 - 5, kept[i + 1]
  local p = {
    name = names[i],
    algorithm = given[from + 1],
    limit = tonumber(given[from + 2]),
    window = tonumber(given[from + 3]),
    cost = tonumber(given[from + 4]),
    detail = tonumber(given[from + 5]),
    log = raw, first = 0, second = 0, dead = 0, before = 0,
  }
  if raw and p.algorithm == 'sliding-window' then
    p.first, p.second = struct.unpack('<I7I6', raw, #raw - ENTRY + 1) -- The last instant, and what was admitted in all.
  elseif raw and p.algorithm ~= 'concurrency' then
    p.first, p.second = struct.unpack('<dd', raw) -- Start and use, or since when and until when a bucket is not full.
  end
  if p.first > now then now = p.first end
  policies[i] = p
end

local status = 1
local reply = { 1, now, clock, 0 }
for i = 1, #policies do
  local p = policies[i]
  local limit, window, cost, algorithm = p.limit, p.window, p.cost, p.algorithm
  local fits, remaining, retry, reset = true, 0, 0, 0
  if algorithm == 'sliding-window' then
    local log, cutoff = p.log, now - window
    local count = log and (#log - HEAD) / ENTRY or 0
    if count > 0 and struct.unpack('<I7', log, HEAD + 1) <= cutoff then
      local low, high = 2, count + 1
      while low < high do
        local middle = math.floor((low + high) / 2)
        if struct.unpack('<I7', log, HEAD + (middle - 1) * ENTRY + 1) > cutoff then high = middle else low = middle + 1 end
      end
      p.dead = low - 1
      p.before = struct.unpack('<I6', log, HEAD + (low - 2) * ENTRY + 8)
    end
    local used = p.second - p.before
    fits, remaining = used + cost <= limit, limit - used
    if not fits then
      retry = -1
      if cost <= limit then
        local needed = p.second + cost - limit
        local low, high = p.dead + 1, count
        while low < high do
          local middle = math.floor((low + high) / 2)
          if struct.unpack('<I6', log, HEAD + (middle - 1) * ENTRY + 8) >= needed then high = middle else low = middle + 1 end
        end
        retry = struct.unpack('<I7', log, HEAD + (low - 1) * ENTRY + 1) + window
      end
    end
    if used > 0 then reset = p.first + window end
  elseif algorithm == 'fixed-window' then
    if not p.log or now >= p.first + window then p.first, p.second = now, 0 end
    fits, remaining = p.second + cost <= limit, limit - p.second
    if not fits then retry = cost > limit and -1 or p.first + window end
    if p.second > 0 then reset = p.first + window end
  elseif algorithm == 'token-bucket' then
    if p.second <= now then p.first, p.second = now, now end
    if limit <= 0 then
      fits = cost == 0
      if not fits then retry = -1 end
    else
      local perToken = window / limit
      local capacity = p.detail * perToken
      local needed = p.second + cost * perToken - capacity
      fits = cost <= p.detail and needed <= now + 1
      if not fits then retry = cost > p.detail and -1 or math.ceil(needed) end
      remaining = math.floor((now + capacity - p.second + 1) / perToken)
      if p.second > now then reset = math.ceil(p.second) end
    end
  else
    local used = redis.call('ZCOUNT', p.name, '(' .. string.format('%.0f', now), '+inf')
    fits, remaining = used + 1 <= limit, limit - used
    if not fits then retry = limit < 1 and -1 or now + 1000000 end
  end
  if not fits then status = 0 end
  local at = i * 4
  reply[at + 1] = fits and 1 or 0
  reply[at + 2] = remaining > 0 and remaining or 0
  reply[at + 3] = retry
  reply[at + 4] = reset
end

local bannedUntil, level, refusals, since = 0, 0, 0, clock
if kept[1] then bannedUntil, level, refusals, since = struct.unpack('<dddd', kept[1]) end
if bannedUntil > clock then status = 2 end

if mode == 'charge' or (mode == 'take' and (status == 1 or (status == 0 and countRefused == '1'))) then
  for i = 1, #policies do
    local p = policies[i]
    local window, cost, algorithm = p.window, p.cost, p.algorithm
    local value, ends
    if algorithm == 'sliding-window' then
      if cost > 0 then
        local log, dead = p.log, p.dead
        local count = log and (#log - HEAD) / ENTRY or 0
        local shares = p.first == now or (p.detail > 0 and math.floor(p.first / p.detail) == math.floor(now / p.detail))
        if count > dead and shares then count = count - 1 end
        ends = now + window
        if count == 0 and not log then
          value = struct.pack('<I7I7I6', now, now, cost)
        elseif dead * 2 > count + 1 then
          local parts = { string.sub(log, 1, HEAD) }
          for j = dead + 1, count do
            local instant, total = struct.unpack('<I7I6', log, HEAD + (j - 1) * ENTRY + 1)
            parts[#parts + 1] = struct.pack('<I7I6', instant, total - p.before)
          end
          parts[#parts + 1] = struct.pack('<I7I6', now, p.second + cost - p.before)
          value = table.concat(parts)
        else
          value = string.sub(log, 1, HEAD + count * ENTRY) .. struct.pack('<I7I6', now, p.second + cost)
        end
      end
    elseif algorithm == 'fixed-window' then
      value, ends = struct.pack('<dd', p.first, p.second + cost), p.first + window
    elseif algorithm == 'token-bucket' then
      if p.limit > 0 then
        ends = p.second + cost * (window / p.limit)
        value = struct.pack('<dd', p.first, ends)
      end
    else
      redis.call('ZREMRANGEBYSCORE', p.name, '-inf', string.format('%.0f', now))
      redis.call('ZADD', p.name, string.format('%.0f', now + window), id)
      redis.call('PEXPIRE', p.name, math.ceil((now + window - clock) / 1000) + 1)
    end
    -- Redis counts the expiry from the whole millisecond in which the script began: one more, or a key would go too early.
    if value then redis.call('SET', p.name, value, 'PX', math.max(1, math.ceil((ends - clock) / 1000) + 1)) end
  end
end

local after = tonumber(banAfter)
if mode == 'take' and status == 0 and after > 0 then
  local within, longest = tonumber(banWithin), tonumber(banMax)
  if refusals == 0 or since + within <= clock then refusals, since = 0, clock end
  refusals = refusals + 1
  if refusals >= after then
    bannedUntil = clock + math.min(tonumber(banDuration) * 2 ^ math.min(level, 30), longest)
    level, refusals, since, status = level + 1, 0, clock, 3
  end
  local forgotten = math.max(bannedUntil + longest, since + within)
  redis.call('SET', conduct, struct.pack('<dddd', bannedUntil, level, refusals, since), 'PX', math.ceil((forgotten - clock) / 1000) + 1)
end

reply[1] = status
if status >= 2 then reply[4] = bannedUntil end
return reply
`,
});
