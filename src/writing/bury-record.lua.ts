import { defineScript } from '../redis/script.ts';

/**
 * Moves a record to the dead letters; its value stays where it is. `replaceable` remembers the letters that nothing newer of their key has replaced. Returns 1; 0 when there are too many dead
 * letters; -1 when the partition is another's. The XACK comes before what needs memory, as in claim-records.
 */
export const buryRecord = defineScript({
  keys: ['lease', 'stream', 'pending', 'dead', 'replaceable'],
  args: ['holder', 'id', 'key', 'token', 'error', 'attempts', 'maxDead'],
  lua: `
if redis.call('GET', lease) ~= holder then return -1 end
if redis.call('XLEN', dead) >= tonumber(maxDead) then return 0 end
redis.call('XACK', stream, 'writers', id)
redis.call('XDEL', stream, id)
redis.call('XADD', dead, '*', 'k', key, 't', token, 'e', error, 'n', attempts, 'i', id)
if redis.call('HGET', pending, key) == token then
  redis.call('HDEL', pending, key)
  redis.call('HSET', replaceable, key, token)
end
return 1
`,
});
