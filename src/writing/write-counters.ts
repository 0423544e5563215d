const NAMES = ['recorded', 'rejected', 'written', 'failures', 'dead', 'lost'] as const;

/** Counts of one write-behind since the start of this process. */
export interface WriteCounts {
  /** Changes that `set` and `delete` have recorded. */
  readonly recorded: number;
  /** Those that could not be: Redis away, or the partition full. */
  readonly rejected: number;
  /** Records that `write` was given and that are settled. */
  readonly written: number;
  /** Calls of `write` that failed. */
  readonly failures: number;
  /** Records that were given up. */
  readonly dead: number;
  /** Records that were written and not settled, because the partition was another's by then: they are written again. */
  readonly lost: number;
}

/** Counts as it happens. */
export interface WriteCounters {
  count(what: keyof WriteCounts, by: number): void;
  total(): WriteCounts;
}

/** Creates counters at zero. */
export function createWriteCounters(): WriteCounters {
  const counts = Object.fromEntries(NAMES.map((name) => [name, 0])) as Record<keyof WriteCounts, number>;
  return {
    count(what, by) {
      counts[what] += by;
    },
    total: () => ({ ...counts }),
  };
}
