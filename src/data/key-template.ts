import { ConfigError } from '../core/errors.ts';
import { kindOf, MIN_SHARE, toPart } from './key-parameter.ts';

/** Not above what `invalidate({ prefix })` takes, so that every prefix can be invalidated. */
const MAX_KEY_BYTES = 256;

/** One part between colons: a text, then a parameter or nothing. */
interface Part {
  readonly text: string;
  readonly parameter?: Parameter;
}

interface Parameter {
  readonly name: string;
  /** @throws {TypeError} When the value is not of its type. */
  toText(value: unknown): string;
  mayBe(text: string): boolean;
}

/** A template that was read. */
export interface KeyTemplate {
  readonly template: string;
  readonly parts: readonly Part[];
}

/** Reads a template. @throws {ConfigError} When it cannot be read, or names other parameters than `types` does. */
export function readTemplate(template: string, types: Readonly<Record<string, unknown>>): KeyTemplate {
  if (typeof template !== 'string' || template === '') throw new ConfigError("key takes a template: 'user:{id}'.");
  const found = template.split(':').map((part) => /^([^{}%]*)(?:\{([A-Za-z_]\w*)\})?$/.exec(part));
  if (found.includes(null)) {
    throw new ConfigError(
      `key "${template}": each part between colons is a text, a {parameter}, or both: 'user:{id}', 'v2:page-{n}'.`,
    );
  }
  const names = found.flatMap((match) => match?.[2] ?? []);
  checkNames(template, names, Object.keys(types));
  const maxBytes = shareOf(template, names.length);
  const parts = found.map((match) => {
    const [, text = '', name] = match ?? [];
    return name === undefined ? { text } : { text, parameter: readParameter(template, name, types[name], maxBytes) };
  });
  return { template, parts };
}

function checkNames(template: string, names: readonly string[], typed: readonly string[]): void {
  const missing = names.find((name) => !typed.includes(name));
  if (missing !== undefined)
    throw new ConfigError(`key "${template}": of which type is ${missing}? Write { ${missing}: Number }.`);
  const unknown = typed.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new ConfigError(`key "${template}" has no parameter {${unknown}}.`);
  if (new Set(names).size < names.length) throw new ConfigError(`key "${template}" has a parameter twice.`);
}

/** Bytes that each parameter may take. A share of its own, whatever the others are: so what a prefix begins with is what keys begin with. */
function shareOf(template: string, count: number): number {
  const room = MAX_KEY_BYTES - Buffer.byteLength(template.replace(/\{\w+\}/g, ''));
  const share = count === 0 ? room : Math.floor(room / count);
  if (share < (count === 0 ? 0 : MIN_SHARE)) {
    throw new ConfigError(
      `key "${template}" is too long: ${MAX_KEY_BYTES} bytes, ${MIN_SHARE} of them for each parameter.`,
    );
  }
  return share;
}

function readParameter(template: string, name: string, type: unknown, maxBytes: number): Parameter {
  const kind = kindOf(type);
  if (kind === undefined) {
    throw new ConfigError(`key "${template}": ${name} is Number, String, Boolean, BigInt, Date, or a list of texts.`);
  }
  return {
    name,
    mayBe: kind.mayBe,
    toText(value) {
      const text = kind.toText(value);
      if (text === undefined)
        throw new TypeError(`key "${template}": ${name} must be ${kind.words}, not ${inWords(value)}.`);
      return toPart(text, maxBytes);
    },
  };
}

/** Names no text: it may be a secret. */
function inWords(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'number' || value === null) return String(value);
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** The key of these values. @throws {TypeError} When one is missing or of another type. */
export function fill({ template, parts }: KeyTemplate, values: Readonly<Record<string, unknown>>): string {
  checkValues(template, values);
  return parts
    .map(({ text, parameter }) => (parameter === undefined ? text : text + parameter.toText(values[parameter.name])))
    .join(':');
}

/**
 * What all keys with these values of the first parameters begin with.
 *
 * @throws {TypeError} When one of them is of another type, a later one is given, all are, or nothing is left to begin with.
 */
export function fillPrefix({ template, parts }: KeyTemplate, values: Readonly<Record<string, unknown>>): string {
  checkValues(template, values);
  const open = parts.findIndex(({ parameter }) => parameter !== undefined && values[parameter.name] === undefined);
  if (open < 0) throw new TypeError(`key "${template}": with all parameters it is a key, not a prefix.`);
  const later = parts
    .slice(open)
    .find(({ parameter }) => parameter !== undefined && values[parameter.name] !== undefined);
  if (later !== undefined) {
    throw new TypeError(
      `key "${template}": a prefix has its first parameters, and ${later.parameter?.name} comes after ${parts[open]?.parameter?.name}.`,
    );
  }
  const prefix = [fill({ template, parts: parts.slice(0, open) }, values), parts[open]?.text]
    .slice(open === 0 ? 1 : 0)
    .join(':');
  if (prefix === '') throw new TypeError(`key "${template}" begins with a parameter: all keys would begin so.`);
  return prefix;
}

function checkValues(template: string, values: unknown): void {
  if (typeof values !== 'object' || values === null) {
    throw new TypeError(`key "${template}" takes an object of its parameters.`);
  }
}

/** Whether two templates may give the same key. */
export function mayMeet(one: KeyTemplate, other: KeyTemplate): boolean {
  return (
    one.parts.length === other.parts.length &&
    one.parts.every((part, i) => {
      const beside = other.parts[i];
      return beside !== undefined && partsMayMeet(part, beside);
    })
  );
}

function partsMayMeet(one: Part, other: Part): boolean {
  if (one.parameter !== undefined && other.parameter !== undefined) {
    return one.text.startsWith(other.text) || other.text.startsWith(one.text);
  }
  if (one.parameter === undefined && other.parameter === undefined) return one.text === other.text;
  const [open, fixed] = one.parameter === undefined ? [other, one] : [one, other];
  return fixed.text.startsWith(open.text) && open.parameter?.mayBe(fixed.text.slice(open.text.length)) === true;
}
