import { defineScript } from '../redis/script.ts';

/** Compare and set: replaces a text that is still the one whose SHA-1 is given. Returns 1 when it did, else the text that is there, or nothing when there is none. */
export const swapJson = defineScript({
  keys: ['session'],
  args: ['sha1', 'text', 'ttlMs'],
  lua: `
local current = redis.call('GET', session)
if not current then return false end
if redis.sha1hex(current) ~= sha1 then return current end
if tonumber(ttlMs) < 1 then redis.call('DEL', session) else redis.call('SET', session, text, 'PX', ttlMs) end
return 1
`,
});
