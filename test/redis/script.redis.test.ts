import { describe, expect, it } from '@jest/globals';
import { defineScript } from '../../src/redis/script.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';

const echo = defineScript({
  keys: ['first', 'second'],
  args: ['name', 'count'],
  rest: 'others',
  lua: 'return { first, second, name, count, #others, others[1], others[#others] }',
});
const fails = defineScript({
  keys: ['counter'],
  args: ['message'],
  lua: `redis.call('INCR', counter) return redis.error_reply(message)`,
});

/** A script that no server knows. */
function unknownScript(): ReturnType<typeof defineScript<'key', never>> {
  return defineScript({ keys: ['key'], args: [], lua: `return '${uniquePrefix()}' .. #key` });
}

const CLIENTS = [
  ['Redis', () => testRedis()],
  ['Redis with RESP3', () => testRedis({ protocol: 3 })],
  ['Redis with automatic pipelines', () => testRedis({ enableAutoPipelining: true })],
  ['Cluster', () => testCluster()],
  ['Cluster with automatic pipelines', () => testCluster({ enableAutoPipelining: true })],
] as const;

describe.each(CLIENTS)('scripts on %s', (_name, connect) => {
  const client = connect();
  const prefix = uniquePrefix();

  it('get keys and arguments by name', async () => {
    const reply = await echo(client, { first: `{${prefix}}a`, second: `{${prefix}}b` }, { name: 'é😀', count: 7 }, [
      'x',
      'y',
    ]);
    expect(reply).toEqual([`{${prefix}}a`, `{${prefix}}b`, 'é😀', '7', 2, 'x', 'y']);
  });

  it('take more arguments than fit on the stack of Lua', async () => {
    const many = Array.from({ length: 20_000 }, (_, i) => String(i));
    const reply = await echo(client, { first: `{${prefix}}a`, second: `{${prefix}}b` }, { name: '', count: 0 }, many);
    expect((reply as unknown[]).slice(4)).toEqual([20_000, '0', '19999']);
  });

  it('load themselves where they are not known', async () => {
    const script = unknownScript();
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => script(client, { key: `${prefix}:${i}` }, {})),
    );
    expect(replies).toHaveLength(20);
  });

  it('are not repeated when they fail in any other way', async () => {
    const counter = `${prefix}:counter`;
    await expect(fails(client, { counter }, { message: 'ERR it is over' })).rejects.toThrow('it is over');
    expect(await client.get(counter)).toBe('1');
    await client.unlink(counter);
  });
});

describe('a script', () => {
  it('is sent by its hash alone once the server knows it', async () => {
    const client = testRedis();
    const script = unknownScript();
    const key = uniquePrefix();
    await script(client, { key }, {});
    const sent: string[] = [];
    const { sendCommand } = client;
    client.sendCommand = function (command, stream) {
      sent.push(command.name);
      return sendCommand.call(this, command, stream);
    };
    await script(client, { key }, {});
    expect(sent).toEqual(['evalsha']);
  });
});
