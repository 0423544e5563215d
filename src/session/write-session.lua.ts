import { defineScript } from '../redis/script.ts';

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
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local kind = redis.call('TYPE', session).ok
if mode == 'update' then
  if kind ~= 'hash' then return { 'gone' } end
elseif kind ~= 'none' then
  redis.call('DEL', session) -- Not needlessly: after a first write a full server refuses none.
end

local at = 1 + tonumber(deletions)
for i = at, at + 2 * tonumber(checks) - 2, 2 do
  local stored = redis.call('HGET', session, parts[i])
  if (stored and redis.sha1hex(stored) or '') ~= parts[i + 1] then return { 'conflict', parts[i] } end
end
at = at + 2 * tonumber(checks)

local created = tonumber(redis.call('HGET', session, 'c') or createdAt)
if created == 0 then created = now end
local ttl = math.min(tonumber(idleMs), created + tonumber(absoluteMs) - now)
if ttl < 1 then
  redis.call('DEL', session)
  return { 'gone' }
end
for i = 1, tonumber(deletions) do redis.call('HDEL', session, parts[i]) end
for i = at, #parts, 2 do redis.call('HSET', session, parts[i], parts[i + 1]) end
redis.call('HSET', session, 'c', string.format('%.0f', created), 't', string.format('%.0f', now), 'x', indexedUntil)
redis.call('PEXPIRE', session, string.format('%.0f', ttl))
return { 'written', string.format('%.0f', now), string.format('%.0f', created) }
`,
});
