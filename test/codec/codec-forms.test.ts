import { describe, expect, it } from '@jest/globals';
import { deserialize, serialize } from 'node:v8';
import { deflateSync } from 'node:zlib';
import { createCodec, type Encoded, type Serializer, UNREADABLE } from '../../src/codec/codec.ts';
import { shape, stored } from './codec-support.ts';

const COMPRESSED = 0x10;

describe('compression', () => {
  const codec = createCodec({ compressAbove: 1_000 });
  const encode = (value: unknown): Encoded => codec.encode(value) ?? { flags: -1, body: Buffer.alloc(0) };
  const large = { text: 'a value '.repeat(1_000), at: new Date(0), list: new Map([[1, 2n]]) };

  it('makes a large value smaller, and gives it back', async () => {
    const encoded = encode(large);
    const packed = await codec.pack(encoded);
    expect(packed.flags).toBe(encoded.flags | COMPRESSED);
    expect(packed.body.length).toBeLessThan(encoded.body.length / 10);
    expect(codec.pack({ ...packed, body: Buffer.alloc(2_000) })).toMatchObject({ flags: packed.flags });
    expect(shape(await codec.decode(packed.flags, packed.body))).toBe(shape(large));
    expect(shape(await createCodec().decode(packed.flags, packed.body))).toBe(shape(large));
  });

  it('leaves alone, at once, what is not above the size', () => {
    const encoded = encode('x'.repeat(998));
    expect(encoded.body.length).toBe(1_000);
    expect(codec.pack(encoded)).toBe(encoded);
    const byDefault = createCodec().encode(large);
    expect(byDefault && createCodec().pack(byDefault)).toBe(byDefault);
  });

  it('leaves alone what does not get smaller', async () => {
    const noise = encode(
      Buffer.from(Array.from({ length: 2_000 }, (_, i) => ((i * 7_919 + i * i * 31) % 251) ^ ((i * i) >> 3))),
    );
    const random = { ...noise, body: deflateSync(noise.body) };
    expect(await createCodec({ compressAbove: 1 }).pack(random)).toBe(random);
  });

  it('works for every format', async () => {
    const options = { compressAbove: 100 };
    for (const value of ['x'.repeat(500), [undefined, 'x'.repeat(500)], Buffer.alloc(500), new Uint8Array(500)])
      expect(shape(await stored(value, options))).toBe(shape(value));
  });

  it('never unpacks more than it says, or than it can hold', async () => {
    const bomb = (says: number, body: Buffer): unknown => {
      const head = Buffer.alloc(4);
      head.writeUInt32LE(says);
      return codec.decode(COMPRESSED, Buffer.concat([head, body]));
    };
    const text = Buffer.from(`"${'x'.repeat(100_000)}"`);
    const packed = deflateSync(text);
    expect(await bomb(text.length, packed)).toHaveLength(100_000);
    expect(await bomb(text.length - 1, packed)).toBe(UNREADABLE);
    expect(await bomb(text.length + 1, packed)).toBe(UNREADABLE);
    expect(await bomb(0, packed)).toBe(UNREADABLE);
    expect(await bomb(2 ** 32 - 1, packed)).toBe(UNREADABLE);
    expect(await bomb(text.length, packed.subarray(0, -8))).toBe(UNREADABLE);
    expect(await codec.decode(COMPRESSED, Buffer.alloc(3))).toBe(UNREADABLE);
    expect(await codec.decode(COMPRESSED | 9, Buffer.alloc(30))).toBe(UNREADABLE);
  });
});

describe('a serializer', () => {
  const v8: Serializer = { name: 'v8', serialize, deserialize };
  const text: Serializer = {
    name: 'text',
    serialize: JSON.stringify,
    deserialize: (bytes) => JSON.parse(bytes.toString()),
  };

  it('is used in place of JSON', async () => {
    const cyclic: { self?: object } = {};
    cyclic.self = cyclic;
    const read = (await stored(cyclic, { serializer: v8 })) as typeof cyclic;
    expect(read.self).toBe(read);
    expect(await stored({ a: 'é' }, { serializer: text })).toEqual({ a: 'é' });
  });

  it('is given bytes it may keep and change', async () => {
    const raw: Serializer = { name: 'raw', serialize: () => Buffer.from('abc'), deserialize: (bytes) => bytes };
    const codec = createCodec({ serializer: raw });
    const { flags, body } = codec.encode(1) ?? { flags: -1, body: Buffer.alloc(0) };
    (codec.decode(flags, body) as Buffer).fill(0);
    expect(String(codec.decode(flags, body))).toBe('abc');
  });

  it('reads only what it wrote itself', () => {
    const [plain, a, b] = [
      createCodec(),
      createCodec({ serializer: v8 }),
      createCodec({ serializer: { ...v8, name: 'v9' } }),
    ];
    const bytes = [plain, a, b].map((codec) => codec.encode({ x: 1 }));
    const readable = [plain, a, b].map((codec) =>
      bytes.map((one) => one && codec.decode(one.flags, one.body) !== UNREADABLE),
    );
    expect(readable).toEqual([
      [true, false, false],
      [false, true, false],
      [false, false, true],
    ]);
  });

  it('may fail', () => {
    const fails = (): never => {
      throw new Error('no');
    };
    const codec = createCodec({ serializer: { name: 'v8', serialize: fails, deserialize: fails } });
    expect(codec.encode(1)).toBeUndefined();
    const written = createCodec({ serializer: v8 }).encode(1);
    expect(written && codec.decode(written.flags, written.body)).toBe(UNREADABLE);
  });

  it('may not be asynchronous', () => {
    const later = (): Promise<never> => Promise.reject(new Error('later'));
    const writes = createCodec({ serializer: { ...v8, serialize: (() => Promise.resolve('x')) as never } });
    expect(writes.encode(1)).toBeUndefined();
    const reads = createCodec({ serializer: { ...v8, deserialize: later } });
    const written = reads.encode(1);
    expect(written && reads.decode(written.flags, written.body)).toBe(UNREADABLE);
  });
});
