import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { typedText } from '../../src/core/typed-text.ts';

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
    fc.dictionary(fc.constantFrom('a', 'b', '__proto__'), tie('value'), { maxKeys: 2, noNullPrototype: true }),
  ),
})).value;

const list = fc.array(small, { maxLength: 2 });

const refusal = (what: string): Error => new TypeError(`${what} is refused`);
const text = (value: unknown): string => typedText(value, { refusal });

describe('the text of a value', () => {
  it('knows invalid dates, which older versions of Node take for different from themselves', () => {
    const invalid = (): string => text(new Date(Number.NaN));
    expect(invalid()).toBe(invalid());
    expect(invalid()).not.toBe(text(new Date(0)));
  });

  it('is the same for the same values, and another for others', () => {
    fc.assert(
      fc.property(list, list, (one, other) => {
        // Map and Set are compared by Node without their order, which is part of the text.
        const isSame = text(one) === text(other);
        expect(!isSame || isDeepStrictEqual(one, other)).toBe(true);
        expect(text(reordered(one))).toBe(text(one));
      }),
      { numRuns: 2_000 },
    );
  });

  it('does not depend on the order of properties', () => {
    expect(text({ a: 1, b: { c: 2, d: 3 } })).toBe(text({ b: { d: 3, c: 2 }, a: 1 }));
    expect(text([{ a: 1, b: [true, null] }, 'two'])).toBe('[{"a":1,"b":[true,null]},"two"]');
  });

  it('tells kinds of bytes apart, and takes a Buffer for what is in it', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4);
    const views = [bytes, new Int8Array(bytes.buffer), new Float32Array(bytes.buffer), new DataView(bytes.buffer)];
    expect(new Set(views.map(text)).size).toBe(views.length);
    expect(text(Buffer.from(bytes))).toBe(text(bytes));
    expect(text(bytes.subarray(1, 3))).toBe(text(Uint8Array.of(2, 3)));
  });

  it('is refused where there is more than it would show', () => {
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
    class Hash extends Uint8Array {}
    const named = Object.assign(Object.assign([], { length: 1 }), { tenant: 'a' });
    const marked = Object.assign([1], { [Symbol('tenant')]: 'a' });
    const dated = Object.assign(new Date(0), { tenant: 'a' });
    const inherited: unknown = Object.create(Object.create(null, { tenant: { value: 'a' } }) as object);
    const hash = new Hash([1]);
    for (const value of [new Scoped('a'), new Page(), hash, named, marked, dated, inherited, /b/.exec('abc')]) {
      expect(outcomeOf(value)).toMatch(/^TypeError: .* is refused$/);
    }
  });

  it('is a text or a clear error for anything', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(outcomeOf(value)).toMatch(/^text|^TypeError: .* is refused$/s);
      }),
    );
  });
});

function outcomeOf(value: unknown): string {
  try {
    return `text ${text(value)}`;
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
