import { defineScript } from '../redis/script.ts';

/**
 * Moves a computed entry from where it was sent to its place, unless something was put or removed there since its computation began. Returns 1 if it did.
 * The entry itself comes by a plain SET: clients can be made to show what scripts are given.
 */
export const acceptFill = defineScript({
  keys: ['entry', 'filled', 'tombstone', 'lease'],
  args: ['version'],
  lua: `
if (redis.call('GET', tombstone) or '') == version then
  -- The name that the computation itself has left is needed no more, unless another has taken its lease over, and goes by it too.
  if redis.call('HGET', lease, 'owner') == version then redis.call('DEL', tombstone) end
  return redis.pcall('RENAME', filled, entry).ok and 1 or 0
end
redis.call('DEL', filled)
return 0
`,
});
