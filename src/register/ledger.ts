import { matchesGlob } from '../core/glob.ts';
import { type Purge, type PurgeKind, toRecordText } from './records.ts';

/** What an entry depends on. */
export interface Dependencies {
  /** Its key as the user spelled it, after its kind: `d:user:7`. */
  readonly key: string;
  readonly tags: readonly string[];
  /** Whose session it is, in the text of a record. */
  readonly user?: string;
}

/** A purge and the clock of the latest such. */
interface Noted extends Pick<Purge, 'kind' | 'value'> {
  readonly clock: number;
}

/** Purges of one mode and the clock of the latest of each. */
export interface Ledger {
  /** The newest clock noted. */
  readonly newest: number;
  /** How many purges are noted. */
  readonly size: number;
  /** Notes a purge. An older clock than the one known is ignored. */
  note(purge: Pick<Purge, 'kind' | 'value'>, clock: number): void;
  /** Whether a purge newer than `clock` hits an entry. */
  hits(entry: Dependencies, clock: number): boolean;
  /** Those purges newer than `clock` that hit an entry: slow, for people. */
  hitting(entry: Dependencies, clock: number): Noted[];
  /** Everything noted. */
  list(): Noted[];
  /** The clock at or below which all purges of a kind lie but the newest `max`; 0 when there are no more than that. */
  clockBeyond(kind: PurgeKind, max: number): number;
  /** Forgets purges at or below `floor`. */
  prune(floor: number): void;
}

/** Creates an empty ledger. Lookups cost one map access per tag and per distinct prefix length; patterns and tag sets are compared one by one. */
export function createLedger(): Ledger {
  const clocks: Record<PurgeKind, Map<string, number>> = {
    tag: new Map(),
    allTags: new Map(),
    key: new Map(),
    prefix: new Map(),
    pattern: new Map(),
    everything: new Map(),
    user: new Map(),
  };
  const kinds = Object.keys(clocks) as PurgeKind[];
  let newest = 0;
  /** Of all prefixes noted; a length may outlast its prefixes. */
  const prefixLengths: number[] = [];

  return {
    get newest() {
      return newest;
    },
    get size() {
      return kinds.reduce((sum, kind) => sum + clocks[kind].size, 0);
    },
    note({ kind, value }, clock) {
      const map = clocks[kind];
      const known = map.get(value);
      if (known !== undefined) {
        if (known >= clock) return;
        map.delete(value); // Insert again at the end: maps stay about in the order of their clocks, which pruning relies on.
      }
      map.set(value, clock);
      newest = Math.max(newest, clock);
      if (kind === 'prefix' && !prefixLengths.includes(value.length)) prefixLengths.push(value.length);
    },
    hits({ key, tags, user }, clock) {
      if (newest <= clock) return false;
      const isNewer = (at: number | undefined): boolean => at !== undefined && at > clock;
      return (
        isNewer(clocks.everything.get('')) ||
        (user !== undefined && isNewer(clocks.user.get(user))) ||
        isNewer(clocks.key.get(toRecordText(key))) ||
        tags.some((tag) => isNewer(clocks.tag.get(tag))) ||
        prefixLengths.some((length) => isNewer(clocks.prefix.get(key.slice(0, length)))) ||
        some(clocks.pattern, (pattern, at) => at > clock && matchesGlob(pattern, withoutKind(key))) ||
        some(
          clocks.allTags,
          (list, at) => at > clock && (JSON.parse(list) as string[]).every((tag) => tags.includes(tag)),
        )
      );
    },
    hitting(entry, clock) {
      return this.list().filter((noted) => {
        if (noted.clock <= clock) return false;
        const one = createLedger();
        one.note(noted, noted.clock);
        return one.hits(entry, clock);
      });
    },
    list: () => kinds.flatMap((kind) => [...clocks[kind]].map(([value, clock]) => ({ kind, value, clock }))),
    clockBeyond(kind, max) {
      const map = clocks[kind];
      return map.size <= max ? 0 : ([...map.values()].toSorted((a, b) => b - a)[max] ?? 0);
    },
    prune(floor) {
      for (const kind of kinds) pruneMap(clocks[kind], floor);
      if (clocks.prefix.size === 0) prefixLengths.length = 0;
    },
  };
}

/** What was noted late lies behind something newer and is forgotten together with that. */
function pruneMap(map: Map<string, number>, floor: number): void {
  for (const [value, clock] of map) {
    if (clock > floor) return;
    map.delete(value);
  }
}

function withoutKind(key: string): string {
  return key.slice(key.indexOf(':') + 1);
}

function some(map: Map<string, number>, test: (value: string, clock: number) => boolean): boolean {
  for (const [value, clock] of map) if (test(value, clock)) return true;
  return false;
}
