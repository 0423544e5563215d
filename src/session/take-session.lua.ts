import { defineScript } from '../redis/script.ts';

/** Ends a session and returns what it was, as HGETALL does; nothing when there was none, or something else. */
export const takeSession = defineScript({
  keys: ['session'],
  args: [],
  lua: `
local former = {}
if redis.call('TYPE', session).ok == 'hash' then former = redis.call('HGETALL', session) end
redis.call('UNLINK', session)
return former
`,
});
