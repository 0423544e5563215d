import { defineScript } from '../redis/script.ts';

/**
 * Asks to be the one that computes an entry. Returns `changed` when the entry is not the one that the asker has seen, `mine`, or `theirs`: then the asker's
 * inbox is told how it ended.
 */
export const askForLease = defineScript({
  keys: ['lease', 'entry'],
  args: ['owner', 'inbox', 'ttlMs', 'seen'],
  lua: `
local writing = redis.call('GETRANGE', entry, 24, 47)
local hex = writing:gsub('.', function(byte) return string.format('%02x', byte:byte()) end)
if hex ~= seen then return 'changed' end
local holder = redis.call('HGET', lease, 'owner')
if holder and holder ~= owner then
  redis.call('HSET', lease, 'w:' .. inbox, 1)
  return 'theirs'
end
redis.call('HSET', lease, 'owner', owner)
redis.call('PEXPIRE', lease, ttlMs)
return 'mine'
`,
});
