import { keyPurge, toTags, urlTag } from '../cache/tags.ts';
import type { Purge, PurgeMode } from '../register/records.ts';

const MAX_PATTERN_LENGTH = 256;

/** What to invalidate, field by field. Several fields add up. */
export interface InvalidationFields {
  readonly tags?: readonly string[] | undefined;
  /** `any`: entries with one of the tags. `all`: entries with all of them. Default: `any`. */
  readonly match?: 'any' | 'all' | undefined;
  /** Responses stored for these URLs: path and query (`/products?page=2`), with or without a host. All hosts, variants and users. */
  readonly urls?: readonly string[] | undefined;
  /** Entries by key: a data key, or `GET:/path?query` of a response (behind its `keyPrefix` and a colon, where the route has one). */
  readonly keys?: readonly string[] | undefined;
  /** Entries whose key begins so. */
  readonly prefix?: string | undefined;
  /** Entries whose key matches: `*` any run, `?` one character, `\` takes the next literally. At most 64 are told apart at a time. */
  readonly pattern?: string | undefined;
  /** Everything. */
  readonly all?: true | undefined;
  /** `hard`: never served again. `soft`: served as stale while one request replaces it. Default: `hard`. */
  readonly mode?: PurgeMode | undefined;
  /** Whether what `prefix`, `pattern` or `all` hit is taken out of Redis' memory behind, a moment later; else it stays there until its lifetime ends. Default: `background`. */
  readonly reclaim?: 'background' | 'off' | undefined;
}

/** What to invalidate: one tag, a list of tags, or fields. */
export type Invalidation = string | readonly string[] | InvalidationFields;

const FIELDS = ['tags', 'match', 'urls', 'keys', 'prefix', 'pattern', 'all', 'mode', 'reclaim'];
const MANNERS = new Set(['match', 'mode', 'reclaim']);

/**
 * The records that say so. An empty list of tags gives none.
 *
 * @throws {TypeError} When it names nothing, or not in the way it should be named.
 */
export function toPurges(what: Invalidation): Purge[] {
  const fields = toFields(what);
  const { mode = 'hard', reclaim = 'background' } = fields;
  if (!['hard', 'soft'].includes(mode)) throw new TypeError("invalidate: mode is 'hard' or 'soft'.");
  if (!['background', 'off'].includes(reclaim)) throw new TypeError("invalidate: reclaim is 'background' or 'off'.");
  const purge = (kind: Purge['kind'], value: string): Purge => ({ mode, kind, value });
  return [
    ...tagPurges(fields, purge),
    ...textsOf(fields, 'urls').map((url) => purge('tag', urlTag(pathOf(url)))),
    ...textsOf(fields, 'keys').flatMap((key) => [keyPurge('d', key, mode), keyPurge('h', key, mode)]),
    ...textOf(fields, 'prefix').flatMap((prefix) => [purge('prefix', `d:${prefix}`), purge('prefix', `h:${prefix}`)]),
    ...textOf(fields, 'pattern').map((pattern) => purge('pattern', pattern)),
    ...(fields.all === true ? [purge('everything', '')] : []),
  ];
}

/** Whether memory is to be reclaimed: what goes by its tags or keys is little, as a rule, or made anew soon. */
export function isReclaimed(what: Invalidation): boolean {
  const { mode, prefix, pattern, all, reclaim } = toFields(what);
  return mode !== 'soft' && reclaim !== 'off' && (prefix !== undefined || pattern !== undefined || all === true);
}

/**
 * The fields of what is to be invalidated.
 *
 * @throws {TypeError} When nothing is named, or not by fields there are.
 */
export function toFields(what: Invalidation): InvalidationFields {
  if (typeof what === 'string') return { tags: [what] };
  if (Array.isArray(what)) return { tags: what as readonly string[] };
  const fields: unknown = what;
  if (typeof fields !== 'object' || fields === null) {
    throw new TypeError("invalidate takes a tag, a list of tags, or an object such as { urls: ['/products'] }.");
  }
  const names = Object.keys(fields);
  const unknown = names.find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) throw new TypeError(`invalidate has no field "${unknown}". It has: ${FIELDS.join(', ')}.`);
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== false);
  if (given.every(([name]) => MANNERS.has(name))) {
    throw new TypeError(`invalidate: nothing is named. Give one of: ${FIELDS.join(', ')}.`);
  }
  return fields;
}

function tagPurges(fields: InvalidationFields, purge: (kind: Purge['kind'], value: string) => Purge): Purge[] {
  const { match = 'any' } = fields;
  if (!['any', 'all'].includes(match)) throw new TypeError("invalidate: match is 'any' or 'all'.");
  const tags = manyTags(fields.tags ?? []);
  if (match === 'all' && tags.length > 1) return [purge('allTags', JSON.stringify(tags.toSorted()))];
  return tags.map((tag) => purge('tag', tag));
}

/** Unlike an entry, one invalidation may name any number of tags. */
function manyTags(tags: readonly string[]): string[] {
  if (!Array.isArray(tags)) throw new TypeError('invalidate: tags must be an array of strings.');
  const chunks = Array.from({ length: Math.ceil(tags.length / 1_000) }, (_, i) =>
    tags.slice(1_000 * i, 1_000 * (i + 1)),
  );
  return [...new Set(chunks.flatMap((chunk) => toTags(chunk, 'invalidate')))];
}

function textsOf(fields: InvalidationFields, name: 'urls' | 'keys'): readonly string[] {
  const texts: unknown = fields[name] ?? [];
  if (!Array.isArray(texts) || !texts.every((text) => typeof text === 'string')) {
    throw new TypeError(`invalidate: ${name} must be an array of strings.`);
  }
  return texts;
}

function textOf(fields: InvalidationFields, name: 'prefix' | 'pattern'): string[] {
  const text: unknown = fields[name];
  if (text === undefined) return [];
  if (typeof text !== 'string' || text === '' || text.length > MAX_PATTERN_LENGTH) {
    throw new TypeError(`invalidate: ${name} must be a string of 1 to ${MAX_PATTERN_LENGTH} characters.`);
  }
  return [text.toWellFormed()];
}

function pathOf(url: string): string {
  const match = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*([^#]*)/i.exec(url);
  return match === null ? url : (match[1] ?? '') || '/';
}
