import { createLedger, type Dependencies } from './ledger.ts';
import { type Purge, toMember } from './records.ts';

const MAX_PURGES = 10_000;

/** Purges that Redis has not confirmed. This process heeds them as if they were the newest, until they are written. */
export interface UnconfirmedPurges {
  readonly size: number;
  add(purges: readonly Purge[]): void;
  /** All of them, to be written. */
  list(): readonly Purge[];
  /** Those given were written. */
  confirm(purges: readonly Purge[]): void;
  hits(entry: Dependencies): boolean;
}

/** Creates an empty list. When it is full it becomes one purge of everything: nothing is forgotten and memory is bounded. */
export function createUnconfirmedPurges(): UnconfirmedPurges {
  const purges = new Map<string, Purge>();
  let ledger = createLedger();

  function rebuild(): void {
    ledger = createLedger();
    for (const purge of purges.values()) ledger.note(purge, Infinity);
  }

  return {
    get size() {
      return purges.size;
    },
    add(added) {
      for (const purge of added) {
        purges.set(toMember(purge), purge);
        ledger.note(purge, Infinity);
      }
      if (purges.size <= MAX_PURGES) return;
      purges.clear();
      purges.set('', { mode: 'hard', kind: 'everything', value: '' });
      rebuild();
    },
    list: () => [...purges.values()],
    confirm(written) {
      const done = new Set(written);
      for (const [member, purge] of purges) if (done.has(purge)) purges.delete(member);
      rebuild();
    },
    hits: (entry) => ledger.hits(entry, 0),
  };
}
