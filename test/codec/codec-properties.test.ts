import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { createCodec, UNREADABLE } from '../../src/codec/codec.ts';
import { misshapen, shape, stored } from './codec-support.ts';

const codec = createCodec();
const RICH = 1;

const bytes = fc.uint8Array({ maxLength: 20 });
const typedArray = fc.oneof(
  bytes,
  bytes.map((array) => Buffer.from(array)),
  bytes.map((array) => array.slice().buffer),
  bytes.map((array) => new DataView(array.slice().buffer)),
  fc.uint16Array({ maxLength: 5 }),
  fc.float64Array({ maxLength: 5 }),
  fc.bigInt64Array({ maxLength: 5 }),
);
const leaf = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.boolean(),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.date({ noInvalidDate: true }),
  fc.constant(new Date(Number.NaN)),
  fc.constantFrom(
    null,
    undefined,
    -0,
    Number.NaN,
    Infinity,
    '\ud83d',
    /a/g,
    new RegExp('[/\n]', 'u'),
    new URL('http://[::1]/?q'),
  ),
  typedArray,
);
/** `__proto__` is left out, by design. */
const anyName = fc.string().filter((text) => text !== '__proto__');
const name = fc.oneof(anyName, fc.constantFrom('$', '$$', '', 'constructor', 'prototype', 'toString', '0'));

/** Values of all types inside each other. */
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(name, tie('value'), { maxKeys: 5, noNullPrototype: true }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((pairs) => new Map(pairs)),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => new Set(items)),
    tie('value').map((cause) => Object.assign(new RangeError('no', { cause }), { stack: 'RangeError: no' })),
  ),
}));

const type = fc.oneof(
  fc.constantFrom(
    'undefined',
    'number',
    'bigint',
    'Date',
    'Map',
    'Set',
    'RegExp',
    'URL',
    'Error',
    'Buffer',
    'DataView',
    'Uint32Array',
    'object',
  ),
  fc.constantFrom('__proto__', 'constructor', 'Function', 'toString'),
);
const hostileName = fc.constantFrom(
  '$',
  '__proto__',
  'constructor',
  'prototype',
  'length',
  'toJSON',
  'then',
  'cause',
  'stack',
  'a',
);

/** What somebody might write into Redis who knows the tags. */
const { hostile } = fc.letrec<{ hostile: string }>((tie) => ({
  hostile: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('null', '1', '-1e999', '""', '"ff"', '"__proto__"', '"AAAAAAAA"', '"Error"', '"("'),
    fc.array(tie('hostile'), { maxLength: 3 }).map((items) => `[${items.join()}]`),
    fc
      .array(fc.tuple(hostileName, tie('hostile')), { maxLength: 3 })
      .map((properties) => `{${properties.map(([key, of]) => `${JSON.stringify(key)}:${of}`).join()}}`),
    fc.tuple(type, tie('hostile')).map(([of, content]) => `{"$":["${of}",${content}]}`),
  ),
}));

/** Ways bytes come to harm. */
const harm = fc.oneof(
  fc.record({ cut: fc.nat() }).map(
    ({ cut }) =>
      (body: Buffer) =>
        body.subarray(0, cut % (body.length + 1)),
  ),
  fc.record({ at: fc.nat(), bit: fc.nat(7) }).map(({ at, bit }) => (body: Buffer) => {
    const flipped = Buffer.from(body);
    if (body.length > 0) flipped.writeUInt8(flipped.readUInt8(at % body.length) ^ (1 << bit), at % body.length);
    return flipped;
  }),
  fc.record({ at: fc.nat(), added: fc.uint8Array({ maxLength: 5 }) }).map(({ at, added }) => (body: Buffer) => {
    const place = at % (body.length + 1);
    return Buffer.concat([body.subarray(0, place), added, body.subarray(place)]);
  }),
);

describe('any value', () => {
  it('is read as it was written', async () => {
    const property = fc.asyncProperty(value, async (given) => {
      expect(shape(await stored(given))).toBe(shape(given));
    });
    await fc.assert(property, { numRuns: 400 });
  });

  it('is read as it was written when it was compressed', async () => {
    const property = fc.asyncProperty(value, async (inner) => {
      const given = ['x'.repeat(200), inner];
      expect(shape(await stored(given, { compressAbove: 100 }))).toBe(shape(given));
    });
    await fc.assert(property, { numRuns: 100 });
  });

  it('is written the same when it was read', async () => {
    const property = fc.asyncProperty(value, async (given) => {
      expect(codec.encode(await stored(given))).toEqual(codec.encode(given));
    });
    await fc.assert(property, { numRuns: 100 });
  });
});

describe('any bytes', () => {
  it('are read as a value or as nothing', async () => {
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.json().map((text) => Buffer.from(text)),
    );
    const property = fc.asyncProperty(fc.nat(255), body, async (flags, given) => {
      expect(misshapen(await codec.decode(flags, Buffer.from(given)))).toEqual([]);
    });
    await fc.assert(property, { numRuns: 500 });
  });

  it('that are tags in wrong places are read as a value or as nothing', () => {
    const property = fc.property(hostile, fc.constantFrom(0, RICH), (text, flags) => {
      expect(misshapen(codec.decode(flags, Buffer.from(text)))).toEqual([]);
      expect(Object.keys(Object.prototype)).toEqual([]);
    });
    fc.assert(property, { numRuns: 1_000 });
  });

  it('that have come to harm are read as a value or as nothing', async () => {
    const packer = createCodec({ compressAbove: 50 });
    const property = fc.asyncProperty(value, harm, async (given, harmed) => {
      const encoded = packer.encode(given);
      if (encoded === undefined) throw new TypeError('The value cannot be stored');
      const { flags, body } = await packer.pack(encoded);
      expect(misshapen(await packer.decode(flags, harmed(body)))).toEqual([]);
    });
    await fc.assert(property, { numRuns: 400 });
  });

  it('of an unknown format are read as nothing', () => {
    const property = fc.property(fc.integer({ min: 4, max: 15 }), bytes, (format, body) => {
      expect(codec.decode(format, Buffer.from(body))).toBe(UNREADABLE);
    });
    fc.assert(property, { numRuns: 100 });
  });
});
