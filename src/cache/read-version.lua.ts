import { defineScript } from '../redis/script.ts';

/** Returns the name of the latest tombstone, or `''`; where there is none, a `mark` that is not empty becomes it. Also as GET for clients that read from replicas: they send every script to the master. */
export const readVersion = defineScript({
  keys: ['tombstone'],
  args: ['mark', 'markMs'],
  lua: `
local version = redis.call('GET', tombstone)
if not version and mark ~= '' then
  version = mark
  redis.call('SET', tombstone, version, 'PX', markMs)
end
return version or ''
`,
});
