import { createMirror, type Mirror, type Stamp } from '../../src/register/mirror.ts';
import { type BumpReply, type RegisterPage, toRegisterPage } from '../../src/register/register-reply.ts';
import { bumpModel, rangeModel, type RegisterModel } from './register-model.ts';

/** Faults that can be built into the model, to see that the checker finds them. */
export type Mutant =
  | 'token taken at store time'
  | 'no generation check'
  | 'no floor on pruning'
  | 'no delta in strong mode'
  | 'joins a delta sent before the read'
  | 'memory hit without delta';

/** What may happen, and how often at most. */
export interface Scenario {
  readonly processes: number;
  readonly reads: number;
  readonly writes: number;
  /** Invalidations of something the entry does not depend on. */
  readonly strangers: number;
  readonly evictions: number;
  readonly losses: number;
  /** Records the register keeps. */
  readonly cap: number;
  /** Whether processes keep entries in their own memory too. */
  readonly hasMemory: boolean;
}

export interface Outcome {
  readonly states: number;
  readonly hits: number;
  /** Steps that led to a read of something too old, if any do. */
  readonly violation: readonly string[] | undefined;
}

interface StoredEntry extends Stamp {
  readonly version: number;
}

interface MirrorState {
  readonly generation: number;
  readonly synced: number;
  readonly newest: number;
  readonly floor: number;
  readonly members: readonly (readonly [string, number])[];
}

/** A read whose questions are on their way. `got` and `page` are absent until the server has answered. */
interface Asking {
  readonly phase: 'asking';
  readonly process: number;
  readonly mustSee: number;
  readonly generation: number;
  readonly from: number;
  readonly newestWhenSent: number;
  readonly got?: StoredEntry | 'none';
  readonly page?: readonly (string | number)[];
}

/** A read that missed and loads: `version` is absent until it has read the database. */
interface Loading {
  readonly phase: 'loading';
  readonly process: number;
  readonly stamp: Stamp;
  readonly version?: number;
}

type Read = Asking | Loading;

/** One write on its way: committed, then bumped, then returned. */
interface Write {
  readonly process: number;
  readonly version: number;
  readonly reply?: BumpReply;
}

interface State {
  readonly database: number;
  readonly returned: number;
  readonly register: readonly (readonly [string, number])[];
  readonly generations: number;
  readonly entry: StoredEntry | undefined;
  readonly mirrors: readonly (MirrorState | undefined)[];
  readonly memories: readonly (StoredEntry | undefined)[];
  readonly reads: readonly Read[];
  readonly writes: readonly Write[];
  readonly left: {
    readonly reads: number;
    readonly writes: number;
    readonly strangers: number;
    readonly evictions: number;
    readonly losses: number;
  };
}

type Step = readonly [name: string, next: State | 'too old'];

const TAG = 'htitem';
const STRANGER = 'htother';
const DEPENDENCIES = { key: 'd:key', tags: ['item'] };

/**
 * Goes through every order in which the steps of a scenario can happen. One entry, one tag, any number of processes; time stands still, so that every clock is
 * as near to the last as it can be. The judge is the real mirror.
 */
export function checkModel(scenario: Scenario, mutant?: Mutant): Outcome {
  const seen = new Set<string>();
  const path: string[] = [];
  let hits = 0;

  function visit(state: State): boolean {
    const id = idOf(state);
    if (seen.has(id)) return false;
    seen.add(id);
    for (const [name, next] of stepsOf(state, scenario, mutant)) {
      path.push(name);
      if (name.startsWith('hit')) hits++;
      if (next === 'too old' || visit(next)) return true;
      path.pop();
    }
    return false;
  }

  const isViolated = visit(firstState(scenario));
  return { states: seen.size, hits, violation: isViolated ? path : undefined };
}

/** What is made of something that never changes is made once: most of a state is that of the state before. */
function once<Key extends object, Made>(make: (key: Key) => Made): (key: Key) => Made {
  const made = new WeakMap<Key, Made>();
  return (key) => {
    let known = made.get(key);
    if (known === undefined) made.set(key, (known = make(key)));
    return known;
  };
}

