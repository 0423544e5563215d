import { describe, expect, it } from '@jest/globals';
import { createCodec, UNREADABLE } from '../../src/codec/codec.ts';
import { ConfigError } from '../../src/core/errors.ts';
import { shape, stored } from './codec-support.ts';

const { encode, decode } = createCodec();
const JSON_FORMAT = 0;
const RICH = 1;

/** A value inside itself, by two ways. */
function cycle(): object {
  const value: Record<string, unknown> = { list: [] };
  (value['list'] as unknown[]).push(new Map([[value, 1]]));
  return value;
}

const nested = (levels: number, wrap: (inner: unknown) => unknown): unknown =>
  Array.from({ length: levels }).reduce((inner) => wrap(inner), 1);

describe('a stored value', () => {
  it.each([
    ['undefined', undefined],
    ['null', null],
    ['NaN', Number.NaN],
    ['infinities', [Infinity, -Infinity]],
    ['-0', -0],
    ['a large number', Number.MAX_VALUE],
    ['BigInts', [0n, -255n, 2n ** 200n]],
    ['half of a surrogate pair', '\ud83d'],
    ['a date', new Date(1_700_000_000_123)],
    ['an invalid date', new Date(Number.NaN)],
    [
      'a Map with keys of any type',
      new Map<unknown, unknown>([
        [{ a: [1n] }, undefined],
        [new Date(1), new Map([[Number.NaN, -0]])],
        [undefined, 1],
      ]),
    ],
    ['a Set of anything', new Set([1, [2], new Set([undefined]), Number.NaN])],
    ['a regular expression', /a\/[\u2028b]/giu],
    ['a URL', { at: new URL('https://example.org/é?a=b#c') }],
    ['a Buffer', Buffer.from([0, 255, 128])],
    ['a Buffer inside', { bytes: [Buffer.from('abc'), Buffer.alloc(0)] }],
    ['a Uint8Array', new Uint8Array([1, 255])],
    [
      'typed arrays',
      [
        Int8Array,
        Uint8Array,
        Uint8ClampedArray,
        Int16Array,
        Uint16Array,
        Int32Array,
        Uint32Array,
        Float32Array,
        Float64Array,
      ].map((type) => new type([1, 2, 250])),
    ],
    ['typed arrays of BigInts', [new BigInt64Array([-1n]), new BigUint64Array([2n ** 64n - 1n])]],
    ['a part of a typed array', new Uint16Array([1, 2, 3]).subarray(1, 2)],
    ['a DataView', new DataView(new Uint8Array([1, 2, 3, 4]).buffer)],
    ['an ArrayBuffer', new Uint8Array([1, 2]).buffer],
    ['undefined as property and item', { a: undefined, list: [undefined, 1] }],
    [
      'properties named as tags are',
      [{ $: ['Date', 0] }, { $: 1, at: new Date(0) }, { $: { $: ['Map', []] }, u: undefined }, { $: undefined }],
    ],
    [
      'properties named as prototypes are',
      { constructor: { prototype: { x: 1 } }, prototype: 1n, toString: 'x', hasOwnProperty: 1 },
    ],
  ])('is what it was: %s', async (_what, value) => {
    expect(shape(await stored(value))).toBe(shape(value));
    expect(shape(await stored([{ value, also: 1n }]))).toBe(shape([{ value, also: 1n }]));
    expect(shape(await stored(new Map([[1, value]]), { compressAbove: 1 }))).toBe(shape(new Map([[1, value]])));
  });

  it('has of a view what it shows', async () => {
    const view = (await stored(new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2))) as DataView;
    expect([view.byteLength, view.getUint8(0), view.buffer.byteLength]).toEqual([2, 2, 2]);
  });

  it('has undefined where a list had holes', async () => {
    expect(shape(await stored(Object.assign([], { 1: 'a', length: 3 })))).toBe(shape([undefined, 'a', undefined]));
    expect(await stored(Object.assign([], { length: 10_000 }))).toHaveLength(10_000);
  });

  it('is plain JSON when JSON keeps everything', () => {
    const value = {
      a: [1, 'é', null, true, { $: ['Date', 0] }],
      b: Object.assign(Object.create(null) as object, { c: 1 }),
    };
    expect(encode(value)).toEqual({ flags: JSON_FORMAT, body: Buffer.from(JSON.stringify(value)) });
    expect(encode({ at: new Date(0) })?.flags).toBe(RICH);
  });

  it('is as JSON has it where there is nothing to keep: toJSON, instances, boxes, functions, symbols', async () => {
    class Price {
      readonly cents = 5;
      readonly at = new Date(7);
      get euros(): number {
        return this.cents / 100;
      }
    }
    const named = { toJSON: (key: string) => ({ key, big: 1n }) };
    const itself = { n: 1, toJSON: (): unknown => itself };
    const value = {
      price: new Price(),
      list: [named, () => 1, Symbol('s')],
      itself,
      box: new Number(-0),
      f: () => 1,
      s: Symbol('s'),
    };
    expect(shape(await stored(value))).toBe(
      shape({
        price: { cents: 5, at: new Date(7) },
        list: [{ key: '0', big: 1n }, null, null],
        itself: { n: 1 },
        box: -0,
      }),
    );
  });

  it('is an error with name, message, cause and own properties, and without the stack', async () => {
    const cause = Object.assign(new Error('no route'), { code: 'EHOSTUNREACH', at: new Date(0) });
    const error = (await stored(new TypeError('failed', { cause }))) as TypeError;
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ name: 'TypeError', message: 'failed', stack: 'TypeError: failed' });
    expect(error.cause).toMatchObject({ message: 'no route', code: 'EHOSTUNREACH', at: new Date(0) });
    expect(Object.keys(error)).toEqual([]);
  });

  it('is an error by its name when the class is not of the language', async () => {
    class QuotaError extends Error {
      override readonly name = 'QuotaError';
      readonly left = 3n;
    }
    expect(await stored(new QuotaError('too much'))).toMatchObject({
      name: 'QuotaError',
      message: 'too much',
      left: 3n,
    });
    const all = (await stored(new AggregateError([new RangeError('a')], 'both'))) as AggregateError;
    expect(all).toBeInstanceOf(AggregateError);
    expect([all.name, all.message, all.errors]).toEqual(['AggregateError', 'both', [new RangeError('a')]]);
  });

  it('belongs to who reads it, and is of the moment it was stored', () => {
    for (const value of [Buffer.from('abc'), new Uint8Array([97, 98, 99])]) {
      const encoded = encode(value);
      value[0] = 0;
      const read = (): Uint8Array => decode(encoded?.flags ?? -1, encoded?.body ?? Buffer.alloc(0)) as Uint8Array;
      read()[1] = 0;
      expect(Buffer.from(read()).toString()).toBe('abc');
      expect(read().buffer.byteLength).toBe(3);
    }
  });
});

