import { type Purge, type PurgeMode, toRecordText } from '../register/records.ts';

const MAX_TAGS = 1_000;

/**
 * Tags as entries and purges carry them.
 *
 * @throws {TypeError} When it is not a list of at most 1000 texts, none of them empty.
 */
export function toTags(tags: unknown, where: string): string[] {
  if (!Array.isArray(tags) || tags.length > MAX_TAGS || !tags.every((tag) => typeof tag === 'string' && tag !== '')) {
    throw new TypeError(`${where}: tags must be an array of at most ${MAX_TAGS} non-empty strings.`);
  }
  return [...new Set((tags as string[]).map(toRecordText))];
}

/**
 * The tag that every response stored for a URL carries: path and query, whatever host, variant or user it is for. The order of parameters does not count,
 * because a route may put them in its own.
 */
export function urlTag(url: string): string {
  const at = url.indexOf('?');
  if (at < 0 || at === url.length - 1) return toRecordText(`\u0001${url.replace('?', '')}`);
  const query = new URLSearchParams(url.slice(at));
  query.sort();
  return toRecordText(`\u0001${url.slice(0, at)}?${query.toString()}`);
}

/** An entry's key as the register knows it. The kind keeps a data key from meaning a URL. */
export function entryKey(kind: EntryKind, key: string): string {
  return `${kind}:${key.toWellFormed()}`;
}

/** The purge of one entry by its key. */
export function keyPurge(kind: EntryKind, key: string, mode: PurgeMode = 'hard'): Purge {
  return { mode, kind: 'key', value: toRecordText(entryKey(kind, key)) };
}

/** `d` data cache, `h` response cache. */
export type EntryKind = 'd' | 'h';
