import { defineScript } from '../redis/script.ts';

/** Values in one command, an even number: Lua's stack ends at about 8,000. */
const CHUNK = 4_000;

/**
 * Writes properties of a session and begins its idle timeout anew. Returns `['written', time in ms, created at]`, `['gone']` when it was to be updated and is not
 * there, or `['conflict', property]` when a property is no longer what its writer has read. `parts`: first names to delete, then pairs of name and SHA-1 of what
 * was read (empty: nothing was there), then pairs of name and value.
 */
export const writeSession = defineScript({
  keys: ['session'],
  args: ['mode', 'createdAt', 'idleMs', 'absoluteMs', 'indexedUntil', 'deletions', 'checks'],
  rest: 'parts',
  lua: `
local created = tonumber(createdAt)
if mode == 'update' then
  local stored = redis.pcall('HGET', session, 'c') -- An error where something else than a hash is.
  if type(stored) ~= 'string' then return { 'gone' } end
  created = tonumber(stored)
elseif redis.call('EXISTS', session) == 1 then
  redis.call('DEL', session) -- Not needlessly: after a first write a full server refuses none.
end

local at = 1 + tonumber(deletions)
local first = at + 2 * tonumber(checks)
for i = at, first - 2, 2 do
  local stored = redis.call('HGET', session, parts[i])
  if (stored and redis.sha1hex(stored) or '') ~= parts[i + 1] then return { 'conflict', parts[i] } end
end

local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
if created == 0 then created = tonumber(now) end
local ttl = math.min(tonumber(idleMs), created + tonumber(absoluteMs) - tonumber(now))
if ttl < 1 then
  redis.call('DEL', session)
  return { 'gone' }
end
local text = string.format('%.0f', created)
for i = 1, tonumber(deletions) do redis.call('HDEL', session, parts[i]) end
for from = first + ${CHUNK}, #parts, ${CHUNK} do
  redis.call('HSET', session, unpack(parts, from, math.min(from + ${CHUNK} - 1, #parts)))
end
redis.call('HSET', session, 'c', text, 't', now, 'x', indexedUntil, unpack(parts, first, math.min(first + ${CHUNK} - 1, #parts)))
redis.call('PEXPIRE', session, string.format('%.0f', ttl))
return { 'written', now, text }
`,
});
