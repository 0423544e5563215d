/** JSON of a value; `undefined` when it has none (functions, cycles, BigInt). */
export function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** The value; `undefined` when the bytes are not JSON, which a reader takes for a miss. */
export function fromJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString(), dropProto);
  } catch {
    return undefined;
  }
}

/** `JSON.parse` makes `__proto__` an own property, which becomes a prototype when the object is copied by assignment. */
function dropProto(this: unknown, key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value;
}