/** States that differ only in the order of what is on its way are one. */
function idOf({ database, returned, register, entry, mirrors, memories, reads, writes, left }: State): string {
  const underway = [...reads.map(idOfRead), ...writes.map(idOfWrite)].toSorted().join(';');
  const { reads: r, writes: w, strangers, evictions, losses } = left;
  const kept = [entry, ...memories].map(idOfEntry).join(';');
  const known = mirrors.map((mirror) => mirror && idOfMirror(mirror)).join(';');
  return [database, returned, idOfRegister(register), known, kept, underway, r, w, strangers, evictions, losses].join(
    '|',
  );
}

const idOfMirror = once((mirror: MirrorState) => Object.values(mirror).join());
const idOfRegister = once((register: State['register']) => register.join());

function idOfEntry(entry: StoredEntry | 'none' | undefined): string {
  return typeof entry === 'object' ? `${entry.version}@${entry.generation}.${entry.clock}` : String(entry);
}

const idOfRead = once((read: Read): string => {
  const { process } = read;
  if (read.phase === 'loading') return `l${process},${read.stamp.generation}.${read.stamp.clock},${read.version}`;
  const { mustSee, generation, from, newestWhenSent, got, page } = read;
  return `a${process},${mustSee},${generation},${from},${newestWhenSent},${idOfEntry(got)},${page?.join()}`;
});

const idOfWrite = once(
  ({ process, version, reply }: Write) =>
    `w${process},${version},${reply?.clock},${reply?.previousClock},${reply?.floor}`,
);

/** The register is open and everybody has read it. */
function firstState({ processes, reads, writes, strangers, evictions, losses }: Scenario): State {
  const nobody = Array.from({ length: processes }, () => undefined);
  const empty: State = {
    database: 0,
    returned: 0,
    register: [],
    generations: 0,
    entry: undefined,
    mirrors: nobody,
    memories: nobody,
    reads: [],
    writes: [],
    left: { reads, writes, strangers, evictions, losses },
  };
  return nobody.reduce<State>((state, _, process) => loadMirror(state, process), empty);
}

function* stepsOf(state: State, scenario: Scenario, mutant: Mutant | undefined): Generator<Step> {
  for (let process = 0; process < scenario.processes; process++) {
    if (state.left.reads > 0) yield beginRead(spend(state, 'reads'), process, mutant);
    const isFirst = state.database === 0;
    // Processes are alike: the first to write may as well be the first of all.
    if (state.left.writes > 0 && (!isFirst || process === 0)) yield commit(spend(state, 'writes'), process);
  }
  for (let i = 0; i < state.writes.length; i++) yield* stepsOfWrite(state, i, scenario, mutant);
  for (let i = 0; i < state.reads.length; i++) yield* stepsOfRead(state, i, scenario, mutant);
  if (state.left.evictions > 0 && state.entry !== undefined) {
    yield ['evict', { ...spend(state, 'evictions'), entry: undefined }];
  }
  if (state.left.losses > 0 && state.register.length > 0) yield ['lose', { ...spend(state, 'losses'), register: [] }];
  if (state.left.strangers > 0) {
    yield ['stranger', bump(spend(state, 'strangers'), [STRANGER], 0, scenario, mutant).state];
  }
}

function spend(state: State, what: keyof State['left']): State {
  return { ...state, left: { ...state.left, [what]: state.left[what] - 1 } };
}

function commit(state: State, process: number): Step {
  const version = state.database + 1;
  return [`commit ${version}`, { ...state, database: version, writes: [...state.writes, { process, version }] }];
}

function* stepsOfWrite(state: State, i: number, scenario: Scenario, mutant: Mutant | undefined): Generator<Step> {
  const write = state.writes[i];
  if (write === undefined) return;
  const { process, version, reply } = write;
  if (reply === undefined) {
    const bumped = bump(state, [TAG], state.mirrors[process]?.newest ?? 0, scenario, mutant);
    const writes = state.writes.with(i, { ...write, reply: bumped.reply });
    yield [`bump ${version}`, { ...bumped.state, writes }];
    return;
  }
  const returned = Math.max(state.returned, version);
  const mirrors = state.mirrors.with(process, withOwn(state.mirrors[process], reply));
  yield [`return ${version}`, { ...state, returned, mirrors, writes: state.writes.toSpliced(i, 1) }];
}

