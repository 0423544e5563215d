import { defineScript } from '../redis/script.ts';

/** Removes an entry if it is still the writing that the caller has seen. Returns 1 if it did. */
export const unlinkWriting = defineScript({
  keys: ['entry'],
  args: ['seen'],
  lua: `
local writing = redis.call('GETRANGE', entry, 24, 47)
local hex = writing:gsub('.', function(byte) return string.format('%02x', byte:byte()) end)
if hex ~= seen then return 0 end
return redis.call('UNLINK', entry)
`,
});
