import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { parseCacheControl, scopeOf } from '../../../src/http-cache/cache-control.ts';
import { acceptsGzip } from '../../../src/http-cache/compress.ts';
import { fieldNames, isToken } from '../../../src/http-cache/field-names.ts';
import { freshnessOf } from '../../../src/http-cache/freshness.ts';
import { anything, lines, normalized, POLICY } from './parser-support.ts';

describe('what is prohibited', () => {
  it('in a targeted field is so, whatever else the field says (RFC 9213 §2.1)', () => {
    const prohibition = fc.constantFrom(
      'no-store',
      'private',
      'no-cache',
      'no-store=?1',
      'private;x=1',
      'no-cache=1',
      'private="X"',
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom('max-age=60', 's-maxage=5', 'public', 'x=(a b)'), anything), {
          maxLength: 3,
        }),
        prohibition,
        fc.nat(3),
        (members, said, at) => {
          const all = [...members.slice(0, at), said, ...members.slice(at)];
          const read = (name: string): string | undefined =>
            name === 'CDN-Cache-Control' ? all.join(', ') : undefined;
          const { isTargeted, directives } = freshnessOf(read, { now: 0, delayMs: 0 }, POLICY);
          const name = /^[a-z-]+/.exec(said)?.[0] ?? '';
          // A later member of the same name takes its place (RFC 9651 §3.2).
          const isLast = !members.slice(at).some((member) => member.includes(name)) && !all.join().includes('"');
          // One that cannot be read is as though it were not there, and its lifetime, too.
          expect(!isLast || (isTargeted ? directives.has(name) : directives.size === 0)).toBe(true);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('private and no-cache are about all of a response unless they name fields', () => {
    fc.assert(
      fc.property(fc.constantFrom('private', 'no-cache', 'PRIVATE', 'No-Cache'), lines, (name, around) => {
        const noise = [around].flat().map((text) => text.replaceAll(/["\\=]/g, ''));
        const key = name.toLowerCase() as 'private' | 'no-cache';
        for (const spelled of [name, `${name}=`, `${name}=""`, `${name}=" , "`]) {
          expect(scopeOf(parseCacheControl([...noise, spelled]), key)).toBe('all');
          expect(scopeOf(parseCacheControl([`${name}="X-One"`, ...noise, spelled]), key)).toBe('all');
        }
      }),
      { numRuns: 300 },
    );
  });

  it('a coding or language of weight 0 is not chosen, however the weight and the rest are spelled', () => {
    const zero = fc.constantFrom(
      '0',
      '0.',
      '0.0',
      '0.000',
      '0.0000',
      '"0"',
      '',
      '-1',
      '1.1',
      'no',
      '0x1',
      '1e-9',
      'NaN',
      'Infinity',
    );
    const others = fc.array(fc.constantFrom('*;q=0', 'br', '*', 'fr;q=0.3', 'x;y=1', '', ' '), { maxLength: 3 });
    fc.assert(
      fc.property(
        zero,
        fc.constantFrom(';q=', '; Q=', ' ;\tq=', ';x=1;q='),
        others,
        others,
        (weight, q, before, after) => {
          const field = (name: string): string => [...before, name + q + weight, ...after].join(',');
          expect(acceptsGzip({ 'accept-encoding': field('gzip') })).toBe(false);
          expect(normalized('accept-encoding', field('gzip'), ['gzip'])).toBe('identity');
          expect(normalized('accept-language', field('de'), ['de'])).toBeUndefined();
          expect(normalized('accept-language', field('de'), ['de', 'fr'])).not.toBe('de');
        },
      ),
      { numRuns: 500 },
    );
  });

  it('one spelling is the same for every order of the same choices, and for itself', () => {
    const choice = fc
      .tuple(fc.constantFrom('gzip', 'br', 'zstd', '*', 'identity'), fc.constantFrom('', ';q=0', ';q=0.5', ';q=1.0'))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(
        fc.uniqueArray(choice, { selector: (text) => text.split(';')[0], maxLength: 4 }),
        fc.nat(3),
        (choices, by) => {
          const turned = [...choices.slice(by), ...choices.slice(0, by)];
          const one = normalized('accept-encoding', choices.join(', '));
          expect(normalized('accept-encoding', turned.join(','))).toBe(one);
          expect(normalized('accept-encoding', one)).toBe(one);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('a Vary that is no list of names holds one that is none', () => {
    fc.assert(
      fc.property(anything, (field) => {
        const isList = field.split(',').every((name) => /^[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]*[ \t]*$/.test(name));
        const isText = /^[\t -~]*$/.test(field);
        expect(isList || !isText || !fieldNames(field).every(isToken)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
