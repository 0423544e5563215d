import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { deepStrictEqual } from 'node:assert';
import { copierOf } from '../../src/codec/copy-plain.ts';
import { spoil } from './copy-support.ts';

const name = fc.oneof(
  fc.string({ maxLength: 3 }),
  fc.constantFrom(
    'a',
    'b',
    'c',
    '$',
    '',
    '7',
    '-1',
    '01',
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'length',
  ),
);
const leaf = fc.oneof(
  fc
    .oneof(fc.string({ maxLength: 5 }), fc.double({ noNaN: true, noDefaultInfinity: true }))
    .map((value) => JSON.stringify(value)),
  fc.constantFrom('null', 'true', '0', '-0', '1e400', '12345678901'),
);

/** JSON texts of values with items and properties inside each other, many of them alike. */
const { text } = fc.letrec<{ text: string }>((tie) => ({
  text: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    leaf,
    fc.array(tie('text'), { maxLength: 5 }).map((items) => `[${items.join()}]`),
    fc.tuple(tie('text'), fc.nat(6)).map(([item, length]) => `[${Array(length).fill(item).join()}]`),
    fc
      .array(fc.tuple(name, tie('text')), { maxLength: 6 })
      .map((properties) => `{${properties.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join()}}`),
  ),
}));

/** Objects and lists in a value. */
function partsOf(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value, ...Object.values(value).flatMap(partsOf)];
}

describe('copies of what was parsed', () => {
  it('are exactly what parsing gives, share no object, and whatever is done to one shows in no other', () => {
    let copied = 0;
    fc.assert(
      fc.property(text, (json) => {
        const original: unknown = JSON.parse(json);
        const copy = copierOf(original)?.copy;
        if (copy === undefined) return;
        const copies = [copy(), copy()];
        for (const value of copies) {
          deepStrictEqual(value, JSON.parse(json));
          expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(json)));
        }
        const parts = [original, ...copies].flatMap(partsOf);
        expect(new Set(parts).size).toBe(parts.length);
        spoil(copies[0]);
        for (const value of [copies[1], copy(), original]) deepStrictEqual(value, JSON.parse(json));
        if (parts.length > 3) copied++;
      }),
      { numRuns: 1_000 },
    );
    expect(copied).toBeGreaterThan(200);
  });

  it.each([
    ['very many properties', Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`k${i}`, i]))],
    ['numbers for names', { a: 1, 7: 1 }],
  ])('are not made of objects with %s, wherever they are: the engine parses those faster', (_what, value) => {
    for (const whole of [value, [1, { value }]]) expect(copierOf(whole)).toBeUndefined();
  });

  it('are not made of what is deeper than what is stored', () => {
    const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
    expect(copierOf(nested(100_000))).toBeUndefined();
    expect(copierOf(nested(501))).toBeUndefined();
    deepStrictEqual(copierOf(nested(500))?.copy(), nested(500));
  });
});
