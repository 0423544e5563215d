/** How a policy counts. */
export type Algorithm = 'sliding-window' | 'fixed-window' | 'token-bucket' | 'concurrency';

/** One limit as it stands for one decision: every function of the request has been asked. Durations and instants are microseconds. */
export interface Policy {
  readonly name: string;
  readonly algorithm: Algorithm;
  /** What may be used within a window; of `concurrency`, at a time. */
  readonly limit: number;
  /** Of `concurrency`: how long a lease lives. */
  readonly windowUs: number;
  /** What this decision uses; of `concurrency` always 1. */
  readonly cost: number;
  /** `sliding-window`: admissions within so many microseconds share an entry. `token-bucket`: the burst. */
  readonly detail: number;
}

/** Where one client stands with one policy. */
export interface View {
  /** Whether the cost fits in now. */
  readonly fits: boolean;
  readonly remaining: number;
  /** When the cost will fit in, if nothing else is used: 0 now, -1 never. */
  readonly retryAtUs: number;
  /** When nothing will be in use any more; 0 if nothing is. */
  readonly resetAtUs: number;
}

/** Names an admission, so that it can be taken back. */
export interface Receipt {
  readonly atUs: number;
  readonly id: string;
}

/** How one algorithm judges and changes what it keeps of a client. The same rules, line by line, as in `decide-limits.lua` and `refund-limits.lua`. */
export interface Rules<State> {
  /** The newest instant that is kept: time never runs back behind it. */
  newestOf(state: State): number;
  look(state: State | undefined, policy: Policy, nowUs: number): View;
  /** Counts the cost, whether it fits or not. */
  take(state: State | undefined, policy: Policy, receipt: Receipt): State;
  /** Takes an admission back; what is not counted any more stays as it is. */
  refund(state: State, policy: Policy, receipt: Receipt): State;
  /** When the state means no more than none. */
  expiresAt(state: State, policy: Policy): number;
}
