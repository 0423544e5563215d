import { createLedger, type Dependencies, type Ledger } from './ledger.ts';
import { fromMember, type Purge, type PurgeKind, toMember } from './records.ts';

/** The moment a computation began: the register's clock (microseconds) and its generation. */
export interface Stamp {
  readonly generation: number;
  readonly clock: number;
}

/** `valid`: nothing it depends on was invalidated since. `soft`: only softly. `dead`: never serve it. */
export type Verdict = 'valid' | 'soft' | 'dead';

/** This process' copy of the register, and the one judge of every entry. */
export interface Mirror {
  /** Identity of the register it copies. Entries of another are dead. */
  readonly generation: number;
  /** All invalidations up to this clock are known here. */
  readonly syncedClock: number;
  /** The newest clock seen, own invalidations included. */
  readonly newestClock: number;
  /** Entries below it are dead: what was pruned can no longer be told apart. */
  readonly floor: number;
  /** Judges what was computed at `stamp`. `describe` is asked only when something newer than the stamp is known. */
  judge(stamp: Stamp, describe: () => Dependencies): Verdict;
  /** Names what has hit what was computed at `stamp`, the newest first. */
  blame(stamp: Stamp, describe: () => Dependencies): string[];
  /** Notes invalidations, in any order, late ones included. */
  apply(members: readonly (readonly [member: string, clock: number])[]): void;
  /** Everything up to `clock` has been applied. */
  advance(clock: number): void;
  raiseFloor(floor: number): void;
  /** All that is noted, for comparing with a register that may have lost some of it. */
  members(): Map<string, number>;
  /** Keeps about `max` records: the oldest become a floor. */
  trim(max: number): void;
  /** The floor that leaves at most `max` patterns, and as many tag sets, of either mode; 0 when there are no more than that. */
  overflowOf(max: number): number;
}

const NAMES: Record<PurgeKind, string> = {
  tag: 'tag ',
  allTags: 'all of the tags ',
  key: 'key ',
  prefix: 'prefix ',
  pattern: 'pattern ',
  everything: 'everything',
  user: 'user ',
};

/** Creates the copy of an empty register. */
export function createMirror(generation: number): Mirror {
  const hard = createLedger();
  const soft = createLedger();
  let syncedClock = 0;
  let newestClock = 0;
  let floor = 0;

  const ledgerOf = (purge: Purge): Ledger => (purge.mode === 'hard' ? hard : soft);

  function raiseFloor(to: number): void {
    if (to <= floor) return;
    floor = to;
    hard.prune(floor);
    soft.prune(floor);
  }

  return {
    generation,
    get syncedClock() {
      return syncedClock;
    },
    get newestClock() {
      return newestClock;
    },
    get floor() {
      return floor;
    },
    judge(stamp, describe) {
      if (stamp.generation !== generation || !(stamp.clock >= floor)) return 'dead'; // Not a number is dead too.
      if (stamp.clock >= hard.newest && stamp.clock >= soft.newest) return 'valid';
      const entry = describe();
      if (hard.hits(entry, stamp.clock)) return 'dead';
      return soft.hits(entry, stamp.clock) ? 'soft' : 'valid';
    },
    blame(stamp, describe) {
      if (stamp.generation !== generation) return ['the register was lost, and began anew'];
      if (!(stamp.clock >= floor)) return ['everything, or something so long ago that it is not known any more'];
      const entry = describe();
      return [...hard.hitting(entry, stamp.clock), ...soft.hitting(entry, stamp.clock)]
        .toSorted((a, b) => b.clock - a.clock)
        .map(({ kind, value }) => NAMES[kind] + value);
    },
    apply(members) {
      for (const [member, clock] of members) {
        const purge = fromMember(member);
        if (purge !== undefined && clock > floor) ledgerOf(purge).note(purge, clock);
        newestClock = Math.max(newestClock, clock);
      }
    },
    advance(clock) {
      syncedClock = Math.max(syncedClock, clock);
      newestClock = Math.max(newestClock, clock);
    },
    raiseFloor,
    trim(max) {
      if (hard.size + soft.size <= max) return;
      const clocks = [...hard.list(), ...soft.list()].map(({ clock }) => clock).toSorted((a, b) => a - b);
      raiseFloor(clocks[Math.ceil(clocks.length - max * 0.9) - 1] ?? 0); // Some at a time: sorting is not cheap.
    },
    members: () =>
      new Map([
        ...hard.list().map((noted) => [toMember({ mode: 'hard', ...noted }), noted.clock] as const),
        ...soft.list().map((noted) => [toMember({ mode: 'soft', ...noted }), noted.clock] as const),
      ]),
    overflowOf: (max) =>
      Math.max(
        ...[hard, soft].flatMap((ledger) => [ledger.clockBeyond('pattern', max), ledger.clockBeyond('allTags', max)]),
      ),
  };
}
