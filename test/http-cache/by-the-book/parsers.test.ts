import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { parseCacheControl, secondsOf } from '../../../src/http-cache/cache-control.ts';
import { acceptsGzip } from '../../../src/http-cache/compress.ts';
import { isNotModified } from '../../../src/http-cache/conditional.ts';
import { fieldNames } from '../../../src/http-cache/field-names.ts';
import { freshnessOf } from '../../../src/http-cache/freshness.ts';
import { groupsIn } from '../../../src/http-cache/groups.ts';
import { parseHttpDate } from '../../../src/http-cache/http-date.ts';
import { parseContentRange, parseRange, rangeFor, resolveRange } from '../../../src/http-cache/range.ts';
import { anything, lines, normalized, POLICY } from './parser-support.ts';

const NONE = { etag: undefined, lastModified: undefined, date: undefined };
const passage = { now: Date.UTC(2030, 0), delayMs: 0 };

const PARSERS: Readonly<Record<string, (field: string) => unknown>> = {
  'Cache-Control': parseCacheControl,
  Vary: fieldNames,
  Range: parseRange,
  'Content-Range': parseContentRange,
  'If-None-Match': (field) =>
    isNotModified({ ifNoneMatch: field, ifModifiedSince: undefined }, { ...NONE, etag: '"a"' }),
  'If-Range': (field) => rangeFor({ range: 'bytes=0-', 'if-range': field }, NONE),
  'a date': parseHttpDate,
  Age: (field) => freshnessOf((name) => (name === 'age' ? field : undefined), passage, POLICY),
  Expires: (field) => freshnessOf((name) => (name === 'expires' ? field : undefined), passage, POLICY),
  'a targeted field': (field) =>
    freshnessOf((name) => (name === 'CDN-Cache-Control' ? field : undefined), passage, POLICY),
  'Cache-Groups': groupsIn,
  'Accept-Encoding': (field) => acceptsGzip({ 'accept-encoding': field }),
  'Accept-Language': (field) => normalized('accept-language', field, ['de', 'en']),
};

describe('the parser of', () => {
  it.each(Object.entries(PARSERS))('%s never throws', (_name, parse) => {
    const property = fc.property(anything, (field) => void parse(field));
    expect(fc.check(property, { numRuns: 400 }).failed).toBe(false);
  });
});

/** RFC 9110 §14.1.1, with integers of any size. */
function referenceRange(field: string, length: number): readonly [number, number] | 'unsatisfiable' | 'ignored' {
  const [unit, set, ...rest] = field.split('=');
  const [first, last, ...more] = (set ?? '').split('-');
  const isDigits = (text: string | undefined): text is string => /^[0-9]+$/.test(text ?? '');
  if (unit?.toLowerCase() !== 'bytes' || rest.length + more.length > 0 || last === undefined) return 'ignored';
  const size = BigInt(length);
  const cut = (from: bigint, to: bigint): readonly [number, number] | 'unsatisfiable' =>
    from > to ? 'unsatisfiable' : [Number(from), Number(to)];
  if (first === '' && isDigits(last)) return cut(BigInt(last) > size ? 0n : size - BigInt(last), size - 1n);
  if (!isDigits(first) || (last !== '' && !isDigits(last))) return 'ignored';
  if (last !== '' && BigInt(last) < BigInt(first)) return 'ignored';
  return cut(BigInt(first), last === '' || BigInt(last) >= size ? size - 1n : BigInt(last));
}

const digits = fc.stringMatching(/^\d{0,17}$/);
const rangeLike = fc.oneof(
  fc.tuple(fc.nat(30), fc.nat(30)).map(([first, last]) => `bytes=${first}-${last}`),
  fc
    .tuple(
      fc.constantFrom('bytes', 'Bytes', 'byte', ''),
      fc.constantFrom('=', ' =', ''),
      digits,
      fc.constantFrom('-', '', '--'),
      digits,
    )
    .map((parts) => parts.join('')),
  anything,
);

