import { createCodec, UNREADABLE } from '../codec/codec.ts';

const codec = createCodec();

/**
 * Bytes of a value: one that says how they are to be read, then the value's.
 *
 * @throws {TypeError} When it cannot be stored.
 */
export function encodeValue(key: string, value: unknown): Buffer {
  const encoded = codec.encode(value);
  if (encoded === undefined)
    throw new TypeError(`"${key}": the value cannot be stored (a function, a promise, a cycle).`);
  return Buffer.concat([Buffer.of(encoded.flags), encoded.body]);
}

/**
 * The value in bytes.
 *
 * @throws {TypeError} When they hold none.
 */
export function decodeValue(bytes: Buffer): unknown {
  const value = bytes.length === 0 ? UNREADABLE : codec.decode(bytes.readUInt8(0), bytes.subarray(1));
  if (value === UNREADABLE) throw new TypeError('The stored value cannot be read');
  return value;
}

/** @throws {TypeError} When it is no key. */
export function checkKey(key: unknown): string {
  if (typeof key !== 'string') throw new TypeError(`A key must be a string, not ${typeof key}.`);
  return key.toWellFormed();
}
