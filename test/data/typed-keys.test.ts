import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { ConfigError } from '../../src/core/errors.ts';
import { withKeyOptions } from '../../src/data/typed-key.ts';
import { key, keys } from '../../src/data/typed-keys.ts';

const k = keys({
  user: key('user:{id}', { id: Number }, { ttl: '1h', tags: ({ id }) => [`user:${id}`] }),
  jobs: key('jobs:{city}:page-{page}', { city: String, page: Number }, { tags: ['jobs'] }),
  everything: key('every:{flag}:{big}:{at}:{plan}', {
    flag: Boolean,
    big: BigInt,
    at: Date,
    plan: ['free', 'pro'],
  }),
  settings: key('settings', {}, { ttl: 'week' }),
});

const bytes = (text: string): number => Buffer.byteLength(text);
/** Texts of all kinds, and such as would reach into the next part. */
const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(':', '%', '~', '3', 'A', '2', '5', 'a', '\ud800', '\udc00', 'é') }),
  fc.string({ minLength: 90, maxLength: 300 }),
  fc.string({ unit: fc.constantFrom(':', '€', '\ud800'), minLength: 20, maxLength: 200 }),
);

describe('typed keys', () => {
  it('fill their template, and bring along lifetime and tags', () => {
    const { key: text, ...options } = k.user({ id: 7 });
    expect([text, options]).toEqual(['user:7', { ttl: '1h', tags: ['user:7'] }]);
    expect(k.jobs({ city: 'Oslo', page: 2 })).toMatchObject({
      key: 'jobs:Oslo:page-2',
      ttl: undefined,
      tags: ['jobs'],
    });
    expect(k.settings()).toMatchObject({ key: 'settings', ttl: 'week', tags: undefined });
  });

  it('are their text in a text', () => {
    expect(String(k.user({ id: 7 }))).toBe('user:7');
  });

  it('take numbers, booleans, whole numbers of any size, dates and words of a list', () => {
    const at = new Date('2026-03-01T12:00:00Z');
    expect(k.everything({ flag: false, big: -12n, at, plan: 'pro' }).key).toBe(`every:false:-12:${at.getTime()}:pro`);
    expect(k.user({ id: -1.5 }).key).toBe('user:-1.5');
    expect(k.user({ id: -0 }).key).toBe('user:0');
  });

  it('refuse what is of another type, and name it', () => {
    const user = (id: unknown) => (): unknown => k.user({ id } as { id: number });
    for (const id of [Number.NaN, Infinity, '7', {}, null, true, 7n, [7], new Date()]) {
      expect(user(id)).toThrow(/^key "user:\{id\}": id must be a finite number, not /);
    }
    expect(user(undefined)).toThrow(new TypeError('key "user:{id}": id must be a finite number, not missing.'));
    expect(() => k.user(undefined as unknown as { id: number })).toThrow(TypeError);
    expect(() => k.user(null as unknown as { id: number })).toThrow(TypeError);
    const every = { flag: true, big: 1n, at: new Date(0), plan: 'pro' } as const;
    expect(() => k.everything({ ...every, at: new Date(Number.NaN) })).toThrow('at must be a valid Date');
    expect(() => k.everything({ ...every, plan: 'root' as 'pro' })).toThrow('plan must be one of "free", "pro"');
    expect(() => k.everything({ ...every, big: 1 as unknown as bigint })).toThrow('big must be a bigint');
  });

  it('are different for different parameters, whatever these contain, and never long', () => {
    fc.assert(
      fc.property(texts, fc.integer(), texts, fc.integer(), (city, page, otherCity, otherPage) => {
        const one = k.jobs({ city, page }).key;
        const other = k.jobs({ city: otherCity, page: otherPage }).key;
        expect(one === other).toBe(city === otherCity && page === otherPage);
        expect(one.split(':')).toHaveLength(3);
        expect(one.isWellFormed()).toBe(true);
        expect(bytes(one)).toBeLessThanOrEqual(256);
      }),
      { numRuns: 500 },
    );
  });

  it('keep the readable beginning of what is too long', () => {
    const { key: text } = k.jobs({ city: `Llanfair${'x'.repeat(400)}`, page: 1 });
    expect(text).toMatch(/^jobs:Llanfairx{50,}%~[\w-]{22}:page-1$/);
    expect(k.jobs({ city: `Llanfair${'x'.repeat(401)}`, page: 1 }).key).not.toBe(text);
  });

  it('begin with the prefix of their first parameters, and others do not', () => {
    expect([k.jobs.prefix(), k.jobs.prefix({ city: 'Oslo' }), k.user.prefix()]).toEqual([
      'jobs:',
      'jobs:Oslo:page-',
      'user:',
    ]);
    fc.assert(
      fc.property(texts, texts, fc.integer(), (city, otherCity, page) => {
        const prefix = k.jobs.prefix({ city });
        expect(k.jobs({ city, page }).key.startsWith(prefix)).toBe(true);
        expect(k.jobs({ city: otherCity, page }).key.startsWith(prefix)).toBe(city === otherCity);
        expect(bytes(prefix)).toBeLessThanOrEqual(256);
      }),
      { numRuns: 500 },
    );
  });

  it('have no prefix of all parameters, of later ones alone, or of nothing', () => {
    const declared: unknown = k.jobs.prefix;
    const prefix = declared as (values: object) => string;
    expect(() => prefix({ city: 'Oslo', page: 1 })).toThrow('it is a key, not a prefix');
    expect(() => prefix({ page: 1 })).toThrow('page comes after city');
    expect(() => prefix({ city: 7 })).toThrow('city must be a string');
    expect(() => keys({ any: key('{id}', { id: String }) }).any.prefix()).toThrow('begins with a parameter');
  });

  it.each([
    ['an empty template', () => key('', {})],
    ['a parameter without a type', () => key('a:{id}', {} as { id: NumberConstructor })],
    ['a type without a parameter', () => key<string, object>('a', { id: Number })],
    ['a parameter twice', () => key('{id}:{id}', { id: Number })],
    ['a parameter that does not end its part', () => key('a:{id}-b', { id: Number })],
    ['a brace that is open', () => key('a:{id', {})],
    ['a template that escapes', () => key('50%:{id}', { id: Number })],
    ['another type', () => key('a:{id}', { id: Map as unknown as NumberConstructor })],
    ['an empty list', () => key('a:{id}', { id: [] })],
    ['a long template', () => key(`${'a'.repeat(220)}:{id}`, { id: Number })],
    ['a lifetime in seconds', () => key('a', {}, { ttl: 60 })],
    ['an unknown option', () => key('a', {}, { expires: 1 } as object)],
    ['tags that are one text', () => key('a', {}, { tags: 'a' as never })],
  ])('refuse %s', (_what, declare) => {
    expect(declare).toThrow(ConfigError);
  });

  it.each([
    ['user:{id}', { id: Number }, 'user:{name}', { name: String }],
    ['user:{name}', { name: String }, 'user:me', {}],
    ['user:{plan}', { plan: ['me', 'you'] }, 'user:me', {}],
    ['a:{x}:c', { x: String }, 'a:b:{y}', { y: String }],
    ['v{n}', { n: String }, '{m}', { m: String }],
    ['same', {}, 'same', {}],
  ])('are refused together when both can make the same key: %s, %s', (one, oneTypes, other, otherTypes) => {
    const declared = { one: key<string, object>(one, oneTypes), other: key<string, object>(other, otherTypes) };
    expect(() => keys(declared)).toThrow(/can make the same key/);
  });

  it.each([
    ['user:{id}', { id: Number }, 'user:me', {}],
    ['user:{id}', { id: String }, 'user:{id}:posts', { id: String }],
    ['flag:{on}', { on: Boolean }, 'flag:maybe', {}],
    ['at:{at}', { at: Date }, 'at:noon', {}],
    ['big:{n}', { n: BigInt }, 'big:1.5', {}],
    ['v1-{n}', { n: String }, 'v2-{n}', { n: String }],
  ])('stand together when they cannot: %s, %s', (one, oneTypes, other, otherTypes) => {
    const declared = { one: key<string, object>(one, oneTypes), other: key<string, object>(other, otherTypes) };
    expect(() => keys(declared)).not.toThrow();
  });

  it('complete the options of a call: its lifetime goes first, tags add up', () => {
    const user = k.user({ id: 7 });
    expect(withKeyOptions(user, {})).toEqual({ ttl: '1h', tags: ['user:7'] });
    expect(withKeyOptions(user, { ttl: '1m', tags: ['a'] })).toEqual({ ttl: '1m', tags: ['user:7', 'a'] });
    const { tags } = withKeyOptions(user, { tags: (value: string) => [value] });
    expect((tags as (value: string) => readonly string[])('b')).toEqual(['user:7', 'b']);
    const options = { ttl: '1m' } as const;
    expect(withKeyOptions('plain', options)).toBe(options);
  });

  it('are checked by the compiler', () => {
    const wrong: readonly (() => unknown)[] = [
      // @ts-expect-error A number.
      () => k.user({ id: '7' }),
      // @ts-expect-error Missing.
      () => k.user({}),
      // @ts-expect-error Missing.
      () => k.user(),
      // @ts-expect-error One is missing.
      () => k.jobs({ city: 'Oslo' }),
      // @ts-expect-error Not in the list.
      () => k.everything({ flag: true, big: 1n, at: new Date(), plan: 'root' }),
      // @ts-expect-error A key, not a prefix.
      () => k.jobs.prefix({ city: 'Oslo', page: 1 }),
      // @ts-expect-error The parameter before is missing.
      () => k.jobs.prefix({ page: 1 }),
      // @ts-expect-error No parameters, no prefix.
      () => k.settings.prefix(),
      // @ts-expect-error No type for {id}.
      () => key('a:{id}', {}),
      // @ts-expect-error No parameter {page}.
      () => key('a:{id}', { id: Number, page: Number }),
      // @ts-expect-error Not a type of parameter.
      () => key('a:{id}', { id: Object }),
      // @ts-expect-error Not a lifetime.
      () => key('a:{id}', { id: Number }, { ttl: 'soon' }),
    ];
    for (const call of wrong) expect(call).toThrow(Error);
    // @ts-expect-error No such parameter.
    expect(k.user({ id: 7, page: 1 }).key).toBe('user:7');
    // @ts-expect-error The tags of a number are not made of a text.
    expect(() => key('a:{id}', { id: Number }, { tags: ({ id }) => [id.trim()] })).not.toThrow();
  });
});
