import { types } from 'node:util';

/** Nothing that a key is made of is nested so deeply, unless it contains itself. */
const MAX_DEPTH = 32;

/**
 * Arguments as text: the same for the same values whatever the order of an object's properties, another for values of another type (`1`, `'1'`, `1n`).
 *
 * @throws {TypeError} When one has no text: functions, symbols, promises, instances of classes, what contains itself.
 */
export function argumentText(values: readonly unknown[], where: string): string {
  return values.map((value, i) => toText(value, { where: `${where}: argument ${i + 1}`, depth: 0 })).join(',');
}

interface At {
  readonly where: string;
  readonly depth: number;
}

function toText(value: unknown, at: At): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'bigint':
      return `${value}n`;
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'object':
      return value === null ? 'null' : objectText(value, at);
    case 'function':
    case 'symbol':
    default:
      return refuse(`a ${typeof value}`, at);
  }
}

function objectText(value: object, at: At): string {
  if (at.depth === MAX_DEPTH) return refuse('what contains itself, or is nested so deeply,', at);
  const within = { ...at, depth: at.depth + 1 };
  const listText = (values: Iterable<unknown>): string => Array.from(values, (item) => toText(item, within)).join(',');
  if (types.isUint8Array(value))
    return `Bytes(${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')})`;
  if (isBuiltIn(value) && holdsMore(value)) return refuse(`a ${nameOf(value)} with more than it shows`, at);
  if (Array.isArray(value)) return `[${listText(value)}]`;
  if (types.isDate(value)) return `Date(${value.getTime()})`;
  if (value instanceof URL) return `URL(${JSON.stringify(value.href)})`;
  if (types.isMap(value)) return `Map(${listText(value)})`;
  if (types.isSet(value)) return `Set(${listText(value)})`;
  return plainText(value, within);
}

function isBuiltIn(value: object): boolean {
  return (
    Array.isArray(value) || types.isDate(value) || types.isMap(value) || types.isSet(value) || value instanceof URL
  );
}

/** Properties of its own, or a class that descends from the built-in one and may have private ones. */
function holdsMore(value: object): boolean {
  if (Object.keys(value).length > (Array.isArray(value) ? value.length : 0)) return true;
  return !isRootPrototype(prototypeOf(prototypeOf(value)));
}

/** Whether it is `Object.prototype`, of any realm. */
function isRootPrototype(value: object | null): boolean {
  return value !== null && prototypeOf(value) === null && Object.hasOwn(value, 'isPrototypeOf');
}

function prototypeOf(value: object | null): object | null {
  return value === null ? null : (Object.getPrototypeOf(value) as object | null);
}

function plainText(value: object, at: At): string {
  const prototype = prototypeOf(value);
  if (prototype !== null && !isRootPrototype(prototype)) return refuse(`a ${nameOf(value)}`, at);
  if (Object.getOwnPropertySymbols(value).length > 0) return refuse('an object with symbols', at);
  const fields = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${toText(field, at)}`).join(',')}}`;
}

function nameOf(value: object): string {
  const { constructor } = value;
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'class instance';
}

function refuse(what: string, { where }: At): never {
  throw new TypeError(
    `${where}: ${what} cannot be part of a key. Give key: a function that makes the key of the arguments.`,
  );
}
