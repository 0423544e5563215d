import { defineScript } from '../redis/script.ts';

/**
 * Writes invalidations into the register and returns `[generation, previous clock, new clock, floor, time in µs]`. Creates the register if it is missing.
 * Without members, minimum and floor it only reads an existing register.
 *
 * The clock is max(Redis time, last clock + 1, a clock some process has seen + 1): a counter alone has no time to prune by, a wall clock alone steps back,
 * and a clock that a failover has taken back must not be given out twice. Members are scored one below the new clock, which is the score of `!c:<generation>`
 * alone: asking for everything from a known clock on returns that one member while nothing has changed.
 */
export const bumpRegister = defineScript({
  keys: ['register'],
  args: ['channel', 'newGeneration', 'minClock', 'raiseFloorTo', 'retentionUs', 'cap'],
  rest: 'members',
  lua: `
local function text(number) return string.format('%.0f', number) end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local generation = redis.call('ZSCORE', register, '!g')
local isNew = not generation
if isNew then generation = newGeneration end
generation = text(tonumber(generation))
local previous = tonumber(redis.call('ZSCORE', register, '!c:' .. generation) or '0')
local floor = tonumber(redis.call('ZSCORE', register, '!f') or '0')

if not isNew and #members == 0 and raiseFloorTo == '0' and minClock == '0' then
  -- Changes nothing but asks for a master: a replica would go on answering from behind.
  local refusal = redis.pcall('ZADD', register, generation, '!g')
  if type(refusal) == 'table' and refusal.err and string.find(refusal.err, 'READONLY', 1, true) then return refusal end
  return { generation, text(previous), text(previous), text(floor), text(now) }
end

local score = math.max(now, previous + 1, tonumber(minClock) + 1)
local clock = score + 1
for first = 1, #members, 1000 do
  local scored = {}
  for i = first, math.min(first + 999, #members) do
    scored[#scored + 1] = text(score)
    scored[#scored + 1] = members[i]
  end
  redis.call('ZADD', register, unpack(scored))
end

-- Prune the oldest records: those no living entry can need, and those beyond the cap.
local newFloor = floor
if raiseFloorTo == 'clock' then newFloor = score else newFloor = math.max(newFloor, tonumber(raiseFloorTo)) end
local budget = 128 + #members
local tooOld = math.max(newFloor, now - tonumber(retentionUs))
local excess = math.min(redis.call('ZCARD', register) - tonumber(cap) - 4, budget)
local candidates
if excess > 0 then
  candidates = redis.call('ZRANGE', register, 0, budget + 3, 'WITHSCORES')
else
  candidates = redis.call('ZRANGEBYSCORE', register, '-inf', text(tooOld), 'WITHSCORES', 'LIMIT', 0, budget + 4)
end
local doomed = {}
local function remove()
  if #doomed > 0 then redis.call('ZREM', register, unpack(doomed)) end
  doomed = {}
end
for i = 1, #candidates, 2 do
  local age = tonumber(candidates[i + 1])
  if string.sub(candidates[i], 1, 1) ~= '!' then
    if age > tooOld and excess <= 0 then break end
    doomed[#doomed + 1] = candidates[i]
    newFloor = math.max(newFloor, age)
    excess = excess - 1
    if #doomed == 1000 then remove() end
  end
end
remove()

if newFloor > floor then
  redis.call('ZREM', register, '!F:' .. text(floor))
  redis.call('ZADD', register, text(newFloor), '!f', text(score), '!F:' .. text(newFloor))
elseif isNew then
  redis.call('ZADD', register, '0', '!f')
end
redis.call('ZADD', register, generation, '!g', text(clock), '!c:' .. generation)
redis.pcall('PUBLISH', channel, text(clock)) -- May be forbidden to this user: news are a courtesy.
return { generation, text(previous), text(clock), text(newFloor), text(now) }
`,
});
