/** Counters of the sessions of one place in this process. */
export interface SessionCounters {
  readonly created: number;
  /** Found by a request, or by whoever asked for it. */
  readonly loaded: number;
  /** Changes written. */
  readonly saved: number;
  /** Idle timeouts begun anew, without a change. */
  readonly touched: number;
  readonly destroyed: number;
  /** Found to be past their idle or absolute timeout. Redis drops most by itself, without telling. */
  readonly expired: number;
  /** Saves of sessions that had ended meanwhile: nothing was saved. */
  readonly gone: number;
  /** Stored text that could not be read. */
  readonly corrupt: number;
  /** With `onConflict: 'reject'`: saves that were refused. */
  readonly conflicts: number;
  /** Reads and writes of sessions that Redis failed. */
  readonly errors: number;
}

/** Counts what happens to sessions. */
export interface SessionStatistics {
  count(what: keyof SessionCounters): void;
  read(): SessionCounters;
}

/** Creates counters at zero. */
export function createSessionStatistics(): SessionStatistics {
  const counters = {
    created: 0,
    loaded: 0,
    saved: 0,
    touched: 0,
    destroyed: 0,
    expired: 0,
    gone: 0,
    corrupt: 0,
    conflicts: 0,
    errors: 0,
  };
  return {
    count: (what) => void counters[what]++,
    read: () => ({ ...counters }),
  };
}
