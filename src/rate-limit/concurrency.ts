import type { Rules } from './policy.ts';

/** Who is being served: lease to the instant it expires. */
export type Leases = ReadonlyMap<string, number>;

/** Nobody knows when a response will end: a guess. */
const RETRY_AFTER_US = 1_000_000;

/** At most `limit` leases at a time. One that is not given back (its process has died) expires. */
export const concurrency: Rules<Leases> = {
  newestOf: () => 0,
  look(leases, { limit }, nowUs) {
    const used = leases === undefined ? 0 : living(leases, nowUs).size;
    const fits = used + 1 <= limit;
    return {
      fits,
      remaining: Math.max(0, limit - used),
      retryAtUs: fits ? 0 : limit < 1 ? -1 : nowUs + RETRY_AFTER_US,
      resetAtUs: 0,
    };
  },
  take(leases, { windowUs }, { atUs, id }) {
    return new Map([...(leases === undefined ? [] : living(leases, atUs)), [id, atUs + windowUs]]);
  },
  refund: (leases, _policy, { id }) => new Map([...leases].filter(([lease]) => lease !== id)),
  expiresAt: latestOf,
};

/** When the last of them expires. */
export function latestOf(leases: Leases): number {
  return [...leases.values()].reduce((latest, each) => Math.max(latest, each), 0);
}

function living(leases: Leases, nowUs: number): Leases {
  return new Map([...leases].filter(([, expiresAtUs]) => expiresAtUs > nowUs));
}
