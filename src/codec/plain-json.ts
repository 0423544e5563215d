/** Deeper values cannot be stored: a cycle is one that never ends. */
export const MAX_DEPTH = 500;

/** Whether `JSON.parse` gives back exactly what `JSON.stringify` is given. Must stay cheap: it decides for every value that is stored. */
export function isPlain(value: unknown, depth = 0): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0);
    case 'object':
      return value === null || (depth < MAX_DEPTH && isPlainObject(value, depth + 1));
    case 'bigint':
    case 'undefined':
    case 'function':
    case 'symbol':
    default:
      return false;
  }
}

function isPlainObject(value: object, depth: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) return areItemsPlain(value as readonly unknown[], depth);
  return (prototype === Object.prototype || prototype === null) && arePropertiesPlain(value, depth);
}

function areItemsPlain(items: readonly unknown[], depth: number): boolean {
  // By index: iterators are slower, and `every` steps over holes.
  for (let i = 0; i < items.length; i++) if (!isPlain(items[i], depth)) return false;
  return true;
}

function arePropertiesPlain(value: object, depth: number): boolean {
  // The engine keeps the list of names for this loop; Object.values() makes one each time.
  for (const name in value) if (!isPlain((value as Record<string, unknown>)[name], depth)) return false;
  return true;
}

/**
 * Parses JSON without keys named `__proto__`, which become prototypes when objects are copied by assignment.
 *
 * @throws {SyntaxError} When it is not JSON.
 */
export function parsePlain(text: string): unknown {
  return mayNameProto(text) ? JSON.parse(text, dropProto) : JSON.parse(text);
}

/** Looking for it costs little, a reviver many times what parsing does. The name may be written with escapes; `JSON.stringify` writes such for control characters only. */
function mayNameProto(text: string): boolean {
  return text.includes('__proto__') || (text.includes('\\u00') && /\\u00[567]/.test(text));
}

function dropProto(key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value;
}
