import { isInnerList, parseList, serializeList } from 'structured-headers';
import { toRecordText } from '../register/records.ts';
import type { FieldReader } from './freshness.ts';

/** Fields in which responses name what they belong to: `Cache-Groups` (RFC 9875), and the spellings of CDNs. */
export const TAG_FIELDS = ['Cache-Groups', 'Surrogate-Key', 'Cache-Tag', 'xkey'] as const;

/** One of {@link TAG_FIELDS}. */
export type TagField = (typeof TAG_FIELDS)[number];

/** Tags that a response's own fields give it. */
export function tagsIn(field: FieldReader): string[] {
  const tags = [
    ...groupsIn(field('cache-groups')),
    ...split(field('surrogate-key'), /\s+/),
    ...split(field('xkey'), /[\s,]+/),
    ...split(field('cache-tag'), /\s*,\s*/),
  ];
  return [...new Set(tags)];
}

/** RFC 9875 §2: a List of Strings, whose parameters do not count. One that cannot be read is as if it were not there. */
export function groupsIn(field: ReturnType<FieldReader>): string[] {
  if (field === undefined) return [];
  try {
    return parseList(typeof field === 'string' ? field : field.join(', '))
      .map((member) => (isInnerList(member) ? undefined : member[0]))
      .filter((value): value is string => typeof value === 'string' && value !== '');
  } catch {
    return [];
  }
}

function split(field: ReturnType<FieldReader>, separator: RegExp): string[] {
  const text = field === undefined ? '' : typeof field === 'string' ? field : field.join(' , ');
  return text
    .split(separator)
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '' && tag !== ',');
}

/** A group as the register knows it. Groups belong to their origin (RFC 9875 §2): another cannot name them. */
export function groupTag(origin: string, group: string): string {
  return toRecordText(`\u0002${origin}|${group}`);
}

/** The line that tells a cache further out what a response belongs to; `undefined` when there is nothing to tell. What the field cannot spell is left out. */
export function tagLineOf(
  field: TagField | undefined,
  tags: readonly string[],
): readonly [TagField, string] | undefined {
  if (field === undefined) return undefined;
  const spelled = field === 'Cache-Groups' ? /^[ -~]+$/ : /^[!-+\--~]+$/;
  const told = tags.filter((tag) => spelled.test(tag));
  if (told.length === 0) return undefined;
  if (field === 'Cache-Groups') return [field, serializeList(told.map((tag) => [tag, new Map()]))];
  return [field, told.join(field === 'Cache-Tag' ? ',' : ' ')];
}
