import { createHash } from 'node:crypto';
import type { RedisClient } from './client.ts';

/** What a script takes, by name. In its Lua every name is a local variable holding the key or the argument (a string). */
interface ScriptDefinition<Key extends string, Argument extends string> {
  readonly keys: readonly Key[];
  readonly args: readonly Argument[];
  /** Name of the Lua table that holds any number of further arguments. */
  readonly rest?: string;
  readonly lua: string;
}

/** A script that can be run on any client. Its reply is whatever the Lua returns. */
export type Script<Key extends string, Argument extends string> = (
  client: RedisClient,
  keys: Readonly<Record<Key, string>>,
  args: Readonly<Record<Argument, string | number>>,
  rest?: readonly string[],
) => Promise<unknown>;

/**
 * Declares a Lua script. It is sent as EVALSHA, and as EVAL only when the server does not know it (NOSCRIPT): repeating it on any other error
 * could do its work twice.
 */
export function defineScript<Key extends string, Argument extends string>(
  definition: ScriptDefinition<Key, Argument>,
): Script<Key, Argument> {
  const source = preamble(definition) + definition.lua;
  const sha = createHash('sha1').update(source).digest('hex');
  return async (client, keys, args, rest = []) => {
    const values = [
      ...definition.keys.map((name) => keys[name]),
      ...definition.args.map((name) => args[name]),
      ...rest,
    ];
    try {
      return await client.evalsha(sha, definition.keys.length, ...values);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return client.eval(source, definition.keys.length, ...values);
    }
  };
}

function preamble({ keys, args, rest }: ScriptDefinition<string, string>): string {
  const lines = [
    ...keys.map((name, i) => `local ${name} = KEYS[${i + 1}]`),
    ...args.map((name, i) => `local ${name} = ARGV[${i + 1}]`),
  ];
  if (rest !== undefined) {
    // A loop, not unpack(): Lua's stack ends at about 8,000 values.
    lines.push(`local ${rest} = {}`, `for i = ${args.length + 1}, #ARGV do ${rest}[i - ${args.length}] = ARGV[i] end`);
  }
  return `${lines.join('\n')}\n`;
}
