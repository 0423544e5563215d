/** JSON of a value; `undefined` when it has none (functions, cycles, BigInt). */
export function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** Looking for it costs little, a reviver many times what parsing does. The name may be written with escapes. */
const MAY_NAME_PROTO = /__proto__|\\u00/;

/** The value; `undefined` when the bytes are not JSON, which a reader takes for a miss. */
export function fromJson(bytes: Buffer): unknown {
  try {
    const text = bytes.toString();
    return MAY_NAME_PROTO.test(text) ? JSON.parse(text, dropProto) : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `JSON.parse` makes `__proto__` an own property, which becomes a prototype when the object is copied by assignment. */
function dropProto(this: unknown, key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value;
}
