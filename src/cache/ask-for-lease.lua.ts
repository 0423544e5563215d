import { defineScript } from '../redis/script.ts';

/**
 * Asks to be the one that computes an entry. Returns `changed` when the entry is not the one that the asker has seen; `theirs`: then the asker's inbox is told how it ended; or
 * `mine`, with the name of the latest tombstone. Where there is none, the asker's own name is left in its place for `markMs`: one that is lost can then be told from one that was never there.
 */
export const askForLease = defineScript({
  keys: ['lease', 'entry', 'tombstone'],
  args: ['owner', 'inbox', 'ttlMs', 'seen', 'stamp', 'over', 'markMs'],
  lua: `
local writing = redis.call('GETRANGE', entry, 24, 47)
local hex = writing:gsub('.', function(byte) return string.format('%02x', byte:byte()) end)
if hex ~= seen then return { 'changed' } end
local holder = redis.call('HGET', lease, 'owner')
if holder and holder ~= owner and holder ~= over then
  redis.call('HSET', lease, 'w:' .. inbox, 1)
  return { 'theirs', holder, redis.call('HGET', lease, 'stamp') or '' }
end
redis.call('HSET', lease, 'owner', owner, 'stamp', stamp)
redis.call('PEXPIRE', lease, ttlMs)
local version = redis.call('GET', tombstone)
if not version and markMs ~= '0' then
  version = owner
  redis.call('SET', tombstone, version, 'PX', markMs)
end
return { 'mine', version or '' }
`,
});
