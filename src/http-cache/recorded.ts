import type { EntryDraft } from '../cache/entry.ts';
import { entryKey, urlTag } from '../cache/tags.ts';
import type { Stamp } from '../register/mirror.ts';
import type { Exchange } from './exchange.ts';
import type { Plan } from './plan.ts';
import { flagsOf, type StorableHead } from './response-head.ts';

/** A response that is whole and may be stored. */
export interface Recorded {
  readonly draft: EntryDraft;
  readonly head: StorableHead;
  readonly body: Buffer;
  /** Names of the request headers it varies by, beyond those in the key. */
  readonly varyNames: readonly string[];
}

/** A whole response, as it is stored. */
export function toRecorded(
  { exchange: { key }, stamp }: { readonly exchange: Exchange; readonly stamp: Stamp },
  {
    plan,
    head,
    body,
    computeMs,
  }: {
    readonly plan: Plan;
    readonly head: StorableHead;
    readonly body: Buffer;
    readonly computeMs: number;
  },
): Recorded {
  const draft: EntryDraft = {
    key: entryKey('h', key.name),
    tags: [...plan.tags, urlTag(key.url)],
    stamp,
    flags: flagsOf.response(plan),
    freshMs: plan.storage.freshMs,
    staleMs: plan.storage.keepMs,
    computeMs,
    metadata: JSON.stringify(head),
    body,
  };
  return { draft, head, body, varyNames: plan.varyNames };
}
