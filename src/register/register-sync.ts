import { within } from '../core/deadline.ts';
import { createMirror, type Mirror } from './mirror.ts';
import type { BumpReply, RegisterPage } from './register-reply.ts';

const PAGE_SIZE = 4_096;
/** What differs is written again record by record; where it is more, a floor says it in one. */
const MAX_REWRITTEN = 10_000;

/** What is asked of the register in Redis. Both answer `undefined` when Redis does not. */
export interface RegisterReads {
  /** Members from a clock on, in order, at most `limit`. */
  page(from: number | '-inf', limit: number): Promise<RegisterPage | undefined>;
  /** Creates the register if it is missing; writes members and raises the floor if there are any. */
  bump(members: readonly string[], minClock: number, floor: number): Promise<BumpReply | undefined>;
}

export interface RegisterSyncOptions {
  readonly reads: RegisterReads;
  readonly maxStalenessMs: number;
  /** Runs a task after all reads of this turn of the event loop were sent. */
  readonly atEndOfTurn: (task: () => void) => void;
  /** How long a reader may wait, whatever has to be loaded. */
  readonly deadlineMs: number;
  /** Called after every successful update. */
  readonly onSynced: () => void;
}

/** Keeps a mirror in step with the register. */
export interface RegisterSync {
  /** Absent until the register was read once, and after it was found to be another one. */
  readonly mirror: Mirror | undefined;
  refresh(): true | Promise<boolean>;
  /** Applies what this process wrote itself. */
  applyOwn(members: readonly string[], reply: BumpReply): void;
  /** News: the register has reached this clock. */
  tell(clock: number): void;
  /** The server may be another one now, which may have lost writes: compare before relying on it again. */
  distrust(): void;
}

