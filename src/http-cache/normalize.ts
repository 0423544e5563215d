import type { Request } from 'express';
import { ConfigError } from '../core/errors.ts';

/**
 * Headers of which a route serves so many values only: `{ 'accept-language': ['de', 'en'] }`. What the client sent is replaced by the one it prefers of these,
 * for the key and the handler alike; where it takes none of them, or sent none, the header is removed.
 */
export interface Normalize {
  readonly 'accept-encoding'?: readonly string[] | undefined;
  readonly 'accept-language'?: readonly string[] | undefined;
}

const NAMES = ['accept-encoding', 'accept-language'] as const;

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
      const best = preferred(sent, values, name === 'accept-encoding' ? isSameCoding : isInRange);
      if (best === undefined) delete req.headers[name];
      else req.headers[name] = best;
    } else if (isGeneral && sent !== undefined) {
      req.headers[name] = canonical(sent);
    }
  }
}

interface Choice {
  readonly value: string;
  /** From 0 to 1. */
  readonly weight: number;
}

/** RFC 9110 §12.4.2: choices with their weights, in lower case. What has no readable weight counts as 1, as though it had none. */
function choicesOf(field: string): Choice[] {
  return field
    .split(',')
    .map((member) => {
      const [value = '', ...parameters] = member.split(';').map((part) => part.trim().toLowerCase());
      const q = parameters.find((parameter) => /^q\s*=/.test(parameter));
      const weight = q === undefined ? 1 : Number(q.slice(q.indexOf('=') + 1));
      return { value, weight: weight >= 0 && weight <= 1 ? weight : 1 };
    })
    .filter(({ value }) => value !== '');
}

/** One spelling for all that mean the same: the order of choices of equal weight does not count (RFC 9110 §12.5). */
function canonical(field: string): string {
  return choicesOf(field)
    .toSorted((a, b) => b.weight - a.weight || (a.value < b.value ? -1 : 1))
    .map(({ value, weight }) => (weight === 1 ? value : `${value};q=${weight}`))
    .join(', ');
}

/** Which of the declared values the client likes best; of equal ones the first declared. A specific choice counts before `*`. */
function preferred(
  field: string | undefined,
  declared: readonly string[],
  isMatch: (declared: string, chosen: string) => boolean,
): string | undefined {
  if (field === undefined) return undefined;
  const choices = choicesOf(field);
  const star = choices.find(({ value }) => value === '*')?.weight ?? 0;
  let best: Choice | undefined;
  for (const value of declared) {
    const weights = choices.filter((choice) => isMatch(value.toLowerCase(), choice.value)).map(({ weight }) => weight);
    const weight = weights.length === 0 ? star : Math.max(...weights);
    if (weight > 0 && weight > (best?.weight ?? 0)) best = { value, weight };
  }
  return best?.value;
}

function isSameCoding(declared: string, chosen: string): boolean {
  return declared === chosen || (declared === 'gzip' && chosen === 'x-gzip');
}

/** `de` is what `de-CH` asks for too, where there is nothing closer (RFC 4647 §3.4); and `de-CH` is in the range `de` (§3.3.1). */
function isInRange(declared: string, chosen: string): boolean {
  return declared === chosen || chosen.startsWith(`${declared}-`) || declared.startsWith(`${chosen}-`);
}

/** A field value as a variant's key has it: blanks around commas do not count, unless it quotes something. */
export function collapseBlanks(value: string): string {
  return value.includes('"') ? value : value.trim().replaceAll(/\s*,\s*/g, ',');
}
