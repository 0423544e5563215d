import { defineScript } from '../redis/script.ts';

/**
 * Records one change, unless the partition is full. Its value has come before, by a plain SET that ends by itself: clients can be made to show what scripts are given. Returns how many records
 * there are then, 0 when it is full, -1 when the value is not there. XADD is the first write: a server that is full refuses all of it or nothing.
 */
export const appendRecord = defineScript({
  keys: ['stream', 'pending', 'value', 'replaceable'],
  args: ['key', 'token', 'maxPending'],
  lua: `
if token:sub(1, 1) == 'v' then
  local left = redis.call('PTTL', value)
  -- Clients repeat what a broken connection left unanswered: this record is there already.
  if left == -1 then return math.max(1, redis.call('XLEN', stream)) end
  if left == -2 then return -1 end
end
if redis.call('XLEN', stream) >= tonumber(maxPending) then
  redis.call('UNLINK', value)
  return 0
end
redis.call('XADD', stream, '*', 'k', key, 't', token)
redis.call('HSET', pending, key, token)
redis.call('HDEL', replaceable, key)
redis.call('PERSIST', value)
return redis.call('XLEN', stream)
`,
});
