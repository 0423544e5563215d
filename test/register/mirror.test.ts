import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { matchesGlob } from '../../src/core/glob.ts';
import type { Dependencies } from '../../src/register/ledger.ts';
import { createMirror, type Verdict } from '../../src/register/mirror.ts';
import { fromMember, type Purge, toMember, toRecordText } from '../../src/register/records.ts';

const purges: fc.Arbitrary<Purge> = fc
  .record({
    mode: fc.constantFrom('hard', 'soft'),
    kind: fc.constantFrom('tag', 'allTags', 'key', 'prefix', 'pattern', 'everything', 'user'),
    value: fc.constantFrom('a', 'b', 'd:a', 'd:', 'a*', '["a","b"]'),
  })
  .map((purge) => sensible(purge as Purge));

function sensible({ mode, kind, value }: Purge): Purge {
  if (kind === 'everything') return { mode, kind, value: '' };
  if (kind === 'allTags') return { mode, kind, value: '["a","b"]' };
  return { mode, kind, value };
}

const noted = fc.array(fc.tuple(purges, fc.integer({ min: 1, max: 30 })), { maxLength: 30 });
const entries = fc.record({
  key: fc.constantFrom('d:a', 'd:b', 'h:a', 'd:'),
  tags: fc.subarray(['a', 'b', 'c']),
  user: fc.constantFrom('a', 'b', 'c'),
  clock: fc.integer({ min: 0, max: 30 }),
});

function isHit({ kind, value }: Purge, { key, tags, user }: Dependencies): boolean {
  switch (kind) {
    case 'user':
      return user === value;
    case 'tag':
      return tags.includes(value);
    case 'allTags':
      return (JSON.parse(value) as string[]).every((tag) => tags.includes(tag));
    case 'key':
      return key === value;
    case 'prefix':
      return key.startsWith(value);
    case 'pattern':
      return matchesGlob(value, key.slice(2));
    case 'everything':
    default:
      return true;
  }
}

describe('the mirror', () => {
  it('notes many thousand prefixes without holding up the process', () => {
    const mirror = createMirror(7);
    const startedAt = performance.now();
    mirror.apply(Array.from({ length: 30_000 }, (_, i) => [`h^d:user:${i}:`, i + 1]));
    expect(performance.now() - startedAt).toBeLessThan(5_000); // Time that grows with the square of their number is more.
    expect(mirror.judge({ generation: 7, clock: 12_345 }, () => ({ key: 'd:user:12345:a', tags: [] }))).toBe('dead');
    mirror.raiseFloor(30_000);
    expect(mirror.judge({ generation: 7, clock: 30_000 }, () => ({ key: 'd:user:7:a', tags: [] }))).toBe('valid');
    mirror.apply([['h^d:user:', 30_001]]);
    expect(mirror.judge({ generation: 7, clock: 30_000 }, () => ({ key: 'd:user:7:a', tags: [] }))).toBe('dead');
  });

  it('judges as if it compared an entry with every purge ever noted, in whatever order they came', () => {
    fc.assert(
      fc.property(noted, entries, (list, { clock, ...entry }) => {
        const mirror = createMirror(7);
        for (const [purge, at] of list) mirror.apply([[toMember(purge), at]]);
        const hits = list.filter(([purge, at]) => at > clock && isHit(purge, entry));
        const expected: Verdict = hits.some(([{ mode }]) => mode === 'hard')
          ? 'dead'
          : hits.length > 0
            ? 'soft'
            : 'valid';
        expect(mirror.judge({ generation: 7, clock }, () => entry)).toBe(expected);
        expect(mirror.newestClock).toBe(Math.max(0, ...list.map(([, at]) => at)));
      }),
      { numRuns: 1_000 },
    );
  });

  it('never makes valid what was not by forgetting', () => {
    fc.assert(
      fc.property(
        noted,
        entries,
        fc.integer({ min: 0, max: 30 }),
        fc.nat({ max: 30 }),
        (list, { clock, ...entry }, floor, max) => {
          const members = list.map(([purge, at]) => [toMember(purge), at] as const).toSorted(([, a], [, b]) => a - b);
          const mirror = createMirror(7);
          mirror.apply(members);
          const before = mirror.judge({ generation: 7, clock }, () => entry);
          mirror.trim(max);
          expect(mirror.members().size).toBeLessThanOrEqual(max);
          mirror.raiseFloor(floor);
          mirror.apply(members.toReversed()); // Late replies may bring back what was forgotten.
          const after = mirror.judge({ generation: 7, clock }, () => entry);
          expect(after).toBe(clock < mirror.floor ? 'dead' : before);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('takes no entry of another generation, nor one below the floor', () => {
    const mirror = createMirror(7);
    const judge = (generation: number, clock: number): Verdict =>
      mirror.judge({ generation, clock }, () => ({ key: '', tags: [] }));
    mirror.advance(100);
    mirror.raiseFloor(50);
    expect([judge(7, 100), judge(8, 100), judge(7, 50), judge(7, 49), judge(7, Number.NaN)]).toEqual([
      'valid',
      'dead',
      'valid',
      'dead',
      'dead',
    ]);
    mirror.raiseFloor(10);
    expect(mirror.floor).toBe(50);
  });

  it('asks for key and tags only when something newer than the stamp is known', () => {
    const mirror = createMirror(1);
    mirror.apply([['hta', 10]]);
    let asked = 0;
    const describeEntry = (): { key: string; tags: string[] } => {
      asked++;
      return { key: '', tags: [] };
    };
    mirror.judge({ generation: 1, clock: 11 }, describeEntry);
    expect(asked).toBe(0);
    mirror.judge({ generation: 1, clock: 9 }, describeEntry);
    expect(asked).toBe(1);
  });

  it('says which floor leaves no more patterns than can be compared', () => {
    const mirror = createMirror(1);
    mirror.apply(Array.from({ length: 100 }, (_, i) => [`h*${i}`, i + 1] as const));
    expect(mirror.overflowOf(100)).toBe(0);
    expect(mirror.overflowOf(64)).toBe(36);
    mirror.raiseFloor(mirror.overflowOf(64));
    expect(mirror.members().size).toBe(64);
    expect(mirror.overflowOf(64)).toBe(0);
  });
});

describe('a record', () => {
  it('is told from its member, and bookkeeping is not one', () => {
    fc.assert(
      fc.property(purges, fc.string({ unit: 'binary' }), (purge, text) => {
        expect(fromMember(toMember(purge))).toEqual(purge);
        expect(fromMember(toMember({ ...purge, value: text }))).toEqual({ ...purge, value: text });
      }),
    );
    for (const member of ['', '!', '!g', '!c:1', '!f', '!F:1', 'h', 'hz1', 'zt1'])
      expect(fromMember(member)).toBeUndefined();
  });

  it('has text that survives Redis, and is never long', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 0xffff }), { maxLength: 400 }), (codes) => {
        const text = toRecordText(String.fromCharCode(...codes));
        expect(Buffer.from(text).toString()).toBe(text);
        expect(text.length).toBeLessThanOrEqual(256);
        expect(toRecordText(text)).toBe(text);
      }),
    );
    expect(toRecordText('x'.repeat(257))).not.toBe(toRecordText('x'.repeat(258)));
  });
});
