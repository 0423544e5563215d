import { isInnerList, parseDictionary } from 'structured-headers';
import { type Directives, parseCacheControl, secondsOf } from './cache-control.ts';
import { parseHttpDate } from './http-date.ts';
import type { PolicyConfig } from './policy.ts';

/** Reads a header field of a response. */
export type FieldReader = (name: string) => string | readonly string[] | undefined;

/** What a response's own headers say about storing it. */
export interface Freshness {
  readonly directives: Directives;
  /** From a targeted field, which is for shared caches and takes the place of Cache-Control and Expires (RFC 9213 §2.2). */
  readonly isTargeted: boolean;
  /** `s-maxage`, else `max-age`, else Expires - Date (RFC 9111 §4.2.1); `undefined` when the headers name none. */
  readonly lifetimeMs: number | undefined;
  /** How old it was when it came (RFC 9111 §4.2.3). */
  readonly initialAgeMs: number;
}

/** Times that a response's age and lifetime are reckoned with, all in milliseconds. */
export interface Passage {
  /** The time it came. */
  readonly now: number;
  /** How long it took to come. */
  readonly delayMs: number;
}

/** Reads the freshness a handler gave its response. */
export function freshnessOf(
  field: FieldReader,
  passage: Passage,
  { targetedFields, lifetime }: Pick<PolicyConfig, 'targetedFields'> & Partial<Pick<PolicyConfig, 'lifetime'>>,
): Freshness {
  const initialAgeMs = initialAge(field, passage, lifetime);
  for (const name of targetedFields) {
    const directives = parseTargeted(field(name));
    if (directives !== undefined) {
      return { directives, isTargeted: true, lifetimeMs: maxAgeOf(directives), initialAgeMs };
    }
  }
  const directives = parseCacheControl(field('cache-control'));
  const lifetimeMs = maxAgeOf(directives) ?? expiresIn(field, passage.now);
  return { directives, isTargeted: false, lifetimeMs, initialAgeMs };
}

function maxAgeOf(directives: Directives): number | undefined {
  return secondsOf(directives, 's-maxage') ?? secondsOf(directives, 'max-age');
}

const INTEGERS = new Set(['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error']);
const PROHIBITIONS = ['no-store', 'private', 'no-cache'];

/**
 * RFC 9213 §2.1: a Dictionary; one that cannot be parsed, is empty or has a lifetime that is no Integer is as if it were not there. What is read of the last kind
 * forbids all the same.
 */
function parseTargeted(field: string | readonly string[] | undefined): Directives | undefined {
  if (field === undefined) return undefined;
  const directives = new Map<string, string | true>();
  let isMistyped = false;
  try {
    for (const [name, member] of parseDictionary(typeof field === 'string' ? field : field.join(', '))) {
      const value = isInnerList(member) ? true : member[0];
      if (INTEGERS.has(name) && !Number.isInteger(value)) isMistyped = true;
      else if (value !== false) directives.set(name, value === true ? true : String(value as string | number));
    }
  } catch {
    return undefined;
  }
  if (isMistyped && !PROHIBITIONS.some((name) => directives.has(name))) return undefined;
  return directives.size === 0 ? undefined : directives;
}

/** RFC 9111 §5.3: a date that is not one means "in the past"; so do several lines. */
function expiresIn(field: FieldReader, now: number): number | undefined {
  const expires = field('expires');
  if (expires === undefined) return undefined;
  const at = parseHttpDate(String(expires));
  return at === undefined ? 0 : Math.max(0, at - (dateOf(field) ?? now));
}

function dateOf(field: FieldReader): number | undefined {
  const date = field('date');
  return date === undefined ? undefined : parseHttpDate(String(date));
}

/** RFC 9111 §4.2.3: the larger of what Date and what Age say. Where this program is the origin, a response without Age is made when it begins. */
function initialAge(field: FieldReader, { now, delayMs }: Passage, lifetime?: PolicyConfig['lifetime']): number {
  const date = dateOf(field);
  const apparentMs = date === undefined ? 0 : Math.max(0, now - date);
  const ageMs = parseAge(field('age'));
  // Date counts whole seconds: what is less than one may only be the rounding.
  const apparentAgeMs = apparentMs < 1_000 ? 0 : apparentMs;
  if (ageMs === undefined && lifetime !== 'headers') return apparentAgeMs;
  return Math.max(apparentAgeMs, (ageMs ?? 0) + delayMs);
}

/** RFC 9111 §5.1: of several values the first counts; one that is no number of seconds is ignored. */
function parseAge(field: string | readonly string[] | undefined): number | undefined {
  if (field === undefined) return undefined;
  const [first = ''] = (typeof field === 'string' ? field : (field[0] ?? '')).split(',');
  const seconds = first.trim();
  return /^\d+$/.test(seconds) ? Math.min(Number(seconds), 2 ** 31) * 1_000 : undefined;
}

/** A lifetime for a response that does not say: a fraction of how long it has not been modified (RFC 9111 §4.2.2). */
export function heuristicLifetime(field: FieldReader, now: number, policy: PolicyConfig): number | undefined {
  const modified = field('last-modified');
  if (policy.heuristicFraction === 0 || modified === undefined) return undefined;
  const at = parseHttpDate(String(modified));
  if (at === undefined) return undefined;
  const unchangedMs = (dateOf(field) ?? now) - at;
  return unchangedMs <= 0 ? undefined : Math.min(unchangedMs * policy.heuristicFraction, policy.maxHeuristicMs);
}
