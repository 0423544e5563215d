import type { Verdict } from '../register/mirror.ts';
import type { Register } from '../register/register.ts';
import { dependenciesOf, type Entry, type EntryDraft } from './entry.ts';
import { type Found, MAX_COMPUTE_MS } from './store.ts';

/** Judges a stored entry: by the register, then by its age. */
export function toFound(entry: Entry, register: Register): Found | undefined {
  const verdict = verdictOf(entry, register);
  if (verdict === 'dead') return undefined;
  const ageMs = Math.max(0, register.now() - entry.storedAt);
  if (ageMs < entry.freshMs) return { entry, ageMs, state: verdict === 'valid' ? 'fresh' : 'stale' };
  return ageMs < entry.freshMs + entry.staleMs ? { entry, ageMs, state: 'stale' } : undefined;
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
