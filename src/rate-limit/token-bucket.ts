import type { Rules } from './policy.ts';

/** A bucket as its debt in time. */
export interface Bucket {
  /** Since when the bucket has not been full. */
  readonly sinceUs: number;
  /** When it will be full again. */
  readonly fullAtUs: number;
}

/** Some centuries: what is longer would be no time any more, here or in Redis. */
const LONGEST_DEBT_US = 2 ** 53;
/** A microsecond, so that rounding never costs a token. */
const TOLERANCE_US = 1;

/**
 * A bucket of `burst` tokens, refilled evenly with `limit` tokens per window. A span of time admits at most the burst plus what is refilled in it: within one
 * window up to burst + limit, which is twice the limit where the burst is as large.
 *
 * @see https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
 */
export const tokenBucket: Rules<Bucket> = {
  newestOf: ({ sinceUs }) => sinceUs,
  look(bucket, { limit, windowUs, cost, detail: burst }, nowUs) {
    if (limit <= 0) return { fits: cost === 0, remaining: 0, retryAtUs: cost === 0 ? 0 : -1, resetAtUs: 0 };
    const perToken = windowUs / limit;
    const capacityUs = burst * perToken;
    const debtEndUs = Math.max(bucket?.fullAtUs ?? 0, nowUs);
    const neededUs = debtEndUs + cost * perToken - capacityUs;
    const fits = cost <= burst && neededUs <= nowUs + TOLERANCE_US;
    return {
      fits,
      remaining: Math.max(0, Math.floor((nowUs + capacityUs - debtEndUs + TOLERANCE_US) / perToken)),
      retryAtUs: fits ? 0 : cost > burst ? -1 : Math.ceil(neededUs),
      resetAtUs: debtEndUs > nowUs ? Math.ceil(debtEndUs) : 0,
    };
  },
  take(bucket, { limit, windowUs, cost }, { atUs }) {
    const old = bucket !== undefined && bucket.fullAtUs > atUs ? bucket : { sinceUs: atUs, fullAtUs: atUs };
    if (limit <= 0) return old;
    const fullAtUs = Math.min(old.fullAtUs + cost * (windowUs / limit), atUs + LONGEST_DEBT_US);
    return { sinceUs: old.sinceUs, fullAtUs };
  },
  refund(bucket, { limit, windowUs, cost }, { atUs }) {
    if (atUs < bucket.sinceUs || limit <= 0) return bucket; // It has been full since: nothing of that debt is left.
    return { sinceUs: bucket.sinceUs, fullAtUs: bucket.fullAtUs - cost * (windowUs / limit) };
  },
  expiresAt: ({ fullAtUs }) => Math.ceil(fullAtUs),
};
