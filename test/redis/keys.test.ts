import { describe, expect, it } from '@jest/globals';
import calculateSlot from 'cluster-key-slot';
import { assert, constantFrom, property, string } from 'fast-check';
import { ConfigError } from '../../src/core/errors.ts';
import { createKeys } from '../../src/redis/keys.ts';

const keys = createKeys('shop');

describe('names of keys', () => {
  it('are readable', () => {
    expect(keys.entry('d:user:7')).toBe('shop:e:{d:user:7}');
    expect([keys.register, keys.news]).toEqual(['shop:reg', 'shop:news']);
  });

  it('carry the prefix of the client only where the client does not add it', () => {
    const prefixed = createKeys('shop', 'app:');
    expect([prefixed.entry('a'), prefixed.register, prefixed.news]).toEqual([
      'shop:e:{a}',
      'shop:reg',
      'app:shop:news',
    ]);
  });

  it.each([
    ['', 'shop:e:{%}'],
    ['{}', 'shop:e:{%7B%7D}'],
    ['a{b}c', 'shop:e:{a%7Bb%7Dc}'],
    ['100%', 'shop:e:{100%25}'],
    ['x'.repeat(512), `shop:e:{${'x'.repeat(512)}}`],
  ])('spell the key %j so that no client takes it for something else', (key, name) => {
    expect(keys.entry(key)).toBe(name);
  });

  it('are short, however long the key is', () => {
    const names = [keys.entry('x'.repeat(513)), keys.entry('x'.repeat(514)), keys.entry('😀'.repeat(200))];
    expect(new Set(names).size).toBe(3);
    for (const name of names) expect(name.length).toBeLessThan(80);
  });

  it('are different for different keys', () => {
    const text = string({
      unit: constantFrom('{', '}', '%', '7', 'B', 'D', '2', '5', 'a', 'é', '😀'),
      maxLength: 8,
    });
    assert(
      property(text, text, (a, b) => {
        expect(keys.entry(a) === keys.entry(b)).toBe(a === b);
      }),
      { numRuns: 500 },
    );
  });

  it('put the whole key between the first braces, which decide about the Cluster slot', () => {
    assert(
      property(string({ unit: 'binary', maxLength: 40 }), (key) => {
        const name = keys.entry(key);
        const inside = /^shop:e:\{([^{}]+)\}$/s.exec(name)?.[1] ?? '';
        expect(inside).not.toBe('');
        expect(calculateSlot(name)).toBe(calculateSlot(inside));
      }),
      { numRuns: 300 },
    );
  });

  it.each(['shop', 'shop:v2', 'a/b', 'é', '!'])('take the prefix %j', (prefix) => {
    expect(createKeys(prefix).register).toBe(`${prefix}:reg`);
  });

  it.each(['', ' ', 'a b', 'a\n', '{shop}', 'a}', 'a%', 'a*', 'a?', '[a]', 'a\\', 7, null])(
    'refuse the prefix %j',
    (prefix) => {
      expect(() => createKeys(prefix as string)).toThrow(ConfigError);
    },
  );
});
