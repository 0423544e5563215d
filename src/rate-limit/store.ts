import type { BanRules } from './ban.ts';
import type { Policy, Receipt, View } from './policy.ts';

/** One question about one client. */
export interface LimitCall {
  /** `peek` changes nothing; `charge` counts whether it fits or not. */
  readonly mode: 'take' | 'peek' | 'charge';
  /** Names the admission and its leases. */
  readonly id: string;
  /** Where the client's conduct is kept. */
  readonly conduct: string;
  /** Where what is used of each policy is kept. */
  readonly names: readonly string[];
  readonly policies: readonly Policy[];
  /** Refused requests use up the limit as well. */
  readonly countRefused: boolean;
  readonly ban: BanRules;
}

/** What was decided, on the clock of the store. */
export interface Decision {
  readonly status: 'admitted' | 'refused' | 'banned';
  /** When it was decided. Never runs back for a client. */
  readonly nowUs: number;
  /** What the clock said. */
  readonly clockUs: number;
  /** Whether this refusal led to the ban. */
  readonly isNewBan: boolean;
  /** 0 unless banned. */
  readonly bannedUntilUs: number;
  /** As it was before this decision, one per policy; `retryAtUs` as it is after a refusal that counts. */
  readonly views: readonly View[];
}

/**
 * Keeps what clients have used. A decision counts in all policies or in none. In any span of a sliding window's length it admits no more than the limit; of a token
 * bucket's no more than burst + refill; of concurrency there are never more leases than the limit.
 */
export interface LimitStore {
  decide(call: LimitCall): Promise<Decision>;
  /** Takes an admission back where it still counts. */
  refund(call: Pick<LimitCall, 'names' | 'policies'>, receipt: Receipt): Promise<void>;
  /** Lets a lease live on. False: it has expired. */
  renew(name: string, id: string, leaseUs: number): Promise<boolean>;
  /** Bans a client. */
  block(conduct: string, durationUs: number): Promise<void>;
  /** Forgets these. */
  forget(names: readonly string[]): Promise<void>;
}

/** Whether a decision used up anything. */
export function isCounted({ mode, countRefused }: LimitCall, { status }: Pick<Decision, 'status'>): boolean {
  return mode === 'charge' || (mode === 'take' && (status === 'admitted' || (status === 'refused' && countRefused)));
}
