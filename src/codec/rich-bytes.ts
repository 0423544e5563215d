import { types } from 'node:util';

type TypedArrayConstructor = new (bytes: ArrayBuffer) => NodeJS.ArrayBufferView;

/** Typed arrays by name. */
const TYPED_ARRAYS = new Map<string, TypedArrayConstructor>(
  [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ].map((constructor) => [constructor.name, constructor]),
);
const float16 = Reflect.get(globalThis, 'Float16Array') as TypedArrayConstructor | undefined; // From Node 24 on.
if (float16 !== undefined) TYPED_ARRAYS.set('Float16Array', float16);

type Bytes = ArrayBuffer | SharedArrayBuffer | NodeJS.ArrayBufferView;

/** Whether it is a Buffer, a typed array, a DataView or an ArrayBuffer. */
export function isBytes(value: object): value is Bytes {
  return ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value);
}

/** Name of the type and the bytes, as they are in memory, in base64. Of a view only what it shows. */
export function bytesToTag(value: Bytes): [type: string, base64: string] {
  const bytes = ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : Buffer.from(value);
  return [typeOf(value), bytes.toString('base64')];
}

function typeOf(value: Bytes): string {
  if (Buffer.isBuffer(value)) return 'Buffer';
  if (types.isDataView(value)) return 'DataView';
  return types.isTypedArray(value) ? value[Symbol.toStringTag] : 'ArrayBuffer';
}

/**
 * The value again, or `undefined` when the type is not one of these.
 *
 * @throws {RangeError} When the bytes do not make up whole items.
 */
export function bytesFromTag(type: string, base64: string): Bytes | undefined {
  const bytes = ownBytes(Buffer.from(base64, 'base64'));
  if (type === 'Buffer') return Buffer.from(bytes);
  if (type === 'DataView') return new DataView(bytes);
  if (type === 'ArrayBuffer') return bytes;
  const constructor = TYPED_ARRAYS.get(type);
  return constructor && new constructor(bytes);
}

/** A copy in memory of its own: nobody else sees what is done to it, and it is aligned. */
export function ownBytes(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
