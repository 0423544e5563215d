import { defineScript } from '../redis/script.ts';
import { POLICY_PATTERN } from './packed-policy.ts';
import { ADD_TO_LOG, FOUND_IN_LOG, LOOK_AT_LOG } from './sliding-window.lua.ts';

/**
 * Decides all policies of one client, all or nothing. Returns doubles, packed: status, now, clock, banned until, and of every policy whether it fits, remaining, retry at,
 * reset at: as it was before, but retry as it is after. Status is 0 refused, 1 admitted, 2 banned, 3 banned from now on; times are microseconds, `now` clamped so that it never runs back behind what is kept.
 *
 * `mode`: `take`; `peek` changes nothing; `charge` counts whether it fits or not. `countRefused` is 1 when refused requests use up the limit as well.
 * `policies`: packed, in the order of the keys. Kept are: of a sliding window its log, of a fixed window and a token bucket two doubles, of concurrency a sorted set of
 * leases by expiry.
 */
export const decideLimits = defineScript({
  keys: ['conduct'],
  keyList: 'names',
  args: ['mode', 'id', 'countRefused', 'banAfter', 'banWithin', 'banDuration', 'banMax'],
  rest: 'policies',
  reply: 'bytes',
  lua: `
-- No functions: making them would cost every call more than what they do.
local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]
local now, status = clock, 1
local kept = redis.call('MGET', unpack(KEYS)) -- A sorted set reads as nothing.

for i = 1, #names do
  local raw, newest = kept[i + 1], 0
  if raw and string.sub(policies[i], 1, 1) == 's' then
    newest = struct.unpack('<I7', raw, #raw - 12)
  elseif raw then
    newest = struct.unpack('<d', raw)
  end
  if newest > now then now = newest end
end

local bannedUntil, level, refusals, since = 0, 0, 0, clock
if kept[1] then bannedUntil, level, refusals, since = struct.unpack('<dddd', kept[1]) end
local found, reply = {}, ''
local isAgain = false
repeat
  for i = 1, #names do
    local raw = kept[i + 1]
    local algorithm, limit, window, cost, detail = string.match(policies[i], ${POLICY_PATTERN})
    limit, window, cost, detail = limit + 0, window + 0, cost + 0, detail + 0
    ${FOUND_IN_LOG}
    fits, remaining, retry, reset = true, 0, 0, 0
    if algorithm == 's' then
      local log, last, total = raw, 0, 0
      if log then last, total = struct.unpack('<I7I6', log, #log - 12) end
      ${LOOK_AT_LOG}
      found[i] = { count, from, born, before, lives, last, total }
    elseif algorithm == 'f' then
      local start, used = now, 0
      if raw then start, used = struct.unpack('<dd', raw) end
      if now >= start + window then start, used = now, 0 end
      fits, remaining = used + cost <= limit, limit - used
      if not fits then retry = cost > limit and -1 or start + window end
      if used > 0 then reset = start + window end
      found[i] = { start, used }
    elseif algorithm == 't' then
      local since, fullAt = now, now
      if raw then since, fullAt = struct.unpack('<dd', raw) end
      if fullAt <= now then since, fullAt = now, now end
      if limit <= 0 then
        fits = cost == 0
        if not fits then retry = -1 end
      else
        local perToken = window / limit
        local capacity = detail * perToken
        local needed = fullAt + cost * perToken - capacity
        fits = cost <= detail and needed <= now + 1
        if not fits then retry = cost > detail and -1 or math.ceil(needed) end
        remaining = math.floor((now + capacity - fullAt + 1) / perToken)
        if fullAt > now then reset = math.ceil(fullAt) end
      end
      found[i] = { since, fullAt }
    else
      local used = redis.call('ZCOUNT', names[i], '(' .. string.format('%.0f', now), '+inf')
      fits, remaining = used + 1 <= limit, limit - used
      if not fits then retry = limit < 1 and -1 or now + 1000000 end
    end
    if isAgain then
      reply = string.sub(reply, 1, i * 32 - 16) .. struct.pack('<d', retry) .. string.sub(reply, i * 32 - 7)
    else
      if not fits then status = 0 end
      reply = reply .. struct.pack('<dddd', fits and 1 or 0, remaining > 0 and remaining or 0, retry, reset)
    end
  end
  if isAgain then break end

  if bannedUntil > clock then status = 2 end

  if mode == 'charge' or (mode == 'take' and (status == 1 or (status == 0 and countRefused == '1'))) then
    for i = 1, #names do
      local name = names[i]
      local algorithm, limit, window, cost, detail = string.match(policies[i], ${POLICY_PATTERN})
      limit, window, cost = limit + 0, window + 0, cost + 0
      local value, ends
      if algorithm == 's' then
        local log, grain = kept[i + 1], detail + 0
        local count, from, born, before, lives, last, total = unpack(found[i])
        ${ADD_TO_LOG}
      elseif algorithm == 'f' then
        value, ends = struct.pack('<dd', found[i][1], found[i][2] + cost), found[i][1] + window
      elseif algorithm == 't' then
        if limit > 0 then
          ends = math.min(found[i][2] + cost * (window / limit), now + 2 ^ 53) -- Or it would be no time any more.
          value = struct.pack('<dd', found[i][1], ends)
        end
      elseif mode == 'charge' or status == 1 then -- Who is refused is not being served.
        redis.call('ZREMRANGEBYSCORE', name, '-inf', string.format('%.0f', now))
        redis.call('ZADD', name, string.format('%.0f', now + window), id)
        -- Others may be longer: the key lives as long as the longest.
        local latest = redis.call('ZREVRANGE', name, 0, 0, 'WITHSCORES')[2]
        redis.call('PEXPIRE', name, math.ceil((latest - clock) / 1000) + 1)
      end
      if value then redis.call('SET', name, value, 'PX', math.max(1, math.ceil((ends - clock) / 1000) + 1)) end
    end
  end

  isAgain = status == 0 and mode == 'take' and countRefused == '1' -- What a refusal uses moves the time when it will fit in.
  if isAgain then kept = redis.call('MGET', unpack(KEYS)) end
until not isAgain

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

return struct.pack('<dddd', status, now, clock, status >= 2 and bannedUntil or 0) .. reply
`,
});
