import { describe, expect, it } from '@jest/globals';
import type { Request } from 'express';
import * as fc from 'fast-check';
import { parseCacheControl, secondsOf } from '../../src/http-cache/cache-control.ts';
import { toCacheConfig } from '../../src/http-cache/options.ts';
import { RequestKey } from '../../src/http-cache/request-key.ts';

const PROHIBITIONS = ['no-store', 'private', 'no-cache'];

/** A directive as someone may write it. None is a prohibition. */
const harmless = fc.oneof(
  fc.constantFrom(
    'public',
    'max-age=60',
    'S-MAXAGE = 5',
    'x="a, b"',
    'x="a\\"b, c"',
    'foo',
    'stale-if-error=1',
    '',
    ' ',
    'max-age="9"',
    'x=',
    '=y',
  ),
  fc.stringMatching(/^[a-z]{1,8}(=[a-z0-9]{0,5})?$/),
);
/** Text that is no directive at all, but closes every quote it opens. */
const noise = fc.oneof(harmless, fc.stringMatching(/^[^",\\;]{0,10}$/));

const spelled = fc
  .tuple(
    fc.constantFrom(...PROHIBITIONS),
    fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
    fc.constantFrom('', '=1', '=""', '="X-A, X-B"', ' ', '\t', ' = x'),
  )
  .map(([name, caps, tail]) => ({
    name,
    text:
      name
        .split('')
        .map((letter, i) => (caps[i] === true ? letter.toUpperCase() : letter))
        .join('') + tail,
  }));

describe('the Cache-Control parser', () => {
  it('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), fc.array(fc.string(), { maxLength: 5 })),
        (field) => {
          const directives = parseCacheControl(field);
          for (const name of directives.keys()) {
            const ms = secondsOf(directives, name);
            expect(ms).toBeGreaterThanOrEqual(0);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('never misses a prohibition, whatever stands around it', () => {
    fc.assert(
      fc.property(
        fc.array(noise, { maxLength: 4 }),
        spelled,
        fc.array(noise, { maxLength: 4 }),
        fc.constantFrom(',', ', ', ' ,', ',,', '; ', ';'),
        fc.boolean(),
        (before, { name, text }, after, separator, isInLines) => {
          const parts = [...before, text, ...after];
          const directives = parseCacheControl(isInLines ? parts : parts.join(separator));
          expect(directives.has(name)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('never invents a prohibition out of the text of another directive', () => {
    for (const field of ['x="no-store"', 'x="a, private, b"', 'x="\\", no-cache"', 'max-age=60, y="private"']) {
      const directives = parseCacheControl(field);
      expect(PROHIBITIONS.filter((name) => directives.has(name))).toEqual([]);
    }
  });

  it('reads a long field in linear time', () => {
    const startedAt = performance.now();
    for (const unit of ['a="', '="', 'a=', '\\"', ' =', 'a ', '"']) parseCacheControl(unit.repeat(5_000));
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});

interface Parts {
  readonly protocol: string;
  readonly host: string;
  readonly url: string;
  readonly lang: string | undefined;
  readonly tenant: string | undefined;
  readonly user: string | undefined;
  readonly cookie: string | undefined;
  readonly prefix: string | undefined;
  readonly custom: string | undefined;
}

/** Text made of what a key is put together with. */
const tricky = fc
  .array(
    fc.constantFrom(
      'a',
      'b',
      ':',
      '|',
      '/',
      '?',
      '&',
      '=',
      '~',
      '{',
      '}',
      '%',
      'GET',
      'GET:/',
      'u',
      'k',
      '0',
      '1',
      ',',
      '"',
      '[',
      ']',
      '\u00e9',
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''));
const maybe = fc.option(tricky, { nil: undefined });
const parts: fc.Arbitrary<Parts> = fc.record({
  protocol: fc.constantFrom('http', 'https'),
  host: tricky,
  url: tricky.map((text) => `/${text}`),
  lang: maybe,
  tenant: maybe,
  user: maybe,
  cookie: fc.option(fc.constantFrom('a', 'b', '"', ',', ''), { nil: undefined }),
  prefix: fc.option(
    tricky.filter((text) => text !== ''),
    { nil: undefined },
  ),
  custom: maybe,
});

function addressOf(
  { protocol, host, url, lang, tenant, user, cookie, prefix, custom }: Parts,
  names?: readonly string[],
): string {
  const config = toCacheConfig({
    vary: ['lang', 'tenant'],
    cookies: ['sid'],
    keyPrefix: prefix,
    key: custom === undefined ? undefined : () => custom,
  });
  const headers = Object.fromEntries(
    Object.entries({
      host,
      lang,
      tenant,
      cookie: cookie === undefined ? undefined : `x=1; sid=${cookie}`,
      accept: user,
    }).filter(([, value]) => value !== undefined),
  );
  const req = {
    protocol,
    headers,
    originalUrl: url,
    baseUrl: '',
    url,
    app: { get: () => undefined },
    socket: { encrypted: protocol === 'https' },
  } as unknown as Request;
  const key = new RequestKey(req, config, { user });
  return names === undefined ? key.address : key.variant(names);
}

/** What the address must tell apart: a custom key replaces the URL. */
function identityOf(given: Parts): string {
  const { url, custom, prefix, ...rest } = given;
  const nothing = null;
  return JSON.stringify([
    ...['protocol', 'host', 'lang', 'tenant', 'user', 'cookie'].map(
      (name) => rest[name as keyof typeof rest] ?? nothing,
    ),
    prefix ?? nothing,
    custom === undefined ? ['url', url] : ['custom', custom],
  ]);
}

describe('the request key', () => {
  it('is the same for two requests only when every declared part is', () => {
    fc.assert(
      fc.property(
        parts,
        parts,
        fc.uniqueArray(
          fc.constantFrom('protocol', 'host', 'url', 'lang', 'tenant', 'user', 'cookie', 'prefix', 'custom'),
        ),
        (one, other, changed) => {
          const two = { ...one, ...Object.fromEntries(changed.map((name) => [name, other[name as keyof Parts]])) };
          expect(addressOf(one) === addressOf(two)).toBe(identityOf(one) === identityOf(two));
          expect(addressOf(one)).not.toBe(addressOf(two, ['accept']));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('does not let text move from one part into the next', () => {
    fc.assert(
      fc.property(tricky, fc.nat(10), (text, at) => {
        const split = Math.min(at, text.length);
        const whole: Parts = {
          protocol: 'http',
          host: 'h',
          url: '/',
          lang: undefined,
          tenant: undefined,
          user: undefined,
          cookie: undefined,
          prefix: undefined,
          custom: undefined,
        };
        const spread = [
          { ...whole, prefix: text.slice(0, split) || undefined, custom: text.slice(split) },
          { ...whole, prefix: text || undefined, custom: '' },
          { ...whole, lang: text.slice(0, split), tenant: text.slice(split) },
          { ...whole, lang: text, tenant: '' },
          { ...whole, user: text },
        ];
        const addresses = new Map(spread.map((given) => [identityOf(given), addressOf(given)]));
        expect(new Set(addresses.values()).size).toBe(addresses.size);
      }),
      { numRuns: 500 },
    );
  });
});
