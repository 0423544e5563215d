import { defineScript } from '../redis/script.ts';

/**
 * Makes a dead letter a record again, the last of its partition. One that something newer of its key has replaced is dropped where only the last counts. Returns `revived`, `replaced`, `full`
 * or `gone`.
 */
export const reviveLetter = defineScript({
  keys: ['stream', 'pending', 'value', 'dead', 'replaceable'],
  args: ['letter', 'key', 'token', 'collapse', 'maxPending'],
  lua: `
if #redis.call('XRANGE', dead, letter, letter) == 0 then return 'gone' end
local isLast = redis.call('HGET', replaceable, key) == token
if collapse == 'last' and not isLast then
  redis.call('XDEL', dead, letter)
  redis.call('UNLINK', value)
  return 'replaced'
end
if redis.call('XLEN', stream) >= tonumber(maxPending) then return 'full' end
redis.call('XADD', stream, '*', 'k', key, 't', token)
if isLast then
  redis.call('HSET', pending, key, token)
  redis.call('HDEL', replaceable, key)
end
redis.call('XDEL', dead, letter)
return 'revived'
`,
});
