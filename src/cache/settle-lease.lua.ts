import { defineScript } from '../redis/script.ts';

/** Gives a lease back, if it is still the owner's, with the name it left if its computation is over, and tells the inboxes of those who wait how it ended. Returns 1 if it did. */
export const settleLease = defineScript({
  keys: ['lease', 'tombstone'],
  args: ['owner', 'message', 'isOver'],
  lua: `
if redis.call('HGET', lease, 'owner') ~= owner then return 0 end
local fields = redis.call('HKEYS', lease)
redis.call('DEL', lease)
if isOver == '1' and redis.call('GET', tombstone) == owner then redis.call('DEL', tombstone) end
for i = 1, #fields do
  if fields[i]:sub(1, 2) == 'w:' then redis.call('PUBLISH', fields[i]:sub(3), message) end
end
return 1
`,
});
