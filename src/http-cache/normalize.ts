import type { Request } from 'express';
import { ConfigError } from '../core/errors.ts';

/**
 * Headers of which a route serves so many values only: `{ 'accept-language': ['de', 'en'] }`. What the client sent is replaced by the one it prefers of these,
 * for the key and the handler alike. Where it takes none of them, or sent none, the handler sees `identity` as Accept-Encoding and no Accept-Language.
 */
export interface Normalize {
  readonly 'accept-encoding'?: readonly string[] | undefined;
  readonly 'accept-language'?: readonly string[] | undefined;
}

const NAMES = ['accept-encoding', 'accept-language'] as const;
/** What the handler sees where a client takes nothing that is declared: without Accept-Encoding any coding would do (RFC 9110 §12.5.3). */
const NONE = { 'accept-encoding': 'identity', 'accept-language': undefined } as const;

/** @throws {ConfigError} When it is not such an object. */
export function toNormalize(normalize: Normalize | undefined): Normalize | undefined {
  if (normalize === undefined) return undefined;
  for (const [name, values] of Object.entries(normalize) as [string, unknown][]) {
    const isKnown = (NAMES as readonly string[]).includes(name.toLowerCase());
    if (
      !isKnown ||
      !Array.isArray(values) ||
      !values.every((value) => typeof value === 'string' && /^\S+$/.test(value))
    )
      throw new ConfigError("normalize takes lists by header: { 'accept-language': ['de', 'en'] }, 'accept-encoding'.");
  }
  return Object.fromEntries(Object.entries(normalize).map(([name, values]) => [name.toLowerCase(), values]));
}

/** Rewrites the request's headers. Everything behind the cache sees the same, so that one stored response is right for all that share it. */
export function normalizeRequest(req: Request, declared: Normalize | undefined, isGeneral: boolean): void {
  if (declared === undefined && !isGeneral) return;
  for (const name of NAMES) {
    const sent = req.headers[name];
    const values = declared?.[name];
    if (values !== undefined) {
      const best = preferred(sent, values, name === 'accept-encoding' ? closeCoding : closeLanguage) ?? NONE[name];
      if (best === undefined) delete req.headers[name];
      else req.headers[name] = best;
    } else if (isGeneral && sent !== undefined) {
      req.headers[name] = canonical(sent);
    }
  }
}

/** One of the values that a client takes. */
export interface Choice {
  /** In lower case. */
  readonly value: string;
  /** From 0, which refuses it, to 1. */
  readonly weight: number;
  /** Its weight can be read. */
  readonly isValid: boolean;
}

/** RFC 9110 §12.4.2: choices with their weights. One whose weight cannot be read is refused: it may have been meant so. */
export function choicesOf(field: string): Choice[] {
  return field
    .split(',')
    .map((member) => {
      const [value = '', ...parameters] = member.split(';').map((part) => part.trim().toLowerCase());
      const q = parameters.find((parameter) => /^q\s*=/.test(parameter));
      const isValid = q === undefined || /^q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(q);
      return { value, weight: !isValid ? 0 : q === undefined ? 1 : Number(q.slice(2)), isValid };
    })
    .filter(({ value }) => value !== '');
}

/** One spelling for all that mean the same: the order of choices of equal weight does not count (RFC 9110 §12.5). What cannot be read stays as it is. */
function canonical(field: string): string {
  const choices = choicesOf(field);
  if (choices.some(({ isValid }) => !isValid)) return field;
  return choices
    .toSorted((a, b) => b.weight - a.weight || (a.value < b.value ? -1 : 1))
    .map(({ value, weight }) => (weight === 1 ? value : `${value};q=${weight}`))
    .join(', ');
}

/** How close a choice is to a declared value; `undefined` when it says nothing of it. */
type Closeness = (declared: string, chosen: string) => number | undefined;

/** Which of the declared values the client likes best; of equal ones the first declared. */
function preferred(field: string | undefined, declared: readonly string[], closeness: Closeness): string | undefined {
  const choices = choicesOf(field ?? '');
  let best: { readonly value: string; readonly weight: number } | undefined;
  for (const value of declared) {
    const weight = weightOf(value.toLowerCase(), choices, closeness);
    if (weight > (best?.weight ?? 0)) best = { value, weight };
  }
  return best?.value;
}

/** What the closest choice says of a value: `de;q=0` refuses `de`, whatever `de-CH` and `*` say. */
function weightOf(value: string, choices: readonly Choice[], closeness: Closeness): number {
  let closest = -Infinity;
  let found = 0;
  for (const choice of choices) {
    const at = choice.value === '*' ? -1 : (closeness(value, choice.value) ?? -Infinity);
    if (at < closest || at === -Infinity) continue;
    // Of regions the best counts; of a value that is named twice the worst.
    const chosen = at === 0 ? Math.max : Math.min;
    found = at > closest ? choice.weight : chosen(found, choice.weight);
    closest = at;
  }
  // What is only near comes behind what was asked for by name: weights have three decimals.
  return closest === 0 ? found - 0.0005 : found;
}

function closeCoding(declared: string, chosen: string): number | undefined {
  return declared === chosen || (declared === 'gzip' && chosen === 'x-gzip') ? 1 : undefined;
}

/** `de-CH` is in the range `de` (RFC 4647 §3.3.1); and `de` is what `de-CH` asks for too, where there is nothing closer (§3.4). */
function closeLanguage(declared: string, chosen: string): number | undefined {
  if (declared === chosen || declared.startsWith(`${chosen}-`)) return chosen.length;
  return chosen.startsWith(`${declared}-`) ? 0 : undefined;
}

/** A field value as a variant's key has it: blanks around commas do not count, unless it quotes something. */
export function collapseBlanks(value: string): string {
  return value.includes('"') ? value : value.trim().replaceAll(/\s*,\s*/g, ',');
}
