import { isInnerList, parseDictionary } from 'structured-headers';
import { type Directives, parseCacheControl, secondsOf } from './cache-control.ts';

/** Reads a header field of a response. */
export type FieldReader = (name: string) => string | readonly string[] | undefined;

/** What a response's own headers say about storing it. */
export interface Freshness {
  readonly directives: Directives;
  /** From `CDN-Cache-Control`, which is for shared caches and takes the place of Cache-Control and Expires (RFC 9213 §2.2). */
  readonly isTargeted: boolean;
  /** `s-maxage`, else `max-age`, else Expires - Date (RFC 9111 §4.2.1); `undefined` when the headers name none. */
  readonly lifetimeMs: number | undefined;
}

/** Reads the freshness a handler gave its response. */
export function freshnessOf(field: FieldReader, now: number): Freshness {
  const targeted = parseTargeted(field('cdn-cache-control'));
  if (targeted !== undefined) return { directives: targeted, isTargeted: true, lifetimeMs: maxAgeOf(targeted) };
  const directives = parseCacheControl(field('cache-control'));
  return { directives, isTargeted: false, lifetimeMs: maxAgeOf(directives) ?? expiresIn(field, now) };
}

function maxAgeOf(directives: Directives): number | undefined {
  return secondsOf(directives, 's-maxage') ?? secondsOf(directives, 'max-age');
}

/** RFC 9213 §2.1: a Dictionary; one that cannot be parsed, or is empty, is as if it were not there. */
function parseTargeted(field: string | readonly string[] | undefined): Directives | undefined {
  if (field === undefined) return undefined;
  const directives = new Map<string, string | true>();
  try {
    for (const [name, member] of parseDictionary(typeof field === 'string' ? field : field.join(', '))) {
      const value = isInnerList(member) ? true : member[0];
      if (value !== false) directives.set(name, value === true ? true : String(value as string | number));
    }
  } catch {
    return undefined;
  }
  return directives.size === 0 ? undefined : directives;
}

/** RFC 9111 §5.3: a date that is not one means "in the past". */
function expiresIn(field: FieldReader, now: number): number | undefined {
  const expires = field('expires');
  if (expires === undefined) return undefined;
  const at = parseHttpDate(String(expires));
  const date = field('date');
  const from = (date === undefined ? undefined : parseHttpDate(String(date))) ?? now;
  return at === undefined ? 0 : Math.max(0, at - from);
}

const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const TIME = '\\d{2}:\\d{2}:\\d{2}';
const LONG_DAY = '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day';
const HTTP_DATE = new RegExp(
  `^(?:${DAY}, \\d{2} ${MONTH} \\d{4} ${TIME} GMT|${LONG_DAY}, \\d{2}-${MONTH}-\\d{2} ${TIME} GMT|${DAY} ${MONTH} (?:\\d{2}| \\d) ${TIME} \\d{4})$`,
);

/** Milliseconds of an HTTP date in one of its three forms (RFC 9110 §5.6.7), and of nothing else. */
export function parseHttpDate(text: string): number | undefined {
  if (!HTTP_DATE.test(text)) return undefined;
  const ms = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(ms) ? undefined : ms;
}
