import type { ServerResponse } from 'node:http';
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

/** Tells a cache further out what a response belongs to. */
export function tellTags(res: ServerResponse, field: TagField, tags: readonly string[]): void {
  const visible = tags.filter((tag) => /^[!-~]+$/.test(tag) && !tag.includes(','));
  if (visible.length === 0) return;
  if (field === 'Cache-Groups') res.setHeader(field, serializeList(visible.map((tag) => [tag, new Map()])));
  else res.setHeader(field, visible.join(field === 'Cache-Tag' ? ',' : ' '));
}
