import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { ConfigError } from '../../src/core/errors.ts';
import { key, keys } from '../../src/data/typed-keys.ts';
import { wrap } from '../../src/data/wrap.ts';
import type { Suite } from '../../src/suite.ts';
import { testRedis } from '../support/connections.ts';
import { heldLoad, openSuite } from './backends.ts';

const BACKENDS = [
  ['memory', () => undefined],
  ['Redis', () => testRedis()],
] as const;

/** What is loaded is returned before it is stored. */
async function stored(data: Pick<Suite['data'], 'get'>, key: string): Promise<void> {
  while ((await data.get(key)) === undefined) await sleep(5);
}

describe.each(BACKENDS)('wrap on %s', (_name, connect) => {
  const open = (): ReturnType<typeof openSuite> => openSuite(connect());

  it('asks a function once for each key, and keeps its types', async () => {
    const { data } = open();
    let calls = 0;
    const square = wrap(data, (n: number) => (calls++, n * n), { key: (n) => `square:${n}`, ttl: 'short' });
    await square(3);
    await stored(data, 'square:3');
    const results: number[] = [await square(3), await square(4)];
    expect([results, calls]).toEqual([[9, 16], 2]);
    expect(await data.get('square:3')).toBe(9);
  });

  it('tells arguments of other types apart', async () => {
    const kind = wrap(open().data, async (value?: unknown) => typeof value, { name: 'kind' });
    expect([await kind(1), await kind('1'), await kind(1n), await kind(null), await kind()]).toEqual([
      'number',
      'string',
      'bigint',
      'object',
      'undefined',
    ]);
  });

  it('keeps `this`, for the key too', async () => {
    const { data } = open();
    const shop = {
      currency: 'EUR',
      price: wrap(
        data,
        async function (this: { currency: string }, id: number) {
          return `${id} ${this.currency}`;
        },
        {
          key(id) {
            return `price:${this.currency}:${id}`;
          },
        },
      ),
    };
    expect(await shop.price(1)).toBe('1 EUR');
    shop.currency = 'SEK';
    expect(await shop.price(1)).toBe('1 SEK');
    expect(shop.price.keyOf.call(shop, 1)).toBe('price:SEK:1');
  });

  it('shares one call among callers at the same time', async () => {
    const { data } = open();
    const held = heldLoad<string>();
    const wrapped = wrap(data, async (_id: number) => held.load(), { name: 'held' });
    const both = Promise.all([wrapped(1), wrapped(1)]);
    await held.begun;
    held.end('once');
    expect([await both, held.calls()]).toEqual([['once', 'once'], 1]);
  });

  it('passes errors, and keeps none', async () => {
    let calls = 0;
    const failing = wrap(
      open().data,
      () => {
        if (calls++ === 0) throw new RangeError('first');
        return 'second';
      },
      { key: 'failing' },
    );
    await expect(failing()).rejects.toThrow(RangeError);
    expect(await failing()).toBe('second');
  });

  it('forgets what it is told to, and what tags name', async () => {
    const { data, invalidate } = open();
    let calls = 0;
    const count = wrap(data, async (_id: number) => ++calls, { name: 'count', tags: ['counts'] });
    await count(1);
    await count(2);
    await stored(data, 'count:2');
    await count.invalidate(1);
    expect([await count(1), await count(2)]).toEqual([3, 2]);
    await stored(data, 'count:1');
    await invalidate('counts');
    expect([await count(1), await count(2)]).toEqual([4, 5]);
    expect(count.keyOf(1)).toBe('count:1');
  });

  it('takes lifetime and tags of a typed key', async () => {
    const { data, invalidate } = open();
    const k = keys({ user: key('user:{id}', { id: Number }, { ttl: '1h', tags: ({ id }) => [`user:${id}`] }) });
    let calls = 0;
    const find = wrap(data, async (id: number) => ({ id, calls: ++calls }), {
      key: (id) => k.user({ id }),
      tags: ['users'],
    });
    await find(7);
    await stored(data, 'user:7');
    expect(await data.get(k.user({ id: 7 }).key)).toEqual({ id: 7, calls: 1 });
    await invalidate('user:7');
    expect(await find(7)).toEqual({ id: 7, calls: 2 });
    await stored(data, 'user:7');
    await invalidate('users');
    expect(await find(7)).toEqual({ id: 7, calls: 3 });
  });
});

describe('wrap', () => {
  const { data } = openSuite(undefined);
  const fn = async (id: number): Promise<number> => id;

  it('hands the cache what it was told, and what only the result tells', async () => {
    const asked: unknown[] = [];
    const cache: Parameters<typeof wrap>[0] = {
      delete: async () => undefined,
      async getOrSet(key, load, options = {}) {
        const value = await load();
        const { tags, ...rest } = options;
        asked.push([key, typeof tags === 'function' ? tags(value) : tags, rest]);
        return value;
      },
    };
    const wrapped = wrap(cache, fn, {
      key: (id) => ({ key: `k:${id}`, ttl: '1h', tags: ['own'] }),
      tags: (result, id) => [`result:${result}`, `argument:${id}`],
      failSafe: '1d',
    });
    expect([await wrapped(1), await wrapped.fresh(2)]).toEqual([1, 2]);
    expect(asked).toEqual([
      ['k:1', ['own', 'result:1', 'argument:1'], { failSafe: '1d', ttl: '1h' }],
      ['k:2', ['own', 'result:2', 'argument:2'], { failSafe: '1d', ttl: '1h', fresh: true }],
    ]);
  });

  it('refuses one key for all arguments', async () => {
    const fixed = wrap(data, async () => 1, { key: 'fixed' });
    expect(await fixed()).toBe(1);
    await expect((fixed as (n: number) => Promise<number>)(1)).rejects.toThrow(TypeError);
    // @ts-expect-error A function with arguments has no one key.
    wrap(data, fn, { key: 'fixed' });
  });

  it.each([
    ['neither key nor name', {}],
    ['key and name', { key: () => 'k', name: 'n' }],
    ['an unknown option', { name: 'n', expires: 1 }],
    ['a lifetime in seconds', { name: 'n', ttl: 60 }],
    ['a name that is none', { name: '' }],
    ['what a call would refuse', { name: 'n', jitter: 7 }],
    ['a schema that is none', { name: 'n', schema: {} as never }],
  ])('refuses %s', (_what, options) => {
    expect(() => wrap(data, fn, options)).toThrow(ConfigError);
  });

  it.each([
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['an instance', new RangeError('secret')],
    ['a promise', Promise.resolve(1)],
    ['a function within', { list: [new Map([['f', fn]])] }],
    ['an object with symbols', { [Symbol('s')]: 1 }],
    ['a cycle', cycle()],
  ])('refuses an argument that is %s', async (_what, argument) => {
    const wrapped = wrap(data, async (_value: unknown) => 1, { name: 'refusing' });
    await expect(wrapped(argument)).rejects.toThrow(/^refusing: argument 1: .* cannot be part of a key/);
  });

  it.each([undefined, '', 7, null, {}])('refuses the key %j', async (made) => {
    const wrapped = wrap(data, fn, { key: () => made as string });
    await expect(wrapped(1)).rejects.toThrow(TypeError);
  });
});

function cycle(): object {
  const value: Record<string, unknown> = {};
  value['self'] = value;
  return value;
}
