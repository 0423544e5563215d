import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { decodeEntry, dependenciesOf, encodeEntry, type EntryDraft } from '../../src/cache/entry.ts';
import { toFound } from '../../src/cache/found.ts';
import { entryKey, toTags } from '../../src/cache/tags.ts';
import { createMemoryRegister } from '../../src/register/memory-register.ts';
import type { Register } from '../../src/register/register.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 400 });
/** Lone surrogates too. */
const anyUtf16 = fc.oneof(
  anyText,
  fc.array(fc.integer({ max: 0xffff, min: 0 })).map((codes) => String.fromCharCode(...codes)),
);
const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 });

const drafts: fc.Arbitrary<EntryDraft> = fc.record({
  key: anyUtf16.map((key) => entryKey('d', key)),
  tags: fc
    .array(
      anyUtf16.filter((tag) => tag !== ''),
      { maxLength: 20 },
    )
    .map((tags) => toTags(tags, 'test')),
  stamp: fc.record({ generation: fc.maxSafeNat(), clock: fc.maxSafeNat() }),
  flags: fc.integer({ min: 0, max: 255 }),
  freshMs: number,
  staleMs: number,
  computeMs: number,
  metadata: anyText,
  body: fc.uint8Array({ maxLength: 1_000 }),
});

/** One register where something the entries know nothing of was invalidated, so that their keys and tags are read. */
async function openRegister(): Promise<Register> {
  const register = createMemoryRegister();
  await register.invalidate([{ mode: 'hard', kind: 'tag', value: 'something else altogether' }]);
  return register;
}

function livingDraft(draft: EntryDraft): EntryDraft {
  return { ...draft, stamp: { generation: 1, clock: 0 }, freshMs: 60_000, staleMs: 0 };
}

describe('the frame of an entry', () => {
  it('gives back what was put in', () => {
    fc.assert(
      fc.property(drafts, number, (draft, storedAt) => {
        const bytes = encodeEntry(draft, storedAt);
        const entry = decodeEntry(bytes);
        if (entry === undefined) throw new Error('not decoded');
        expect(dependenciesOf(entry)).toEqual({ key: draft.key, tags: draft.tags });
        expect(entry.body).toEqual(Buffer.from(draft.body));
        expect(entry.metadata.toString()).toBe(draft.metadata);
        const { stamp, flags, freshMs, staleMs, computeMs } = draft;
        expect(entry).toMatchObject({ ...stamp, flags, freshMs, staleMs, computeMs, storedAt });
      }),
      { numRuns: 300 },
    );
  });

  it('takes 1,000 tags, an empty body and a large one', () => {
    const tags = Array.from({ length: 1_000 }, (_, i) => `tag:${i}`);
    for (const body of [Buffer.alloc(0), Buffer.alloc(5_000_000, 7)]) {
      const draft = {
        key: 'd:',
        tags,
        stamp: { generation: 1, clock: 2 },
        flags: 0,
        freshMs: 1,
        staleMs: 0,
        computeMs: 0,
        metadata: '',
        body,
      };
      const entry = decodeEntry(encodeEntry(draft, 0));
      expect(entry?.body.equals(body)).toBe(true);
      expect(entry && dependenciesOf(entry)).toEqual({ key: 'd:', tags });
    }
  });

  it('reads nothing from what is cut short, is too long, or is something else', async () => {
    const register = await openRegister();
    fc.assert(
      fc.property(drafts, fc.nat(), fc.uint8Array({ minLength: 1 }), (draft, cut, more) => {
        const bytes = encodeEntry(draft, 0);
        expect(decodeEntry(bytes.subarray(0, cut % bytes.length))).toBeUndefined();
        expect(decodeEntry(Buffer.concat([bytes, more]))).toBeUndefined();
        const noise = decodeEntry(Buffer.from(more));
        if (noise !== undefined) toFound(noise, register);
      }),
    );
  });

  it('is a miss for another magic number or version', () => {
    for (const at of [0, 1, 2]) {
      const bytes = encodeEntry(fc.sample(drafts, { numRuns: 1, seed: 1 })[0] as EntryDraft, 0);
      bytes[at] = (bytes[at] ?? 0) + 1;
      expect(decodeEntry(bytes)).toBeUndefined();
    }
  });

  it('never throws at a reader when bytes were changed, and never serves a body that is not all there', async () => {
    const register = await openRegister();
    fc.assert(
      fc.property(
        drafts,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 6 }),
        (draft, changes) => {
          const bytes = encodeEntry(livingDraft(draft), register.now());
          // Most of what is interesting is at the front.
          for (const [at, byte] of changes) bytes[at % (at % 2 === 0 ? 72 : bytes.length)] = byte;
          const entry = decodeEntry(bytes);
          const found = entry && toFound(entry, register);
          if (found === undefined) return;
          expect(found.entry.body.length).toBe(bytes.readUInt32LE(20));
          expect(found.entry.metadata.length).toBe(bytes.readUInt32LE(16));
          expect(found.ageMs).toBeGreaterThanOrEqual(0);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('is dead when tags and key do not fill their places, or its clock is no number', async () => {
    const register = await openRegister();
    const draft = livingDraft({
      ...(fc.sample(drafts, { numRuns: 1, seed: 1 })[0] as EntryDraft),
      tags: ['a', 'b'],
      key: 'd:k',
    });
    const judged = (garble: (bytes: Buffer) => unknown): unknown => {
      const bytes = encodeEntry(draft, register.now());
      garble(bytes);
      const entry = decodeEntry(bytes);
      return entry && toFound(entry, register)?.state;
    };
    expect(judged(() => undefined)).toBe('fresh');
    expect(judged((bytes) => bytes.writeUInt16LE(1, 4))).toBeUndefined(); // One tag less: the other would be read as the key.
    expect(judged((bytes) => bytes.writeUInt16LE(60_000, 72))).toBeUndefined();
    expect(judged((bytes) => bytes.writeDoubleLE(Number.NaN, 24))).toBeUndefined();
    expect(judged((bytes) => bytes.writeDoubleLE(Number.NaN, 40))).toBeUndefined();
  });
});
