import { types } from 'node:util';

/** Nothing that a key is made of is nested so deeply, unless it contains itself. */
const MAX_DEPTH = 100;

/** What to do with values that have no text of their own. */
export interface TextRules {
  /** The error for what cannot be told from others: `a function`, `a Page with more than it shows`. */
  refusal(what: string): Error;
  /** What stands for an instance of a class, where the caller knows; `undefined` refuses it. Default: all are refused. */
  standIn?(instance: object): { readonly value: unknown } | undefined;
}

/**
 * A text for a value that no other value has: `1`, `'1'` and `1n` differ, as do `null` and `undefined`; objects with the same properties in any order do not.
 *
 * @throws The `refusal` when it cannot be told from others: functions, symbols, promises, instances of classes, those that extend a built-in one too, what contains itself.
 */
export function typedText(value: unknown, rules: TextRules, depth = 0): string {
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
      return value === null ? 'null' : objectText(value, rules, depth + 1);
    case 'function':
    case 'symbol':
    default:
      throw rules.refusal(`a ${typeof value}`);
  }
}

function objectText(value: object, rules: TextRules, depth: number): string {
  if (depth > MAX_DEPTH) throw rules.refusal('what contains itself, or is nested so deeply,');
  const listText = (values: Iterable<unknown>): string =>
    Array.from(values, (item) => typedText(item, rules, depth)).join(',');
  if (isBuiltIn(value) && holdsMore(value)) throw rules.refusal(`a ${nameOf(value)} with more than it shows`);
  if (Array.isArray(value)) return `[${listText(value)}]`;
  if (types.isDate(value)) return `Date(${value.getTime()})`;
  if (value instanceof URL) return `URL(${JSON.stringify(value.href)})`;
  if (types.isMap(value)) return `Map(${listText(value)})`;
  if (types.isSet(value)) return `Set(${listText(value)})`;
  if (ArrayBuffer.isView(value)) return bytesText(value);
  if (isPlain(value)) return plainText(value, rules, depth);
  const standIn = rules.standIn?.(value);
  if (standIn === undefined) throw rules.refusal(`a ${nameOf(value)}`);
  return `Own(${typedText(standIn.value, rules, depth)})`;
}

function isBuiltIn(value: object): boolean {
  return (
    Array.isArray(value) ||
    types.isDate(value) ||
    types.isMap(value) ||
    types.isSet(value) ||
    ArrayBuffer.isView(value) ||
    value instanceof URL
  );
}

/** Properties of its own, or a class that descends from the built-in one and may have private ones. Names of a large view's properties would take too long to list. */
function holdsMore(value: object): boolean {
  if (!ArrayBuffer.isView(value) && (hasNamedProperty(value) || Object.getOwnPropertySymbols(value).length > 0)) {
    return true;
  }
  let above = prototypeOf(prototypeOf(value));
  if (types.isTypedArray(value)) above = prototypeOf(above); // They have one in common above their own,
  if (Buffer.isBuffer(value)) above = prototypeOf(above); // and this one is below another.
  return !isRootPrototype(above);
}

/** Other than items: those come first. */
function hasNamedProperty(value: object): boolean {
  const last = Object.keys(value).at(-1);
  return last !== undefined && !(Array.isArray(value) && String(Number(last) >>> 0) === last);
}

/** A Buffer is the bytes that it has; other arrays of numbers are not the same as those. */
function bytesText(view: ArrayBufferView): string {
  const kind = types.isUint8Array(view) ? 'Bytes' : Object.prototype.toString.call(view).slice(8, -1);
  return `${kind}(${Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64')})`;
}

function isPlain(value: object): boolean {
  const prototype = prototypeOf(value);
  return prototype === null || isRootPrototype(prototype);
}

/** Whether it is `Object.prototype`, of any realm. */
function isRootPrototype(value: object | null): boolean {
  return value !== null && prototypeOf(value) === null && Object.hasOwn(value, 'isPrototypeOf');
}

function prototypeOf(value: object | null): object | null {
  return value === null ? null : (Object.getPrototypeOf(value) as object | null);
}

/** Properties named by symbols are operators to some libraries, and have no text. */
function plainText(value: object, rules: TextRules, depth: number): string {
  if (Object.getOwnPropertySymbols(value).length > 0) throw rules.refusal('an object with symbols');
  const fields = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${typedText(field, rules, depth)}`).join(',')}}`;
}

function nameOf(value: object): string {
  const { constructor } = value;
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'class instance';
}
