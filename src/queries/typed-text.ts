import { ConfigError } from '../core/errors.ts';

const MAX_DEPTH = 100;

/**
 * A text for a value that no other value has: `1`, `'1'` and `1n` differ, as do `null` and `undefined`; objects with the same properties in any order do not.
 *
 * @throws {ConfigError} When it cannot be told from others: functions, symbols, cycles, and instances of classes that say nothing about themselves by `toPostgres` or `toJSON`.
 */
export function typedText(value: unknown, depth = 0): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value); // Tells apart what has no UTF-8 form, too.
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'bigint':
      return `${value}n`;
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'object':
      return value === null ? 'null' : objectText(value, depth + 1);
    case 'function':
    case 'symbol':
      break;
  }
  throw new ConfigError(`params: a ${typeof value} cannot be part of a key. Pass a value.`);
}

function objectText(value: object, depth: number): string {
  if (depth > MAX_DEPTH) throw new ConfigError('params: nested too deep, or in a circle.');
  const listText = (values: Iterable<unknown>): string =>
    Array.from(values, (item) => typedText(item, depth)).join(',');
  if (Array.isArray(value)) return `[${listText(value)}]`;
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (value instanceof Map) return `Map(${listText([...value].flat())})`;
  if (value instanceof Set) return `Set(${listText(value)})`;
  if (ArrayBuffer.isView(value)) return bytesText(value);
  if (isPlain(value)) return plainText(value, depth);
  const own = ownText(value);
  if (own !== undefined) return `Own(${typedText(own.value, depth)})`;
  throw new ConfigError('params: an instance of a class cannot be part of a key. Pass its text, or give it toJSON().');
}

/** A Buffer is the bytes that it has; other arrays of numbers are not the same as those. */
function bytesText(view: ArrayBufferView): string {
  const kind = view instanceof Uint8Array ? 'Bytes' : Object.prototype.toString.call(view).slice(8, -1);
  return `${kind}(${Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64')})`;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Properties named by symbols are operators to some libraries, and have no text. */
function plainText(value: object, depth: number): string {
  if (Object.getOwnPropertySymbols(value).length > 0) {
    throw new ConfigError('params: a property that is named by a symbol cannot be part of a key. Name it by text.');
  }
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, item]) => `${JSON.stringify(name)}:${typedText(item, depth)}`).join(',')}}`;
}

/** What an object is to the database: node-postgres asks for the one, and for the other where that is not there. */
function ownText(value: object): { readonly value: unknown } | undefined {
  const { toPostgres, toJSON } = value as { toPostgres?: unknown; toJSON?: unknown };
  if (typeof toPostgres === 'function') return { value: toPostgres.call(value, (item: unknown) => item) as unknown };
  return typeof toJSON === 'function' ? { value: toJSON.call(value) as unknown } : undefined;
}
