import type { PurgeKind } from '../register/records.ts';

/** A purge that hits {@link ENTRY}, and purges of the same kind that do not. */
export interface PurgeCase {
  readonly kind: PurgeKind;
  readonly hit: string;
  readonly missed: readonly string[];
}

/** What is purged. */
export const ENTRY = { key: 'd:user:7', tags: ['user', 'team:1'] };

/** Every kind of purge. */
export const PURGE_CASES: readonly PurgeCase[] = [
  { kind: 'tag', hit: 'team:1', missed: ['team:', 'team:11', 'd:user:7'] },
  { kind: 'allTags', hit: '["team:1","user"]', missed: ['["team:1","user","x"]', '["x","y"]'] },
  { kind: 'key', hit: 'd:user:7', missed: ['d:user:77', 'h:user:7', 'user'] },
  { kind: 'prefix', hit: 'd:user', missed: ['h:user', 'd:user:77', 'user'] },
  { kind: 'pattern', hit: 'us*:?', missed: ['us*:??', 'd:user:7', 'user'] },
  { kind: 'everything', hit: '', missed: [] },
];
