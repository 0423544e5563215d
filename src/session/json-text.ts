import type { Fields } from './records.ts';

/** Where the JSON format keeps when a session was created: connect-redis carries it along as it does every property. */
const CREATED_AT = 'suiteCreatedAt';

/** A session's text in the JSON format, which is connect-redis'. */
export interface JsonSession {
  readonly fields: Fields;
  readonly createdAt: number | undefined;
}

/** Reads a text. `null` is no session, as for connect-redis; `corrupt` is neither. */
export function fromJsonText(text: string): JsonSession | 'corrupt' | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'corrupt';
  }
  if (value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) return 'corrupt';
  const fields = new Map(Object.entries(value).map(([name, part]) => [name, JSON.stringify(part)] as const));
  const createdAt = Number(fields.get(CREATED_AT));
  fields.delete(CREATED_AT);
  return { fields, createdAt: createdAt > 0 ? createdAt : undefined };
}

/** The text of a session. */
export function toJsonText(fields: Fields, createdAt: number): string {
  const parts = [...fields].map(([name, text]) => `${JSON.stringify(name)}:${text}`);
  return `{${[...parts, `"${CREATED_AT}":${createdAt}`].join(',')}}`;
}

/** Lays one writer's changes over what others have written. */
export function merge(theirs: Fields, own: Fields, changed: readonly string[], removed: readonly string[]): Fields {
  const merged = new Map(theirs);
  for (const name of removed) merged.delete(name);
  for (const name of changed) merged.set(name, own.get(name) ?? 'null');
  return merged;
}
