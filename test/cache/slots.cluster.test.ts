import { describe, expect, it } from '@jest/globals';
import calculateSlot from 'cluster-key-slot';
import * as fc from 'fast-check';
import { createKeys } from '../../src/redis/keys.ts';
import { testCluster, uniquePrefix } from '../support/connections.ts';

const cluster = testCluster();
const AWKWARD = [
  '',
  '{',
  '}',
  '{}',
  'foo{}{bar}',
  '{a}{b}',
  'a}b{c',
  '%',
  '%7B',
  '\0',
  '😀{',
  'x'.repeat(600),
  '{'.repeat(600),
];

describe('the slot of an entry', () => {
  it('is the same to the client and to the server, whatever is in the key', async () => {
    const keys = createKeys(uniquePrefix());
    const anything = fc.sample(fc.string({ unit: fc.constantFrom('{', '}', '%', 'a', 'é', '😀'), maxLength: 12 }), 200);
    for (const text of [...AWKWARD, ...anything]) {
      const key = keys.entry(text);
      expect([text, await cluster.cluster('KEYSLOT', key)]).toEqual([text, calculateSlot(key)]);
      // Whatever else belongs to it will stand before the same braces.
      expect(calculateSlot(key.replace(':e:', ':l:'))).toBe(calculateSlot(key));
    }
  });

  it('is spread over the Cluster, and no two texts share a key', () => {
    const keys = createKeys('spread');
    const texts = [...AWKWARD, ...Array.from({ length: 2_000 }, (_, i) => `d:item:${i}`)];
    expect(new Set(texts.map((text) => keys.entry(text))).size).toBe(texts.length);
    expect(new Set(texts.map((text) => calculateSlot(keys.entry(text)))).size).toBeGreaterThan(1_500);
  });
});
