import { createHash } from 'node:crypto';
import type { RedisClient } from './client.ts';

/** What a script takes, by name. In its Lua every name is a local variable holding the key or the argument (a string). */
interface ScriptDefinition<Key extends string, Argument extends string, KeyList extends string> {
  readonly keys: readonly Key[];
  /** Name of the Lua table that holds any number of further keys. */
  readonly keyList?: KeyList;
  readonly args: readonly Argument[];
  /** Name of the Lua table that holds any number of further arguments. */
  readonly rest?: string;
  /** `bytes`: strings of the reply arrive as a Buffer. */
  readonly reply?: 'bytes';
  readonly lua: string;
}

/** A script that can be run on any client. Its reply is whatever the Lua returns. */
export type Script<Key extends string, Argument extends string, KeyList extends string = never> = (
  client: RedisClient,
  keys: Readonly<Record<Key, string>> & Readonly<Record<KeyList, readonly string[]>>,
  args: Readonly<Record<Argument, string | number>>,
  rest?: readonly (string | number)[],
) => Promise<unknown>;

/**
 * Declares a Lua script. It is sent as EVALSHA, and as EVAL only when the server does not know it (NOSCRIPT): repeating it on any other error
 * could do its work twice.
 */
export function defineScript<Key extends string, Argument extends string, KeyList extends string = never>(
  definition: ScriptDefinition<Key, Argument, KeyList>,
): Script<Key, Argument, KeyList> {
  const source = preamble(definition) + definition.lua;
  const sha = createHash('sha1').update(source).digest('hex');
  const { keyList, reply } = definition;
  const call = reply === 'bytes' ? 'callBuffer' : 'call';
  return (client, keys, args, rest = []) => {
    const values: (string | number)[] = definition.keys.map((name): string => keys[name]);
    if (keyList !== undefined) values.push(...(keys[keyList] as readonly string[]));
    const keyCount = values.length;
    for (const name of definition.args) values.push(args[name]);
    if (rest.length > 0) values.push(...rest);
    return client[call]('evalsha', sha, keyCount, ...values).catch((error: unknown) => {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return client[call]('eval', source, keyCount, ...values);
    });
  };
}

function preamble({ keys, keyList, args, rest }: ScriptDefinition<string, string, string>): string {
  const lines = [
    ...keys.map((name, i) => `local ${name} = KEYS[${i + 1}]`),
    ...args.map((name, i) => `local ${name} = ARGV[${i + 1}]`),
  ];
  // Loops, not unpack(): Lua's stack ends at about 8,000 values.
  if (keyList !== undefined) lines.push(tableOf(keyList, 'KEYS', keys.length));
  if (rest !== undefined) lines.push(tableOf(rest, 'ARGV', args.length));
  return `${lines.join('\n')}\n`;
}

function tableOf(name: string, source: string, from: number): string {
  return `local ${name} = {}\nfor i = ${from + 1}, #${source} do ${name}[i - ${from}] = ${source}[i] end`;
}
