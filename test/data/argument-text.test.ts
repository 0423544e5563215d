import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { argumentText } from '../../src/data/argument-text.ts';

const values = fc.anything({ withDate: true, withMap: true, withSet: true, withBigInt: true, maxDepth: 3 });
/** Small ones, so that different ones are often nearly the same. */
const small = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom(0, -0, 1, '1', 1n, '', null, undefined, true, 'true', 'null', Number.NaN, '[1]', '{"a":1}'),
    fc.constantFrom<unknown>(new Date(1), new URL('http://a/'), Buffer.from('1')),
    fc.array(tie('value'), { maxLength: 2 }),
    fc.array(tie('value'), { maxLength: 2 }).map((list) => new Set(list)),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 2 }).map((list) => new Map(list)),
    fc.dictionary(fc.constantFrom('a', 'b', '__proto__'), tie('value'), { maxKeys: 2 }),
  ),
})).value;

describe('arguments as text', () => {
  it('know invalid dates, which older versions of Node take for different from themselves', () => {
    const invalid = (): string => argumentText([new Date(Number.NaN)], 'x');
    expect(invalid()).toBe(invalid());
    expect(invalid()).not.toBe(argumentText([new Date(0)], 'x'));
  });

  it('are the same for the same values, and others for others', () => {
    fc.assert(
      fc.property(fc.array(small, { maxLength: 2 }), fc.array(small, { maxLength: 2 }), (one, other) => {
        // Cloned, objects without a prototype are like others. Map and Set are compared by Node without their order, which is part of the text.
        const isSame = argumentText(one, 'x') === argumentText(other, 'x');
        expect(!isSame || isDeepStrictEqual(structuredClone(one), structuredClone(other))).toBe(true);
        expect(argumentText(one.map(reordered), 'x')).toBe(argumentText(one, 'x'));
      }),
      { numRuns: 2_000 },
    );
  });

  it('do not depend on the order of properties', () => {
    expect(argumentText([{ a: 1, b: { c: 2, d: 3 } }], 'x')).toBe(argumentText([{ b: { d: 3, c: 2 }, a: 1 }], 'x'));
    expect(argumentText([{ a: 1, b: [true, null] }, 'two'], 'x')).toBe('{"a":1,"b":[true,null]},"two"');
  });

  it('are refused when they hold more than the text would show', () => {
    class Scoped extends Map<string, string> {
      readonly #tenant: string;
      constructor(tenant: string) {
        super();
        this.#tenant = tenant;
      }
      tenant(): string {
        return this.#tenant;
      }
    }
    class Page extends Array<number> {}
    const dated = Object.assign(new Date(0), { tenant: 'a' });
    const inherited: unknown = Object.create(Object.create(null, { tenant: { value: 'a' } }) as object);
    for (const value of [new Scoped('a'), new Page(), dated, inherited, /b/.exec('abc')]) {
      expect(outcomeOf(value)).toMatch(/^TypeError: x: argument 1: .* cannot be part of a key/s);
    }
  });

  it('are text or a clear error for anything', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(outcomeOf(value)).toMatch(/^text|^TypeError: x: argument 1: .* cannot be part of a key/s);
      }),
    );
  });
});

function outcomeOf(value: unknown): string {
  try {
    return `text ${argumentText([value], 'x')}`;
  } catch (error) {
    return String(error);
  }
}

/** A copy with the properties of objects the other way round. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== 'object' || value === null || ![Object.prototype, null].includes(prototypeOf(value)))
    return value;
  const fields = Object.entries(value).toReversed();
  return Object.fromEntries(fields.map(([name, field]) => [name, reordered(field)]));
}

function prototypeOf(value: object): object | null {
  return Object.getPrototypeOf(value) as object | null;
}
