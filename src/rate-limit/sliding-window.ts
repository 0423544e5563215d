import type { Policy, Rules, View } from './policy.ts';

/** Admissions that are counted together, until the last of them has left the window. */
interface Entry {
  readonly atUs: number;
  /** What had been admitted since the beginning of the log, these included. */
  readonly total: number;
}

/** What a client was admitted, oldest first. */
export interface AdmissionLog {
  /** What was admitted up to its instant is not in the log any more, or never was; totals go on from its total. */
  readonly anchor: Entry;
  readonly entries: readonly Entry[];
}

/** Totals begin anew when they have come so far: they are kept in 48 bits. Twice what any limit allows. */
const REBASE_AT = 2 ** 47;
/** Into so many parts what is charged beyond the limit is divided at most, or clients could make their log grow for ever. */
const BEYOND_LIMIT = 60;

/**
 * A log of admissions with cumulative costs. In no window of the given length is more admitted than the limit: an entry counts until its last admission has left
 * the window. What sharing entries costs is at most one part in `precision` of the rate. The twin of `sliding-window.lua`.
 */
export const slidingWindow: Rules<AdmissionLog> = {
  newestOf: ({ entries }) => entries.at(-1)?.atUs ?? 0,
  look(log, { limit, windowUs, cost }, nowUs): View {
    const entries = log?.entries ?? [];
    const dead = countDead(entries, nowUs - windowUs);
    const last = entries.at(-1);
    const total = last?.total ?? 0;
    const used = log === undefined ? 0 : total - totalBefore(log, dead);
    const fits = used + cost <= limit;
    return {
      fits,
      remaining: Math.max(0, limit - used),
      retryAtUs: fits ? 0 : cost > limit ? -1 : roomAt(entries, dead, total + cost - limit) + windowUs,
      resetAtUs: used > 0 && last !== undefined ? last.atUs + windowUs : 0,
    };
  },
  take(log = { anchor: { atUs: Infinity, total: 0 }, entries: [] }, { limit, windowUs, cost, detail }, { atUs }) {
    if (cost === 0) return log;
    const { entries, anchor } = log;
    const last = entries.at(-1);
    if (last === undefined) return { anchor: { atUs: atUs - 1, total: 0 }, entries: [{ atUs, total: cost }] };
    const dead = countDead(entries, atUs - windowUs);
    const grainUs = detail === 0 && entries.length - dead > limit ? Math.ceil(windowUs / BEYOND_LIMIT) : detail;
    const isShared = dead < entries.length && sharesEntry(last.atUs, atUs, grainUs);
    const kept = entries.slice(dead, isShared ? -1 : undefined);
    return rebased({ anchor: entries[dead - 1] ?? anchor, entries: [...kept, { atUs, total: last.total + cost }] });
  },
  refund(log, { cost }, { atUs }) {
    const from = countDead(log.entries, atUs - 1);
    const entry = log.entries[from];
    if (entry === undefined || atUs <= log.anchor.atUs) return log;
    const back = Math.min(cost, entry.total - totalBefore(log, from));
    const entries = log.entries.map((each, i) => (i < from ? each : { atUs: each.atUs, total: each.total - back }));
    return { anchor: log.anchor, entries };
  },
  expiresAt: ({ entries }, { windowUs }) => (entries.at(-1)?.atUs ?? 0) + windowUs,
};

function rebased(log: AdmissionLog): AdmissionLog {
  const newest = log.entries.at(-1)?.total ?? 0;
  if (newest < REBASE_AT) return log;
  const less = Math.max(log.anchor.total, newest - REBASE_AT);
  const lower = ({ atUs, total }: Entry): Entry => ({ atUs, total: Math.max(0, total - less) });
  return { anchor: lower(log.anchor), entries: log.entries.map(lower) };
}

/** How many entries, from the oldest on, are not younger than `cutoffUs`. */
function countDead(entries: readonly Entry[], cutoffUs: number): number {
  return firstIndex(entries, ({ atUs }) => atUs > cutoffUs);
}

/** When the entry goes whose end leaves room. */
function roomAt(entries: readonly Entry[], dead: number, total: number): number {
  const i = Math.max(
    dead,
    firstIndex(entries, (entry) => entry.total >= total),
  );
  return entries[i]?.atUs ?? 0;
}

function firstIndex(entries: readonly Entry[], isIt: (entry: Entry) => boolean): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = entries[middle];
    if (entry !== undefined && isIt(entry)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** What had been admitted before the entry. */
function totalBefore({ anchor, entries }: AdmissionLog, index: number): number {
  return (index === 0 ? anchor : entries[index - 1])?.total ?? 0;
}

/** Merging is a rule for writing only, so the precision may change at any time. */
function sharesEntry(lastUs: number, nowUs: number, grainUs: number): boolean {
  return lastUs === nowUs || (grainUs > 0 && lastUs >= nowUs - (nowUs % grainUs));
}

/** Microseconds that share an entry. Few admissions need no sharing: their log is exact at the same size. */
export function grainOf({ limit, windowUs }: Pick<Policy, 'limit' | 'windowUs'>, precision: number): number {
  return limit <= precision ? 0 : Math.ceil(windowUs / precision);
}
