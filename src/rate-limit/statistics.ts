/** Counters of one limiter in this process. */
export interface LimitCounters {
  readonly admitted: number;
  readonly refused: number;
  /** Of the refused, those that needed no question to Redis. */
  readonly refusedFromMemory: number;
  /** In shadow mode: would have been refused. */
  readonly shadowed: number;
  /** Decided without Redis, because it was slow or away. */
  readonly withoutRedis: number;
  /** Refusals by policy; one that violates several counts in each. */
  readonly policies: Readonly<Record<string, number>>;
}

type Counted = Exclude<keyof LimitCounters, 'policies'>;

/** Counts what a limiter does. */
export interface LimitStatistics {
  count(what: Counted): void;
  violate(policies: readonly string[]): void;
  read(): LimitCounters;
}

/** Creates counters at zero. */
export function createLimitStatistics(): LimitStatistics {
  const counters: Record<Counted, number> = {
    admitted: 0,
    refused: 0,
    refusedFromMemory: 0,
    shadowed: 0,
    withoutRedis: 0,
  };
  const policies = new Map<string, number>();
  return {
    count: (what) => void counters[what]++,
    violate(names) {
      for (const name of names) policies.set(name, (policies.get(name) ?? 0) + 1);
    },
    read: () => ({ ...counters, policies: Object.fromEntries(policies) }),
  };
}
