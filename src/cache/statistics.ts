/** What happened to lookups, since the start of this process. */
export interface Counters {
  readonly hits: number;
  readonly misses: number;
  readonly stale: number;
  /** Requests the cache did not look at, or could not. */
  readonly bypasses: number;
  readonly stores: number;
  /** Lookups that Redis did not answer. They are among the bypasses. */
  readonly errors: number;
  /** (hits + stale) / (hits + stale + misses); 0 before the first lookup. */
  readonly hitRate: number;
}

/** What can be counted. */
export type Counted = 'hits' | 'misses' | 'stale' | 'bypasses' | 'stores' | 'errors';

/** Counters of one cache, per route and in total. */
export interface Statistics {
  count(route: string, what: Counted): void;
  total(): Counters;
  routes(): Record<string, Counters>;
}

/** Routes counted one by one; the rest share `(other)`, so that mount paths with parameters cannot fill the memory. */
const MAX_ROUTES = 1_000;

type Tally = Record<Counted, number>;

/** Creates counters at zero. */
export function createStatistics(): Statistics {
  const total = emptyTally();
  const routes = new Map<string, Tally>();

  function tallyOf(route: string): Tally {
    let tally = routes.get(route);
    if (tally === undefined) {
      const name = routes.size < MAX_ROUTES ? route : '(other)';
      tally = routes.get(name) ?? emptyTally();
      routes.set(name, tally);
    }
    return tally;
  }

  return {
    count(route, what) {
      total[what]++;
      tallyOf(route)[what]++;
    },
    total: () => toCounters(total),
    routes: () => Object.fromEntries([...routes].map(([route, tally]) => [route, toCounters(tally)])),
  };
}

function emptyTally(): Tally {
  return { hits: 0, misses: 0, stale: 0, bypasses: 0, stores: 0, errors: 0 };
}

function toCounters(tally: Tally): Counters {
  const served = tally.hits + tally.stale;
  const lookups = served + tally.misses;
  return { ...tally, hitRate: lookups === 0 ? 0 : served / lookups };
}