/** Creates a mirror's keeper. Nothing is read before the first `refresh`. */
export function createRegisterSync({
  reads,
  maxStalenessMs,
  deadlineMs,
  atEndOfTurn,
  onSynced,
}: RegisterSyncOptions): RegisterSync {
  let mirror: Mirror | undefined;
  /** How often the register was found wanting, and how many of those times the mirror was compared after. Unequal: it has to be compared. */
  let doubts = 0;
  let settled = 0;
  let loading: Promise<boolean> | undefined;
  /** The question that readers of this turn of the event loop share; it is sent after all of their reads. */
  let next: Promise<boolean> | undefined;
  /** The latest question, when it was sent, and when the one was sent whose answer the mirror reflects. */
  let asked: Promise<boolean> = Promise.resolve(false);
  let askedAt = -Infinity;
  let verifiedAt = -Infinity;

  function refresh(): true | Promise<boolean> {
    if (maxStalenessMs > 0) {
      const oldest = performance.now() - maxStalenessMs;
      if (verifiedAt >= oldest) return true;
      if (askedAt >= oldest) return asked; // Behind by no more than the bound either.
    }
    next ??= new Promise((resolve) => {
      atEndOfTurn(() => {
        next = undefined;
        askedAt = performance.now();
        asked = within(deadlineMs, ask(), false);
        resolve(asked);
      });
    });
    return next;
  }

  async function ask(): Promise<boolean> {
    for (;;) {
      const known = mirror;
      if (known === undefined || settled < doubts) {
        if (!(await load())) {
          askedAt = -Infinity;
          return false;
        }
        continue; // What was loaded was asked for before this read: ask once more.
      }
      const sentAt = performance.now();
      const outcome = await update(known);
      if (outcome === 'unanswered') {
        askedAt = -Infinity;
        return false;
      }
      if (outcome === 'lost' || settled < doubts || mirror !== known) continue;
      verifiedAt = Math.max(verifiedAt, sentAt);
      onSynced();
      return true;
    }
  }

  /** Reads what is new. */
  async function update(known: Mirror): Promise<'done' | 'lost' | 'unanswered'> {
    const newestWhenSent = known.newestClock;
    const page = await readPages(known.syncedClock, known);
    if (page === undefined) return 'unanswered';
    if (page.generation !== known.generation || page.clock < newestWhenSent) {
      if (mirror === known) distrust();
      return 'lost';
    }
    known.raiseFloor(page.floor);
    known.advance(page.clock);
    return 'done';
  }

  function distrust(): void {
    doubts++;
    verifiedAt = askedAt = -Infinity;
  }

  function load(): Promise<boolean> {
    loading ??= loadWhole().finally(() => {
      loading = undefined;
    });
    return loading;
  }

  /** Reads the whole register into a new mirror. What this process knows and the register has lost (a failover) is written again first. */
  async function loadWhole(): Promise<boolean> {
    const doubtsBefore = doubts;
    const loaded = await readWhole();
    if (loaded === undefined) return false;
    const known = mirror;
    if (known !== undefined && known.generation !== loaded.generation && known.newestClock > loaded.newestClock) {
      doubts++; // An older register came back: nothing computed before what is known here can be told to be valid.
      return (await reads.bump([], known.newestClock, known.newestClock)) !== undefined;
    }
    if (known?.generation === loaded.generation) {
      // Lost, or written since by who did not know how far the clock had come: then it counts as older than what was computed before it.
      const differing = [...membersMissing(known, loaded), ...membersMissing(loaded, known, known.syncedClock)];
      if (differing.length > 0 || known.floor > loaded.floor || known.newestClock > loaded.newestClock) {
        doubts++; // Until it is written and read back.
        const isFloor = differing.length > MAX_REWRITTEN || loaded.floor > known.floor;
        const floor = isFloor ? known.newestClock + 1 : known.floor; // Above what was computed at that clock, too.
        return (await reads.bump(isFloor ? [] : differing, known.newestClock, floor)) !== undefined;
      }
    }
    mirror = loaded;
    settled = doubtsBefore;
    return true;
  }

  async function readWhole(): Promise<Mirror | undefined> {
    const opened = await reads.bump([], 0, 0);
    if (opened === undefined) return undefined;
    const loaded = createMirror(opened.generation);
    const page = await readPages('-inf', loaded);
    if (page?.generation !== opened.generation) return undefined;
    loaded.raiseFloor(Math.max(opened.floor, page.floor));
    loaded.advance(page.clock);
    return loaded;
  }

  /** Reads page after page into a mirror and returns the last one, with the highest floor of all. */
  async function readPages(from: number | '-inf', into: Mirror): Promise<RegisterPage | undefined> {
    let start = from;
    let floor = 0;
    for (let limit = PAGE_SIZE; ;) {
      const page = await reads.page(start, limit);
      if (page === undefined) return undefined;
      into.apply(page.records);
      floor = Math.max(floor, page.floor);
      if (page.size < limit) return { ...page, floor };
      // A page begins with the clock the last one ended with. When one clock fills a whole page, ask for more at a time.
      if (page.lastClock === start) limit *= 2;
      start = page.lastClock;
    }
  }

  return {
    get mirror() {
      return mirror;
    },
    refresh,
    applyOwn(members, { generation, previousClock, clock, floor }) {
      if (mirror?.generation !== generation || previousClock < mirror.syncedClock) {
        distrust();
        return;
      }
      mirror.apply([...members, `!F:${floor}`].map((member) => [member, clock - 1]));
      mirror.raiseFloor(floor);
      if (previousClock === mirror.syncedClock) mirror.advance(clock);
    },
    tell(clock) {
      if (mirror !== undefined && clock > mirror.syncedClock) verifiedAt = askedAt = -Infinity;
    },
    distrust,
  };
}

/** Members of a mirror, noted up to a clock, that another of the same register does not have at theirs. */
function membersMissing(from: Mirror, other: Mirror, upTo = Infinity): string[] {
  const kept = other.members();
  return [...from.members()]
    .filter(([member, clock]) => clock <= upTo && clock > other.floor && (kept.get(member) ?? 0) < clock)
    .map(([member]) => member);
}
