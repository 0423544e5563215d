import type { LeaseOutcome, Leases } from '../cache/leases.ts';
import type { CacheStore } from '../cache/store.ts';
import type { Dependencies } from '../register/ledger.ts';
import type { Stamp } from '../register/mirror.ts';

/** The right to compute a value. */
export interface Claim {
  /** Names what was last set or deleted there. Absent when that is not known: what is computed cannot be stored. */
  readonly version: string | undefined;
  /** Tells others how it ended. */
  settle(outcome: LeaseOutcome): void;
}

/** How a claim is made: `wait` for others who compute it, `give-way` to them, or `alone`, whoever does. */
export type ClaimMode = 'wait' | 'give-way' | 'alone';

/** What a claim is made for. */
export interface ClaimRequest {
  readonly address: string;
  /** What the lookup found there. */
  readonly seen: Buffer | undefined;
  readonly mode: ClaimMode;
  /** When the computation begins, and what is known to invalidate it. */
  readonly stamp: Stamp;
  readonly known: Dependencies;
  /** Others compute it: from now on they are waited for. */
  onWait(): void;
}

/** Others are waited for so long at most. */
export const MAX_SHARED_MS = 30_000;

/** Becomes the one that computes a value, over all processes that share leases; `again`: look again, another has been quicker. */
export async function claim(
  store: CacheStore,
  leases: Leases | undefined,
  { address, seen, mode, stamp, known, onWait }: ClaimRequest,
): Promise<Claim | 'again'> {
  const isValid = (at: Stamp): boolean => store.register.judge(at, () => known) === 'valid';
  // Who began before an invalidation takes no place of others who did: what he made would be of no more use.
  const isOfUse = (theirs: Stamp): boolean => isValid(theirs) || !isValid(stamp);
  const giveUpAt = performance.now() + MAX_SHARED_MS;
  if (leases === undefined || mode === 'alone') return alone();
  while (performance.now() < giveUpAt) {
    const lease = await leases.ask(address, { seen, stamp, isOfUse, mark: true, maxHeldMs: MAX_SHARED_MS });
    if (lease.state === 'mine') return lease;
    if (lease.state === 'changed') return 'again';
    if (lease.state === 'unavailable') return { version: undefined, settle: () => undefined };
    if (mode === 'give-way') return 'again';
    onWait();
    const ended = await lease.ended;
    if (ended === 'stored' || ended === 'left' || !isValid(stamp)) return 'again';
    if (ended === 'refused') break; // It cannot be shared: everybody makes his own.
  }
  return alone();

  async function alone(): Promise<Claim> {
    return { version: await store.version(address, 'mark'), settle: () => undefined };
  }
}