describe('what cannot be stored', () => {
  it.each([
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a cycle', cycle()],
    ['a promise', { user: Promise.resolve(1) }],
    ['more than 500 levels of lists', nested(501, (inner) => [inner])],
    ['more than 500 levels of Maps', nested(501, (inner) => new Map([[inner, 1]]))],
    ['more than 10,000 holes in a list', { list: Object.assign([], { 1_000_000: 1 }) }],
    ['a cycle of plain objects', ((a: { b?: object }) => (a.b = { a }))({})],
    [
      'a toJSON that fails',
      {
        toJSON: () => {
          throw new Error('no');
        },
      },
    ],
    [
      'a toJSON without end',
      {
        toJSON: function next() {
          return { toJSON: next };
        },
      },
    ],
    ['a toJSON that gives nothing', { toJSON: () => () => 1 }],
    [
      'a property that cannot be read',
      {
        get x() {
          throw new Error('no');
        },
      },
    ],
  ])('is refused: %s', (_what, value) => {
    expect(encode(value)).toBeUndefined();
  });

  it.each([
    ['lists', (inner: unknown) => [inner]],
    ['objects', (inner: unknown) => ({ inner })],
    ['Maps', (inner: unknown) => new Map([[inner, 1n]])],
    ['errors', (inner: unknown) => new Error('', { cause: inner })],
  ])('is not among 500 levels of %s', async (_what, wrap) => {
    const read = await stored(nested(500, wrap));
    expect(read).not.toBe(UNREADABLE);
  });
});

