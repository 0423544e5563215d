import { defineScript } from '../redis/script.ts';

/**
 * Moves an entry from where it was sent to its place, if what stands there is still what the caller has seen, and leaves a tombstone for computations under way, whose lease ends. Returns 1 if it did.
 * The entry itself comes by a plain SET: clients can be made to show what scripts are given.
 */
export const replaceEntry = defineScript({
  keys: ['entry', 'filled', 'tombstone', 'lease'],
  args: ['seen', 'version', 'tombstoneMs'],
  lua: `
local writing = redis.call('GETRANGE', entry, 24, 47)
local hex = writing:gsub('.', function(byte) return string.format('%02x', byte:byte()) end)
if hex ~= seen then
  redis.call('DEL', filled)
  return 0
end
redis.call('SET', tombstone, version, 'PX', tombstoneMs)
redis.call('DEL', lease)
return redis.pcall('RENAME', filled, entry).ok and 1 or 0
`,
});