/** As `applyOwn` of the register's sync: what does not fit makes the process load the register again. */
function withOwn(known: MirrorState | undefined, reply: BumpReply): MirrorState | undefined {
  if (known?.generation !== reply.generation || reply.previousClock < known.synced) return undefined;
  const mirror = toMirror(known);
  mirror.apply([[TAG, reply.clock - 1]]);
  mirror.raiseFloor(reply.floor);
  if (reply.previousClock === known.synced) mirror.advance(reply.clock);
  return toState(mirror);
}

function bump(
  state: State,
  members: readonly string[],
  minClock: number,
  { cap }: Scenario,
  mutant: Mutant | undefined,
): { readonly state: State; readonly reply: BumpReply } {
  const { after, reply } = bumpModel(new Map(state.register), {
    newGeneration: state.generations + 1,
    minClock,
    raiseFloorTo: 0,
    retentionUs: 1_000_000,
    cap,
    members,
    now: 0,
    isFloorForgotten: mutant === 'no floor on pruning',
  });
  const generations = Math.max(state.generations, reply.generation);
  return { state: { ...state, register: [...after], generations }, reply };
}

function beginRead(state: State, process: number, mutant: Mutant | undefined): Step {
  const loaded = state.mirrors[process] === undefined ? loadMirror(state, process) : state;
  const memory = loaded.memories[process];
  const joined = mutant === 'joins a delta sent before the read' ? answeredPage(loaded, process) : undefined;
  const read: Asking = {
    ...questionOf(loaded, process),
    process,
    phase: 'asking',
    mustSee: state.returned,
    ...(memory !== undefined && { got: memory }),
    ...(joined !== undefined && { page: joined }),
  };
  return [`begin in ${process}`, { ...loaded, reads: [...loaded.reads, read] }];
}

function answeredPage({ reads }: State, process: number): Asking['page'] {
  for (const read of reads) if (read.phase === 'asking' && read.process === process && read.page) return read.page;
  return undefined;
}

function questionOf({ mirrors }: State, process: number): Pick<Asking, 'generation' | 'from' | 'newestWhenSent'> {
  const mirror = mirrors[process];
  return { generation: mirror?.generation ?? 0, from: mirror?.synced ?? 0, newestWhenSent: mirror?.newest ?? 0 };
}

/** Opens the register, creating it if it is missing, and reads it whole. */
function loadMirror(state: State, process: number): State {
  const { state: opened, reply } = bump(state, [], 0, { cap: Infinity } as Scenario, undefined);
  const page = toRegisterPage(rangeModel(toModel(opened), -Infinity));
  const mirror = createMirror(reply.generation);
  mirror.apply(page.records);
  mirror.raiseFloor(Math.max(reply.floor, page.floor));
  mirror.advance(page.clock);
  return { ...opened, mirrors: opened.mirrors.with(process, toState(mirror)) };
}

function* stepsOfRead(state: State, i: number, scenario: Scenario, mutant: Mutant | undefined): Generator<Step> {
  const read = state.reads[i];
  if (read === undefined) return;
  const become = (changed: Read): State => ({ ...state, reads: state.reads.with(i, changed) });
  if (read.phase === 'loading') {
    if (read.version === undefined) yield ['load', become({ ...read, version: state.database })];
    else yield ['store', store(state, i, read, scenario, mutant)];
    return;
  }
  if (read.got === undefined) yield ['get', become({ ...read, got: state.entry ?? 'none' })];
  if (read.page === undefined) yield ['delta', become({ ...read, page: rangeModel(toModel(state), read.from) })];
  const isUnasked = needsNoDelta(state, read, mutant);
  if (read.got === undefined || (read.page === undefined && !isUnasked)) return;
  yield answer(state, i, read, isUnasked, scenario, mutant);
}

