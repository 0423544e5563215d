import { digest } from '../core/digest.ts';

/** `hard`: what it hits is never served again. `soft`: it may be served as stale while it is being replaced. */
export type PurgeMode = 'hard' | 'soft';

/** What one record of the register invalidates; `user`: the sessions of a user. The value of `key` and `prefix` begins with the entry's kind: `d:user:7`, `h:GET:/users`. */
export type PurgeKind = 'tag' | 'allTags' | 'key' | 'prefix' | 'pattern' | 'everything' | 'user';

/** One invalidation, as it is kept in the register. */
export interface Purge {
  readonly mode: PurgeMode;
  readonly kind: PurgeKind;
  /** Text of its kind; for `allTags` a JSON list of tags; empty for `everything`. */
  readonly value: string;
}

const LETTERS = { tag: 't', allTags: '&', key: 'k', prefix: '^', pattern: '*', everything: 'a', user: 'u' } as const;
const KINDS = new Map<string, PurgeKind>(Object.entries(LETTERS).map(([kind, letter]) => [letter, kind as PurgeKind]));
const MAX_TEXT_LENGTH = 256;

/**
 * A tag or key as the register knows it. Redis keeps bytes and JavaScript UTF-16, so text that has no exact UTF-8 form is made well-formed here, on both
 * sides of the comparison; long text becomes its hash, so that no record is large.
 */
export function toRecordText(text: string): string {
  return text.length > MAX_TEXT_LENGTH ? `#${digest(text)}` : text.toWellFormed();
}

/** The member of the sorted set that stands for a purge. */
export function toMember({ mode, kind, value }: Purge): string {
  return (mode === 'hard' ? 'h' : 's') + LETTERS[kind] + value;
}

/** The purge a member stands for; `undefined` for the register's bookkeeping and for what a later version may have written. */
export function fromMember(member: string): Purge | undefined {
  const mode = member[0] === 'h' ? 'hard' : member[0] === 's' ? 'soft' : undefined;
  const kind = KINDS.get(member[1] ?? '');
  return mode === undefined || kind === undefined ? undefined : { mode, kind, value: member.slice(2) };
}
