import { bytesFromTag } from './rich-bytes.ts';
import { MAX_DEPTH } from './plain-json.ts';
import { HIDDEN_OF_ERRORS, TAG } from './rich-json.ts';

/**
 * The value that `toRichJson` was given.
 *
 * @throws {Error} When it is anything else.
 */
export function fromRichJson(text: string): unknown {
  return revive(JSON.parse(text), 0);
}

function garbled(): never {
  throw new SyntaxError('Not a stored value');
}

/** Puts what tags stand for in their places. What is given was parsed just now and belongs to nobody else. */
function revive(data: unknown, depth: number): unknown {
  if (typeof data !== 'object' || data === null) return data;
  if (depth > MAX_DEPTH) return garbled();
  if (Array.isArray(data)) return reviveItems(data, depth);
  return Object.hasOwn(data, TAG) ? fromTag(data, depth) : reviveProperties(data, depth);
}

function reviveItems(items: unknown[], depth: number): unknown[] {
  for (const [i, item] of items.entries()) items[i] = revive(item, depth + 1);
  return items;
}

function reviveProperties(data: object, depth: number): object {
  const properties = data as Record<string, unknown>;
  for (const name of Object.keys(properties)) {
    if (name === '__proto__') delete properties[name];
    else properties[name] = revive(properties[name], depth + 1);
  }
  return properties;
}

function fromTag(data: object, depth: number): unknown {
  const { [TAG]: tag } = data as { [TAG]: unknown };
  if (!Array.isArray(tag) || Object.keys(data).length !== 1) return garbled();
  const [type, content] = tag as [unknown, unknown];
  if (typeof content === 'string') return fromText(type, content);
  if (Array.isArray(content)) return fromItems(type, content, depth);
  if (type === 'undefined' && content === undefined) return undefined;
  if (type === 'Date' && typeof content === 'number') return new Date(content);
  return type === 'object' ? reviveProperties(asObject(content), depth) : garbled();
}

function asObject(content: unknown): object {
  return typeof content === 'object' && content !== null && !Array.isArray(content) ? content : garbled();
}

const NUMBERS = new Map([
  ['-0', -0],
  ['NaN', Number.NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
]);

function fromText(type: unknown, content: string): unknown {
  switch (type) {
    case 'number':
      return NUMBERS.get(content) ?? garbled();
    case 'bigint':
      return content.startsWith('-') ? -BigInt(`0x${content.slice(1)}`) : BigInt(`0x${content}`);
    case 'Date':
      return content === 'invalid' ? new Date(Number.NaN) : garbled();
    case 'URL':
      return new URL(content);
    default:
      return bytesFromTag(String(type), content) ?? garbled();
  }
}

function fromItems(type: unknown, content: unknown[], depth: number): unknown {
  switch (type) {
    case 'Map':
      return new Map(pairsOf(reviveItems(content, depth)));
    case 'Set':
      return new Set(reviveItems(content, depth));
    case 'RegExp':
      return new RegExp(asText(content[0]), asText(content[1]));
    case 'Error':
      return reviveError(asText(content[0]), asText(content[1]), revive(content[2], depth));
    default:
      return garbled();
  }
}

function asText(content: unknown): string {
  return typeof content === 'string' ? content : garbled();
}

function pairsOf(items: readonly unknown[]): [unknown, unknown][] {
  if (items.length % 2 !== 0) return garbled();
  return Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i], items[2 * i + 1]]);
}

const ERRORS = new Map(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((type) => [type.name, type]),
);

/** Of its class where the language has it, else an `Error` of its name. */
function reviveError(name: string, message: string, properties: unknown): Error {
  const error = name === 'AggregateError' ? new AggregateError([], message) : new (ERRORS.get(name) ?? Error)(message);
  const hidden = { name, stack: `${name}: ${message}` };
  for (const [property, value] of Object.entries(hidden)) {
    if (Reflect.get(error, property) !== value) define(error, property, value, false);
  }
  for (const [property, value] of Object.entries(asObject(properties))) {
    define(error, property, value, !HIDDEN_OF_ERRORS.includes(property));
  }
  return error;
}

function define(error: Error, name: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(error, name, { value, enumerable, writable: true, configurable: true });
}
