import type { Stamp, Verdict } from '../register/mirror.ts';
import type { Register } from '../register/register.ts';
import { dependenciesOf, type Entry, type EntryDraft } from './entry.ts';
import { type Found, type Lookup, MAX_COMPUTE_MS } from './store.ts';

/**
 * What every hit makes is an instance of a class, here and where it is read. Of literals V8 counts how many outlive a collection: where at that moment many calls wait, it takes all that are
 * made in that place for long-lived and makes them among those, where garbage costs many times as much. Classes it does not count.
 */
class FoundEntry implements Found {
  readonly entry: Entry;
  readonly ageMs: number;
  readonly state: Found['state'];
  constructor(entry: Entry, ageMs: number, state: Found['state']) {
    this.entry = entry;
    this.ageMs = ageMs;
    this.state = state;
  }
}

/** A lookup that has found something. */
export class Hit implements Lookup {
  readonly found: Found;
  readonly stamp: Stamp | undefined;
  readonly bytes: Buffer;
  constructor(found: Found, stamp: Stamp | undefined) {
    this.found = found;
    this.stamp = stamp;
    this.bytes = found.entry.bytes;
  }
}

/** Judges a stored entry: by the register, then by its age. */
export function toFound(entry: Entry, register: Register): Found | undefined {
  const verdict = verdictOf(entry, register);
  if (verdict === 'dead') return undefined;
  const ageMs = Math.max(0, register.now() - entry.storedAt);
  if (ageMs < entry.freshMs) return new FoundEntry(entry, ageMs, verdict === 'valid' ? 'fresh' : 'stale');
  return ageMs < entry.freshMs + entry.staleMs ? new FoundEntry(entry, ageMs, 'stale') : undefined;
}

function verdictOf(entry: Entry, register: Register): Verdict {
  try {
    return register.judge(entry, () => dependenciesOf(entry));
  } catch {
    return 'dead'; // Its frame is right but not what is in it.
  }
}

/** Whether it is worth storing what was computed: false when it was invalidated meanwhile. Storing it would do no harm. */
export function isWorthStoring(draft: EntryDraft, register: Register, version?: string): boolean {
  if (draft.freshMs + draft.staleMs < 1) return false;
  if (version !== undefined && draft.computeMs > MAX_COMPUTE_MS) return false;
  return register.judge(draft.stamp, () => draft) !== 'dead';
}