describe('a range (RFC 9110 §14.1)', () => {
  it('is what a reference makes of it, in a representation of any length', () => {
    fc.assert(
      fc.property(rangeLike, fc.nat(30), (field, length) => {
        const wanted = parseRange(field);
        const range = wanted && resolveRange(wanted, length);
        const got =
          wanted === undefined ? 'ignored' : range === undefined ? 'unsatisfiable' : [range.first, range.last];
        const expected = referenceRange(field, length);
        // Two numbers too large to be told apart may be out of order: neither is a byte of anything.
        const isTooLarge = expected === 'ignored' && got === 'unsatisfiable' && /\d{16}-\d{16}/.test(field);
        expect(isTooLarge ? expected : got).toEqual(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  it('of a 206 is none where its numbers are too large to be told apart', () => {
    expect(parseContentRange('bytes 9007199254740993-9007199254740994/9007199254740995')).toBeUndefined();
  });

  it('of a 206 is within its length (§14.4), or none', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          anything,
          fc.tuple(digits, digits, digits).map(([a, b, c]) => `bytes ${a}-${b}/${c}`),
        ),
        (field) => {
          const range = parseContentRange(field);
          if (range === undefined) return;
          expect(0 <= range.first && range.first <= range.last && range.last < range.length).toBe(true);
          expect(field.toLowerCase().replaceAll(/(?<!\d)0+(?=\d)/g, '')).toBe(
            `bytes ${range.first}-${range.last}/${range.length}`,
          );
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

/** One second of the years in which all three forms mean the same. */
const instant = fc.integer({ min: Date.UTC(1980, 0) / 1_000, max: Date.UTC(2060, 0) / 1_000 }).map((s) => s * 1_000);
const LONG = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

function formsOf(at: number): readonly [string, string, string] {
  const fixed = new Date(at).toUTCString();
  const [, , day = '', month = '', year = '', time = ''] =
    /^(\w{3}), (\d\d) (\w{3}) (\d{4}) (.{8}) GMT$/.exec(fixed) ?? [];
  return [
    fixed,
    `${LONG[new Date(at).getUTCDay()]}, ${day}-${month}-${year.slice(2)} ${time} GMT`,
    `${fixed.slice(0, 3)} ${month} ${day.replace(/^0/, ' ')} ${time} ${year}`,
  ];
}

describe('a date (RFC 9110 §5.6.7)', () => {
  it('means the same in each of its three forms', () => {
    fc.assert(
      fc.property(instant, (at) => {
        expect(formsOf(at).map(parseHttpDate)).toEqual([at, at, at]);
      }),
      { numRuns: 500 },
    );
  });

  it('is none once a character of it is another, unless it is another date', () => {
    fc.assert(
      fc.property(
        instant,
        fc.nat(2),
        fc.nat(40),
        fc.string({ minLength: 1, maxLength: 1 }),
        (at, form, place, character) => {
          const text = formsOf(at)[form as 0 | 1 | 2];
          const index = place % text.length;
          const changed = text.slice(0, index) + character + text.slice(index + 1);
          const parsed = parseHttpDate(changed);
          if (parsed === undefined) return;
          // The name of the day is not checked against the date; all else has to come out again.
          const again = formsOf(parsed)[form as 0 | 1 | 2];
          // The third form may write the first nine days with a zero instead of a space.
          const afterDay = (date: string): string =>
            date
              .slice(date.indexOf(' '))
              .toLowerCase()
              .replace(/^( [a-z]{3}) 0(?=\d )/, '$1  ');
          const isLeap = changed.includes(':60');
          expect(isLeap ? afterDay(again).slice(0, 8) : afterDay(again)).toBe(
            isLeap ? afterDay(changed).slice(0, 8) : afterDay(changed),
          );
        },
      ),
      { numRuns: 2_000, examples: [[Date.UTC(1980, 0), 2, 8, '0']] },
    );
  });

  it.each([
    ['Thu, 29 Feb 2024 00:00:00 GMT', true],
    ['Wed, 29 Feb 2023 00:00:00 GMT', false],
    ['Fri, 31 Apr 2026 00:00:00 GMT', false],
    ['Sat, 00 Jan 2026 00:00:00 GMT', false],
    ['Sat, 31 Dec 2016 23:59:60 GMT', true],
    ['Thu, 01 Jan 2026 24:00:00 GMT', false],
    ['Thu, 01 Jan 2026 00:60:00 GMT', false],
    ['Thu, 01 Jan 2026 00:00:61 GMT', false],
    ['Thu, 1 Jan 2026 00:00:00 GMT', false],
    ['thu, 01 jan 2026 00:00:00 gmt', true], // RFC 9111 §4.2
    ['Thu, 01 Jan 2026 00:00:00 +0000', false],
    ['Thu, 01 Jan 2026 00:00:00 GMT ', false],
    ['2026-01-01T00:00:00Z', false],
    ['1767225600', false],
    ['0', false],
    ['', false],
  ])('%j is one: %s', (text, isDate) => {
    expect(parseHttpDate(text) !== undefined).toBe(isDate);
  });
});

describe('If-None-Match (RFC 9110 §13.1.2)', () => {
  const opaque = fc.stringMatching(/^[!#-~]{0,4}$/);
  const tag = fc.tuple(fc.boolean(), opaque).map(([isWeak, text]) => ({ text, tag: `${isWeak ? 'W/' : ''}"${text}"` }));

  it('matches a list just when one of its tags has the same text', () => {
    fc.assert(
      fc.property(
        tag,
        fc.array(tag, { maxLength: 4 }),
        fc.constantFrom(',', ', ', ' , ', ',,'),
        (stored, sent, comma) => {
          const conditions = { ifNoneMatch: sent.map((each) => each.tag).join(comma), ifModifiedSince: undefined };
          const isSame = sent.some(({ text }) => text === stored.text);
          expect(isNotModified(conditions, { ...NONE, etag: stored.tag })).toBe(isSame);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe('lifetimes and ages', () => {
  it('are whole seconds or none, never below 0 (RFC 9111 §1.2.2, §5.1)', () => {
    fc.assert(
      fc.property(lines, (value) => {
        const { initialAgeMs } = freshnessOf((name) => (name === 'age' ? value : undefined), passage, POLICY);
        const [first = ''] = (typeof value === 'string' ? value : (value[0] ?? '')).split(',');
        const isAge = /^\d+$/.test(first.trim());
        expect(initialAgeMs).toBe(isAge ? Math.min(Number(first.trim()), 2 ** 31) * 1_000 : 0);
        for (const name of ['max-age', 's-maxage']) {
          const ms = secondsOf(parseCacheControl(value), name);
          expect(ms === undefined || (ms >= 0 && ms <= 2 ** 31 * 1_000 && ms % 1_000 === 0)).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
