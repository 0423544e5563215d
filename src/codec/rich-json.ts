import { types } from 'node:util';
import { bytesToTag, isBytes } from './rich-bytes.ts';
import { MAX_DEPTH } from './plain-json.ts';

/** The one property of an object that stands for something JSON lacks: `{"$":["Date",0]}`. An object that has such a property itself is written `{"$":["object",{"$":…}]}`. */
export const TAG = '$';

/** What stands for a value that JSON lacks: the name of its type, and what it is made of. */
type Tagged = Readonly<Record<typeof TAG, readonly [type: string, content?: unknown]>>;

/**
 * JSON of any value, with tags for what JSON lacks. What cannot be kept is as in JSON: class instances become plain objects, functions and symbols are left out, or `null` as items.
 *
 * @throws {TypeError} When it is a function or a symbol.
 * @throws {RangeError} When it is too deep, or a cycle, or has too many holes.
 */
export function toRichJson(value: unknown): string {
  const data = toData(value, '', 0);
  if (data === OMITTED) throw new TypeError('Functions and symbols cannot be stored.');
  return JSON.stringify(data);
}

/** Own properties of errors that are not enumerable, and are kept. */
export const HIDDEN_OF_ERRORS: readonly string[] = ['cause', 'errors'];

const OMITTED = Symbol('omitted');

function tag(type: string, content?: unknown): Tagged {
  return { [TAG]: content === undefined ? [type] : [type, content] };
}

function toData(value: unknown, key: string, depth: number): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : tag('number', value === 0 ? '-0' : String(value));
    case 'bigint':
      return tag('bigint', value.toString(16)); // Decimals take quadratic time to read.
    case 'undefined':
      return tag('undefined');
    case 'object':
      return value === null ? null : objectToData(value, key, depth + 1);
    case 'function':
    case 'symbol':
    default:
      return OMITTED;
  }
}

function objectToData(value: object, key: string, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new RangeError(`Values deeper than ${MAX_DEPTH} levels cannot be stored.`);
  const prototype: unknown = Object.getPrototypeOf(value);
  const isOrdinary = prototype === Object.prototype || prototype === Array.prototype || prototype === null;
  const kept = isOrdinary ? undefined : instanceToTag(value, depth);
  if (kept !== undefined) return kept;
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') {
    const data: unknown = toJSON.call(value, key);
    if (data !== value) return toData(data, key, depth);
  }
  return Array.isArray(value) ? itemsToData(value, depth) : propertiesToData(value, depth);
}

/** By brand, not by class: what another realm made (a test runner's, `node:vm`) is known as well. */
function instanceToTag(value: object, depth: number): unknown {
  if (types.isDate(value)) return tag('Date', Number.isNaN(value.getTime()) ? 'invalid' : value.getTime());
  if (types.isMap(value)) return tag('Map', itemsToData([...value].flat(), depth));
  if (types.isSet(value)) return tag('Set', itemsToData([...value], depth));
  if (isBytes(value)) return tag(...bytesToTag(value));
  if (types.isRegExp(value)) return tag('RegExp', [value.source, value.flags]);
  if (value instanceof URL) return tag('URL', value.href);
  if (types.isNativeError(value) || value instanceof Error) return tag('Error', errorToData(value, depth));
  if (types.isPromise(value)) throw new TypeError('A promise cannot be stored: await it.');
  if (types.isBoxedPrimitive(value)) return toData(value.valueOf(), '', depth);
  return undefined;
}

/** Name, message, cause and own properties such as `code`. Not the stack: it is of this process, and tells of its files. */
function errorToData(error: Error, depth: number): unknown {
  const properties = Object.fromEntries(Object.entries(error));
  for (const name of HIDDEN_OF_ERRORS) {
    if (Object.hasOwn(error, name)) properties[name] = Reflect.get(error, name);
  }
  return [...[error.name, error.message].map(String), propertiesToData(properties, depth)];
}

/** Holes take no memory, but what stands for them does: a list with one item may be long enough to block the process for minutes. */
const MAX_HOLES = 10_000;

function itemsToData(items: readonly unknown[], depth: number): unknown[] {
  let holes = 0;
  return Array.from(items, (item, i) => {
    if (item === undefined && !(i in items) && ++holes > MAX_HOLES)
      throw new RangeError(`Lists with more than ${MAX_HOLES} holes cannot be stored: take a Map.`);
    const data = toData(item, String(i), depth);
    return data === OMITTED ? null : data;
  });
}

function propertiesToData(value: object, depth: number): unknown {
  const data: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(value)) {
    const written = name === '__proto__' ? OMITTED : toData(property, name, depth);
    if (written !== OMITTED) data[name] = written;
  }
  return Object.hasOwn(data, TAG) ? tag('object', data) : data;
}
