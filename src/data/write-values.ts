import { fromJson, toJson } from './json.ts';

/**
 * Bytes of a value.
 *
 * @throws {TypeError} When it has no JSON form.
 */
export function encodeValue(key: string, value: unknown): Buffer {
  const json = toJson(value);
  if (json === undefined) throw new TypeError(`"${key}": the value has no JSON form.`);
  return Buffer.from(json);
}

/**
 * The value in bytes.
 *
 * @throws {TypeError} When they hold none.
 */
export function decodeValue(bytes: Buffer): unknown {
  const value = fromJson(bytes);
  if (value === undefined) throw new TypeError('The stored value cannot be read');
  return value;
}

/** @throws {TypeError} When it is no key. */
export function checkKey(key: unknown): string {
  if (typeof key !== 'string') throw new TypeError(`A key must be a string, not ${typeof key}.`);
  return key.toWellFormed();
}
