import { defineScript } from '../redis/script.ts';

/** Begins the idle timeout of a session anew. Returns `['touched' | 'recent' | 'gone', time in ms]`: never brings one back, and leaves one alone that was just touched. */
export const touchSession = defineScript({
  keys: ['session'],
  args: ['idleMs', 'absoluteMs', 'everyMs', 'indexedUntil'],
  lua: `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local text = string.format('%.0f', now)
if redis.call('TYPE', session).ok ~= 'hash' then return { 'gone', text } end
if now - tonumber(redis.call('HGET', session, 't') or '0') < tonumber(everyMs) then return { 'recent', text } end
local created = tonumber(redis.call('HGET', session, 'c') or '0')
local ttl = math.min(tonumber(idleMs), created + tonumber(absoluteMs) - now)
if ttl < 1 then
  redis.call('DEL', session)
  return { 'gone', text }
end
redis.call('HSET', session, 't', text, 'x', indexedUntil)
redis.call('PEXPIRE', session, string.format('%.0f', ttl))
return { 'touched', text }
`,
});
