import { digest } from '../core/digest.ts';

/** What a parameter of a key may be: one of these types, or a list of the texts it may have. */
export type ParameterType =
  NumberConstructor | StringConstructor | BooleanConstructor | BigIntConstructor | DateConstructor | readonly string[];

/** The values of a {@link ParameterType}. */
export type ParameterValue<Type> = Type extends NumberConstructor
  ? number
  : Type extends StringConstructor
    ? string
    : Type extends BooleanConstructor
      ? boolean
      : Type extends BigIntConstructor
        ? bigint
        : Type extends DateConstructor
          ? Date
          : Type extends readonly (infer Text)[]
            ? Text
            : never;

/** How values of a type become text. */
interface Kind {
  readonly type: ParameterType;
  readonly words: string;
  /** `undefined` when it is not such a value. */
  toText(value: unknown): string | undefined;
  /** Whether it may become this text. */
  mayBe(text: string): boolean;
}

const WHOLE = /^-?\d+$/;

const KINDS: readonly Kind[] = [
  {
    type: Number,
    words: 'a finite number',
    toText: (value) => (Number.isFinite(value) ? String(value) : undefined),
    mayBe: (text) => String(Number(text)) === text,
  },
  {
    type: String,
    words: 'a string',
    toText: (value) => (typeof value === 'string' ? value : undefined),
    mayBe: () => true,
  },
  {
    type: Boolean,
    words: 'a boolean',
    toText: (value) => (typeof value === 'boolean' ? String(value) : undefined),
    mayBe: (text) => text === 'true' || text === 'false',
  },
  {
    type: BigInt,
    words: 'a bigint',
    toText: (value) => (typeof value === 'bigint' ? String(value) : undefined),
    mayBe: (text) => WHOLE.test(text),
  },
  {
    type: Date,
    words: 'a valid Date',
    toText: (value) => (value instanceof Date && !Number.isNaN(value.getTime()) ? String(value.getTime()) : undefined),
    mayBe: (text) => WHOLE.test(text),
  },
];

/** How values of this type become text; `undefined` when it is no type of parameter. */
export function kindOf(type: unknown): Kind | undefined {
  return Array.isArray(type) ? listKind(type) : KINDS.find((kind) => kind.type === type);
}

function listKind(texts: readonly unknown[]): Kind | undefined {
  if (texts.length === 0 || !texts.every((text) => typeof text === 'string')) return undefined;
  const known = new Set(texts);
  return {
    type: texts,
    words: `one of ${[...known].map((text) => JSON.stringify(text)).join(', ')}`,
    toText: (value) => (typeof value === 'string' && known.has(value) ? value : undefined),
    mayBe: (text) => known.has(text),
  };
}

/** What parts are separated by, what escapes, and what Redis cannot hold: half a character. */
const ESCAPED = /[%:\p{Surrogate}]/gu;
/** Begins what stands for the rest of a long text. No escaped text has it: `%` is followed by a digit or D there. */
const CUT = '%~';
const DIGEST_LENGTH = 22;

/** What a cut text takes at least. */
export const MIN_SHARE = 48;

const encoder = new TextEncoder();

/** A text that cannot reach into the next part of a key. Different texts stay different; above `maxBytes` it is its beginning and a hash. */
export function toPart(text: string, maxBytes: number): string {
  const escaped = text.replace(ESCAPED, (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`);
  if (escaped.length * 3 <= maxBytes || Buffer.byteLength(escaped) <= maxBytes) return escaped;
  const room = maxBytes - CUT.length - DIGEST_LENGTH;
  const { read } = encoder.encodeInto(escaped, new Uint8Array(room));
  return `${escaped.slice(0, read)}${CUT}${digest(escaped)}`;
}
