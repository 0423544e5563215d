import { type Duration, toMs } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import { fieldNames, isToken } from './field-names.ts';

/** Directives of a Cache-Control field by lower-case name. Without argument: `true`. */
export type Directives = ReadonlyMap<string, string | true>;

/**
 * Reads Cache-Control (RFC 9111 §5.2): names in any case, several lines, arguments as token or quoted string. What cannot be read is passed over, name by name, so
 * that a mistake in one directive never hides a prohibition in another. Of a repeated directive the first counts, as §4.2.1 allows; of prohibitions each.
 */
export function parseCacheControl(field: string | readonly string[] | undefined): Directives {
  const directives = new Map<string, string | true>();
  if (field === undefined) return directives;
  const text = typeof field === 'string' ? field : field.join(',');
  for (const [, name = '', quoted, token] of text.matchAll(
    /([^\s,=;"]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;]*)))?/g,
  )) {
    const key = name.toLowerCase();
    const known = directives.get(key);
    const value = argumentOf(key, quoted ?? token);
    if (known === undefined) directives.set(key, value);
    else if (QUALIFIED.has(key)) directives.set(key, known === true || value === true ? true : `${known},${value}`);
  }
  return directives;
}

/** What is given no field names is about all of them, also beside one that is. */
function argumentOf(key: string, argument: string | undefined): string | true {
  if (argument === undefined) return true;
  return QUALIFIED.has(key) && fieldNames(argument).length === 0 ? true : argument;
}

/** About the whole response without field names, about these fields with them: both may be said, and then both count. */
const QUALIFIED = new Set(['private', 'no-cache']);

/** How much of a response `private` or `no-cache` is about: all of it, or the fields it names, in lower case. */
export function scopeOf(directives: Directives, name: 'private' | 'no-cache'): 'all' | readonly string[] {
  const value = directives.get(name);
  if (value === undefined) return [];
  const fields = value === true ? [] : fieldNames(value);
  // What is no field name is a mistake, and a mistake forbids.
  return fields.length === 0 || !fields.every(isToken) ? 'all' : fields;
}

/** Milliseconds of a delta-seconds directive (RFC 9111 §1.2.2); 0 when its argument is not one (§4.2.1: treat as stale); `undefined` when it is absent. */
export function secondsOf(directives: Directives, name: string): number | undefined {
  const value = directives.get(name);
  if (value === undefined) return undefined;
  return value !== true && /^\d+$/.test(value) ? Math.min(Number(value), 2 ** 31) * 1_000 : 0;
}

/** What {@link cacheControl} writes. Durations are rounded down to seconds. */
export interface CacheControlFields {
  readonly public?: boolean;
  readonly private?: boolean;
  readonly noStore?: boolean;
  readonly noCache?: boolean;
  readonly noTransform?: boolean;
  readonly mustRevalidate?: boolean;
  readonly proxyRevalidate?: boolean;
  readonly immutable?: boolean;
  readonly maxAge?: Duration;
  readonly sMaxage?: Duration;
  readonly staleWhileRevalidate?: Duration;
  readonly staleIfError?: Duration;
}

const NAMES: Readonly<Record<keyof CacheControlFields, string>> = {
  public: 'public',
  private: 'private',
  noStore: 'no-store',
  noCache: 'no-cache',
  noTransform: 'no-transform',
  mustRevalidate: 'must-revalidate',
  proxyRevalidate: 'proxy-revalidate',
  immutable: 'immutable',
  maxAge: 'max-age',
  sMaxage: 's-maxage',
  staleWhileRevalidate: 'stale-while-revalidate',
  staleIfError: 'stale-if-error',
};

/**
 * Writes a Cache-Control value: `cacheControl({ public: true, maxAge: '5m' })` is `public, max-age=300`.
 *
 * @throws {ConfigError} When a duration is none, or `public` and `private` are both set.
 * @see RFC 9111 §5.2.2, RFC 5861, RFC 8246
 */
export function cacheControl(fields: CacheControlFields): string {
  if (fields.public === true && fields.private === true) {
    throw new ConfigError('cacheControl: public and private exclude each other.');
  }
  return Object.entries(fields)
    .map(([field, value]: [string, unknown]) => {
      const name = Object.hasOwn(NAMES, field) ? NAMES[field as keyof CacheControlFields] : undefined;
      if (name === undefined) throw new ConfigError(`cacheControl has no field "${field}".`);
      if (value === undefined || value === false) return undefined;
      return value === true ? name : `${name}=${Math.floor(toMs(value as Duration, field) / 1_000)}`;
    })
    .filter((directive) => directive !== undefined)
    .join(', ');
}