describe('keys named __proto__', () => {
  it.each([
    ['plain', JSON_FORMAT, '{"a":{"__proto__":{"x":1},"b":1}}'],
    ['with escapes', JSON_FORMAT, '{"a":{"\\u005f_pr\\u006Fto__":{"x":1},"b":1}}'],
    [
      'with one escape',
      JSON_FORMAT,
      '{"a":{"__\\u0070roto__":1,"__p\\u0072oto__":2,"__pr\\u006fto__":3,"__pro\\u0074o__":4,"b":1}}',
    ],
    ['with an escaped p', JSON_FORMAT, '{"a":{"__\\u0070roto__":1,"b":1}}'],
    ['with tags', RICH, '{"a":{"__proto__":{"x":1},"b":1}}'],
    ['with tags and escapes', RICH, '{"a":{"\\u005f\\u005Fproto__":{"$":["Map",[]]},"b":1}}'],
    ['inside what looks like a tag', RICH, '{"$":["object",{"a":{"$":["object",{"__proto__":{"x":1},"b":1}]}}]}'],
  ])('are dropped on reading: %s', (_what, flags, text) => {
    const read = decode(flags, Buffer.from(text)) as { a: object };
    expect(Reflect.ownKeys(read.a)).toEqual(['b']);
    expect(Object.getPrototypeOf(read.a)).toBe(Object.prototype);
  });

  it('are dropped on reading errors', () => {
    const error = decode(RICH, Buffer.from('{"$":["Error",["Error","m",{"__proto__":{"x":1}}]]}')) as object;
    expect(Object.getPrototypeOf(error)).toBe(Error.prototype);
    expect(Object.hasOwn(error, '__proto__')).toBe(false);
  });

  it('are no prototype after a round trip', async () => {
    const value = JSON.parse('{"__proto__":{"admin":true},"n":1}') as object;
    expect(shape(await stored(value))).toBe(shape({ n: 1 }));
    expect(shape(await stored([value, 1n]))).toBe(shape([{ n: 1 }, 1n]));
  });
});

describe('what cannot be read', () => {
  it.each([
    ['no JSON', JSON_FORMAT, '{'],
    ['nothing', JSON_FORMAT, ''],
    ['an unknown tag', RICH, '{"$":["Shape","x"]}'],
    ['a tag beside properties', RICH, '{"$":["Date",0],"x":1}'],
    ['a tag that is none', RICH, '{"$":1}'],
    ['half a Map', RICH, '{"$":["Map",[1]]}'],
    ['a wrong URL', RICH, '{"$":["URL","x"]}'],
    ['a wrong regular expression', RICH, '{"$":["RegExp",["(",""]]}'],
    ['a wrong BigInt', RICH, '{"$":["bigint","1x"]}'],
    ['a wrong number', RICH, '{"$":["number","1"]}'],
    ['a wrong error', RICH, '{"$":["Error",["Error",1,{}]]}'],
    ['bytes that are no whole items', RICH, '{"$":["Float64Array","AAAA"]}'],
    ['one level too many', RICH, `${'['.repeat(502)}1${']'.repeat(502)}`],
    ['too many levels', RICH, '['.repeat(100_000) + ']'.repeat(100_000)],
    ['too many levels of tags', RICH, '{"$":["Set",['.repeat(50_000) + ']]}'.repeat(50_000)],
    ['a format to come', 5, '1'],
    ['the last format', 15, '1'],
  ])('is told as such: %s', (_what, flags, text) => {
    expect(decode(flags, Buffer.from(text))).toBe(UNREADABLE);
  });

  it('is not what has bits of the owner beside', () => {
    expect(decode(0xe0, Buffer.from('[1]'))).toEqual([1]);
  });

  it('is a plain value too deep to handle, or that value, and never an error', () => {
    expect(() =>
      decode(JSON_FORMAT, Buffer.from('['.repeat(200_000) + '"__proto__"' + ']'.repeat(200_000))),
    ).not.toThrow();
  });

  it('is found out in a time that grows with the bytes: a BigInt of two million digits', () => {
    const read = decode(RICH, Buffer.from(`{"$":["bigint","${'f'.repeat(2_000_000)}"]}`));
    expect(read === (1n << 8_000_000n) - 1n).toBe(true);
  });
});

describe('options of the codec', () => {
  it.each([
    ['an unknown option', { compress: '1kb' }],
    ['a wrong size', { compressAbove: 'much' }],
    ['a serializer without a name', { serializer: { name: '', serialize: String, deserialize: String } }],
    [
      'a serializer with a long name',
      { serializer: { name: 'é'.repeat(128), serialize: String, deserialize: String } },
    ],
    ['a serializer without a function', { serializer: { name: 'x', serialize: String } }],
    ['no serializer', { serializer: null }],
  ])('are refused: %s', (_what, options) => {
    expect(() => createCodec(options as object)).toThrow(ConfigError);
  });
});
