import { defineScript } from '../redis/script.ts';

const definition = {
  keys: [],
  keyList: 'places',
  args: ['command'],
  rest: 'more',
  lua: `
local parts = {command}
for i = 1, #places do parts[#parts + 1] = places[i] end
for i = 1, #more do parts[#parts + 1] = more[i] end
return redis.call(unpack(parts))
`,
} as const;

/** A command that reads, as a script: those are answered by the master, whatever the client says about reads. */
export const readMaster = defineScript(definition);

/** {@link readMaster}, with bytes in its reply. */
export const readMasterBytes = defineScript({ ...definition, reply: 'bytes' });