function needsNoDelta(state: State, { process, got }: Asking, mutant: Mutant | undefined): boolean {
  if (mutant === 'no delta in strong mode') return true;
  return mutant === 'memory hit without delta' && got !== undefined && got === state.memories[process];
}

function store(state: State, i: number, read: Loading, { hasMemory }: Scenario, mutant: Mutant | undefined): State {
  const { process, stamp, version = 0 } = read;
  const page = toRegisterPage(rangeModel(toModel(state), -Infinity));
  const late = { generation: page.generation ?? 0, clock: page.clock };
  const entry = { ...(mutant === 'token taken at store time' ? late : stamp), version };
  const memories = hasMemory ? state.memories.with(process, entry) : state.memories;
  return { ...state, entry, memories, reads: state.reads.toSpliced(i, 1) };
}

/** Both answers are there: brings the mirror up to date and judges. */
function answer(
  state: State,
  i: number,
  read: Asking,
  isUnasked: boolean,
  { hasMemory }: Scenario,
  mutant: Mutant | undefined,
): Step {
  const known = state.mirrors[read.process];
  if (known?.generation !== read.generation) return again(state, i, read);
  const page = isUnasked ? undefined : toRegisterPage(read.page);
  if (page && (page.generation !== known.generation || page.clock < read.newestWhenSent)) {
    return again({ ...state, mirrors: state.mirrors.with(read.process, undefined) }, i, read);
  }
  const { mirror, mirrorState } = updated(known, page);
  const judged = { ...state, mirrors: state.mirrors.with(read.process, mirrorState) };
  const { got } = read;
  if (got === undefined || got === 'none' || !isValid(mirror, got, mutant)) {
    const stamp = { generation: mirror.generation, clock: mirror.syncedClock };
    const loading: Loading = { phase: 'loading', process: read.process, stamp };
    return ['miss', { ...judged, reads: judged.reads.with(i, loading) }];
  }
  if (got.version < read.mustSee) return [`hit ${got.version}, must see ${read.mustSee}`, 'too old'];
  const memories = hasMemory ? judged.memories.with(read.process, got) : judged.memories;
  return [`hit ${got.version}`, { ...judged, memories, reads: judged.reads.toSpliced(i, 1) }];
}

const updates = new Map<string, { readonly mirror: Mirror; readonly mirrorState: MirrorState }>();

/** A mirror after an answer. The same few come up over and over. */
function updated(
  known: MirrorState,
  page: RegisterPage | undefined,
): { readonly mirror: Mirror; readonly mirrorState: MirrorState } {
  const id = `${idOfMirror(known)}|${page && Object.values(page).join()}`;
  let update = updates.get(id);
  if (update === undefined) {
    const mirror = toMirror(known);
    if (page !== undefined) {
      mirror.apply(page.records);
      mirror.raiseFloor(page.floor);
      mirror.advance(page.clock);
    }
    update = { mirror, mirrorState: toState(mirror) };
    updates.set(id, update);
  }
  return update;
}

function isValid(mirror: Mirror, entry: StoredEntry, mutant: Mutant | undefined): boolean {
  const generation = mutant === 'no generation check' ? mirror.generation : entry.generation;
  return mirror.judge({ ...entry, generation }, () => DEPENDENCIES) === 'valid';
}

/** Loads the register if need be and asks once more; what was got stays got. */
function again(state: State, i: number, read: Asking): Step {
  const loaded = state.mirrors[read.process] === undefined ? loadMirror(state, read.process) : state;
  const { page: _, ...rest } = read;
  return ['again', { ...loaded, reads: loaded.reads.with(i, { ...rest, ...questionOf(loaded, read.process) }) }];
}

function toModel({ register }: State): RegisterModel {
  return new Map(register);
}

function toMirror({ generation, synced, newest, floor, members }: MirrorState): Mirror {
  const mirror = createMirror(generation);
  mirror.apply([...members, ['!', newest]]);
  mirror.raiseFloor(floor);
  mirror.advance(synced);
  return mirror;
}

function toState(mirror: Mirror): MirrorState {
  const { generation, syncedClock, newestClock, floor } = mirror;
  return { generation, synced: syncedClock, newest: newestClock, floor, members: [...mirror.members()] };
}
