import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { matchesGlob } from '../../src/core/glob.ts';

/** The rule itself, tried in every way. */
function matchesNaively(pattern: string, text: string): boolean {
  const [first, second] = pattern;
  if (first === undefined) return text === '';
  if (first === '*')
    return matchesNaively(pattern.slice(1), text) || (text !== '' && matchesNaively(pattern, text.slice(1)));
  if (text === '') return false;
  if (first === '\\' && second !== undefined)
    return second === text[0] && matchesNaively(pattern.slice(2), text.slice(1));
  return (first === '?' || first === text[0]) && matchesNaively(pattern.slice(1), text.slice(1));
}

describe('a pattern', () => {
  it('matches what trying every way finds', () => {
    const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '\\'), maxLength: 8 });
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '\\'), maxLength: 8 });
    fc.assert(
      fc.property(patterns, texts, (pattern, text) => {
        expect(matchesGlob(pattern, text)).toBe(matchesNaively(pattern, text));
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    ['user:*', 'user:7', true],
    ['user:*', 'user:', true],
    ['user:?', 'user:', false],
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['a\\', 'a\\', true],
    ['[ab]', 'a', false],
    ['[ab]', '[ab]', true],
  ])('%j says of %j: %s', (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected);
  });

  it('cannot stall the process', () => {
    const startedAt = performance.now();
    expect(matchesGlob(`${'*a'.repeat(120)}b`, 'a'.repeat(50_000))).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});
