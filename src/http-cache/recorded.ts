import type { EntryDraft } from '../cache/entry.ts';
import type { StorableHead } from './response-head.ts';

/** A response that is whole and may be stored. */
export interface Recorded {
  readonly draft: EntryDraft;
  readonly head: StorableHead;
  readonly body: Buffer;
  /** Names of the request headers it varies by, beyond those in the key. */
  readonly varyNames: readonly string[];
}
