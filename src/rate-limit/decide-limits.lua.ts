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
local HEAD, ENTRY = 7, 13
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = clock

local function text(number) return string.format('%.0f', number) end
-- Redis counts the expiry from the whole millisecond in which the script began: one more, or a key would go too early.
local function keep(name, value, untilUs)
  redis.call('SET', name, value, 'PX', text(math.max(1, math.ceil((untilUs - clock) / 1000) + 1)))
end
local function instantOf(log, i) return (struct.unpack('<I7', log, HEAD + (i - 1) * ENTRY + 1)) end
local function totalOf(log, i)
  if i == 0 then return 0 end
  return (struct.unpack('<I6', log, HEAD + (i - 1) * ENTRY + 8))
end
local function entry(instant, total) return struct.pack('<I7I6', instant, total) end

local function countDead(log, count, cutoff)
  local low, high = 1, count + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if instantOf(log, middle) > cutoff then high = middle else low = middle + 1 end
  end
  return low - 1
end

local rules = {}

rules['sliding-window'] = {
  read = function(p)
    p.log = redis.call('GET', p.name) or ''
    p.count = math.max(0, (#p.log - HEAD) / ENTRY)
    p.last = p.count > 0 and instantOf(p.log, p.count) or 0
    return p.last
  end,
  look = function(p)
    p.dead = countDead(p.log, p.count, now - p.window)
    p.total = totalOf(p.log, p.count)
    p.before = totalOf(p.log, p.dead)
    local used = p.total - p.before
    local fits = used + p.cost <= p.limit
    local retry = 0
    if not fits then
      retry = -1
      if p.cost <= p.limit then
        local needed = p.total + p.cost - p.limit
        local low, high = p.dead + 1, p.count
        while low < high do
          local middle = math.floor((low + high) / 2)
          if totalOf(p.log, middle) >= needed then high = middle else low = middle + 1 end
        end
        retry = instantOf(p.log, low) + p.window
      end
    end
    return fits, math.max(0, p.limit - used), retry, used > 0 and p.last + p.window or 0
  end,
  take = function(p)
    if p.cost == 0 then return end
    local log, count, total = p.log, p.count, p.total + p.cost
    if count == 0 then log = struct.pack('<I7', now) end
    local isShared = count > p.dead and (p.last == now or (p.detail > 0 and math.floor(p.last / p.detail) == math.floor(now / p.detail)))
    if isShared then count = count - 1 end
    if p.dead * 2 > count + 1 then
      local parts = { string.sub(log, 1, HEAD) }
      for i = p.dead + 1, count do parts[#parts + 1] = entry(instantOf(log, i), totalOf(log, i) - p.before) end
      parts[#parts + 1] = entry(now, total - p.before)
      log = table.concat(parts)
    else
      log = string.sub(log, 1, HEAD + count * ENTRY) .. entry(now, total)
    end
    keep(p.name, log, now + p.window)
  end,
}

rules['fixed-window'] = {
  read = function(p)
    local raw = redis.call('GET', p.name)
    if raw then p.start, p.used = struct.unpack('<dd', raw) end
    return p.start or 0
  end,
  look = function(p)
    if not p.start or now >= p.start + p.window then p.start, p.used = now, 0 end
    local fits = p.used + p.cost <= p.limit
    local ends = p.start + p.window
    local retry = 0
    if not fits then retry = p.cost > p.limit and -1 or ends end
    return fits, math.max(0, p.limit - p.used), retry, p.used > 0 and ends or 0
  end,
  take = function(p)
    keep(p.name, struct.pack('<dd', p.start, p.used + p.cost), p.start + p.window)
  end,
}

rules['token-bucket'] = {
  read = function(p)
    local raw = redis.call('GET', p.name)
    if raw then p.since, p.fullAt = struct.unpack('<dd', raw) end
    return p.since or 0
  end,
  look = function(p)
    if not p.fullAt or p.fullAt <= now then p.since, p.fullAt = now, now end
    if p.limit <= 0 then return p.cost == 0, 0, p.cost == 0 and 0 or -1, 0 end
    local perToken = p.window / p.limit
    local capacity = p.detail * perToken
    local needed = p.fullAt + p.cost * perToken - capacity
    local fits = p.cost <= p.detail and needed <= now + 1
    local retry = 0
    if not fits then retry = p.cost > p.detail and -1 or math.ceil(needed) end
    local remaining = math.max(0, math.floor((now + capacity - p.fullAt + 1) / perToken))
    return fits, remaining, retry, p.fullAt > now and math.ceil(p.fullAt) or 0
  end,
  take = function(p)
    if p.limit <= 0 then return end
    local fullAt = p.fullAt + p.cost * (p.window / p.limit)
    keep(p.name, struct.pack('<dd', p.since, fullAt), fullAt)
  end,
}

rules['concurrency'] = {
  read = function() return 0 end,
  look = function(p)
    local used = redis.call('ZCOUNT', p.name, '(' .. text(now), '+inf')
    local fits = used + 1 <= p.limit
    local retry = 0
    if not fits then retry = p.limit < 1 and -1 or now + 1000000 end
    return fits, math.max(0, p.limit - used), retry, 0
  end,
  take = function(p)
    redis.call('ZREMRANGEBYSCORE', p.name, '-inf', text(now))
    redis.call('ZADD', p.name, text(now + p.window), id)
    redis.call('PEXPIRE', p.name, text(math.ceil((now + p.window - clock) / 1000) + 1))
  end,
}

local policies = {}
for i, name in ipairs(names) do
  local from = (i - 1) * 5
  local p = {
    name = name,
    rules = rules[given[from + 1]],
    limit = tonumber(given[from + 2]),
    window = tonumber(given[from + 3]),
    cost = tonumber(given[from + 4]),
    detail = tonumber(given[from + 5]),
  }
  policies[i] = p
  now = math.max(now, p.rules.read(p))
end

local status = 1
local reply = { 1, now, clock, 0 }
for _, p in ipairs(policies) do
  local fits, remaining, retry, reset = p.rules.look(p)
  if not fits then status = 0 end
  reply[#reply + 1] = fits and 1 or 0
  reply[#reply + 1] = remaining
  reply[#reply + 1] = retry
  reply[#reply + 1] = reset
end

local bannedUntil, level, refusals, since = 0, 0, 0, clock
local known = redis.call('GET', conduct)
if known then
  bannedUntil, level, refusals, since = struct.unpack('<dddd', known)
end
local isBanned = bannedUntil > clock
if isBanned then status = 2 end

if mode == 'charge' or (mode == 'take' and (status == 1 or (status == 0 and countRefused == '1'))) then
  for _, p in ipairs(policies) do p.rules.take(p) end
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
  keep(conduct, struct.pack('<dddd', bannedUntil, level, refusals, since), math.max(bannedUntil + longest, since + within))
end

reply[1] = status
if status >= 2 then reply[4] = bannedUntil end
return reply
`,
});
