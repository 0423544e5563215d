/** A client that is refused, or was. */
export interface RefusedClient {
  /** As in keys: hashed where it is hashed there. */
  readonly client: string;
  /** Until when it is refused. */
  readonly until: Date;
}

/** A client and how often it was refused, by all processes, since counting began: at most a day ago. */
export interface Offender {
  readonly client: string;
  readonly refusals: number;
}

/** Who was refused. Bounded: it keeps the thousand that are refused longest, and the thousand refused most often. */
export interface RefusedLog {
  note(client: string, retryAfterMs: number): void;
  list(count: number): Promise<readonly RefusedClient[]>;
  top(count: number): Promise<readonly Offender[]>;
  forget(client: string): Promise<void>;
}

/** Kept of each kind. */
export const MAX_REFUSED = 1_000;
/** So long refusals are counted before counting begins anew. */
export const COUNTING_MS = 86_400_000;

/** What was noted of one client. */
interface Noted {
  readonly client: string;
  readonly count: number;
  readonly untilMs: number;
}

/** Sums up what is noted until it is taken. */
export interface Notes {
  add(client: string, untilMs: number): void;
  list(): readonly Noted[];
  /** Not refused any more; the count stays. */
  release(client: string): void;
  /** Who is refused stays; who is not any more at `nowMs` goes. */
  forgetCounts(nowMs: number): void;
  clear(): void;
}

/** Creates empty notes. Of more clients than can be kept the least refused is forgotten. */
export function createNotes(): Notes {
  const notes = new Map<string, Noted>();
  return {
    add(client, untilMs) {
      const count = (notes.get(client)?.count ?? 0) + 1;
      notes.set(client, { client, count, untilMs });
      if (notes.size > 2 * MAX_REFUSED) {
        for (const { client: least } of [...notes.values()].toSorted(byCount).slice(MAX_REFUSED)) notes.delete(least);
      }
    },
    list: () => [...notes.values()],
    release(client) {
      const noted = notes.get(client);
      if (noted !== undefined) notes.set(client, { ...noted, untilMs: 0 });
    },
    forgetCounts(nowMs) {
      for (const { client, untilMs } of notes.values()) {
        if (untilMs > nowMs) notes.set(client, { client, count: 0, untilMs });
        else notes.delete(client);
      }
    },
    clear: () => notes.clear(),
  };
}

function byCount(a: Noted, b: Noted): number {
  return b.count - a.count;
}

/** The log of this process alone. */
export function createMemoryRefusedLog(now: () => number = Date.now): RefusedLog {
  const notes = createNotes();
  let countedSince = -Infinity;

  function beginAnew(): void {
    const nowMs = now();
    if (nowMs - countedSince < COUNTING_MS) return;
    countedSince = nowMs;
    notes.forgetCounts(nowMs);
  }

  return {
    note(client, retryAfterMs) {
      beginAnew();
      notes.add(client, now() + retryAfterMs);
    },
    async list(count) {
      const nowMs = now();
      const refused = notes.list().filter(({ untilMs }) => untilMs > nowMs);
      return refused
        .toSorted((a, b) => b.untilMs - a.untilMs)
        .slice(0, count)
        .map(({ client, untilMs }) => ({ client, until: new Date(Math.min(untilMs, 8.64e15)) }));
    },
    async top(count) {
      beginAnew();
      const counted = notes.list().filter((noted) => noted.count > 0);
      const most = counted.toSorted(byCount).slice(0, count);
      return most.map(({ client, count: refusals }) => ({ client, refusals }));
    },
    forget: async (client) => notes.release(client),
  };
}
