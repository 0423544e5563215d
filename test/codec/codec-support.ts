import { inspect, types } from 'node:util';
import { createCodec, type CodecOptions } from '../../src/codec/codec.ts';

/** What is read when a value was stored: written, compressed if it is large, read from a copy of its bytes. */
export async function stored(value: unknown, options: CodecOptions = {}): Promise<unknown> {
  const codec = createCodec(options);
  const encoded = codec.encode(value);
  if (encoded === undefined) throw new TypeError('The value cannot be stored');
  const { flags, body } = await codec.pack(encoded);
  return codec.decode(flags, Buffer.from(body));
}

/** All there is to see of a value: types, contents, holes, -0. */
export function shape(value: unknown): string {
  return inspect(value, {
    depth: Infinity,
    maxArrayLength: Infinity,
    maxStringLength: Infinity,
    breakLength: Infinity,
  });
}

const ORDINARY = new Set<unknown>([Object.prototype, Array.prototype]);

/** Objects anywhere inside a value that have another prototype than what they are, or a property that could become one. */
export function misshapen(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return [];
  if (types.isMap(value)) return [...value].flat().flatMap(misshapen);
  if (types.isSet(value)) return [...value].flatMap(misshapen);
  if (value instanceof Error) return [value.cause, ...Object.values(value)].flatMap(misshapen);
  const isBuiltIn =
    ArrayBuffer.isView(value) || [types.isDate, types.isRegExp, types.isAnyArrayBuffer].some((is) => is(value));
  if (isBuiltIn || value instanceof URL) return [];
  const isWell = ORDINARY.has(Object.getPrototypeOf(value)) && !Object.hasOwn(value, '__proto__');
  return [...(isWell ? [] : [value]), ...Object.values(value).flatMap(misshapen)];
}
