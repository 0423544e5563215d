import { defineScript } from '../redis/script.ts';

/** Overwrites an entry's instants, if it is still what the caller has seen, and keeps it as long. Returns 1 if it did. */
export const renewEntry = defineScript({
  keys: ['entry'],
  args: ['seen', 'instants', 'keptMs'],
  lua: `
local writing = redis.call('GETRANGE', entry, 24, 47)
local hex = writing:gsub('.', function(byte) return string.format('%02x', byte:byte()) end)
if hex ~= seen then return 0 end
redis.call('SETRANGE', entry, 40, (instants:gsub('%x%x', function(byte) return string.char(tonumber(byte, 16)) end)))
redis.call('PEXPIRE', entry, keptMs)
return 1
`,
});
