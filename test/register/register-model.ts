import type { BumpReply } from '../../src/register/register-reply.ts';

/** The sorted set of the register: its members and their scores. */
export type RegisterModel = ReadonlyMap<string, number>;

export interface BumpModelArguments {
  readonly newGeneration: number;
  readonly minClock: number;
  readonly raiseFloorTo: number | 'clock';
  readonly retentionUs: number;
  readonly cap: number;
  readonly members: readonly string[];
  readonly now: number;
  /** Leaves the floor where it is when records are pruned: a fault that the model checker must find. */
  readonly isFloorForgotten?: boolean;
}

/** What the bump script does, written again. A test compares the two on a real server. */
export function bumpModel(
  before: RegisterModel,
  { newGeneration, minClock, raiseFloorTo, retentionUs, cap, members, now, isFloorForgotten }: BumpModelArguments,
): { readonly after: RegisterModel; readonly reply: BumpReply } {
  const after = new Map(before);
  const isNew = !after.has('!g');
  const generation = after.get('!g') ?? newGeneration;
  const clockMember = `!c:${generation}`;
  const previousClock = after.get(clockMember) ?? 0;
  const floor = after.get('!f') ?? 0;
  if (!isNew && members.length === 0 && raiseFloorTo === 0 && minClock === 0) {
    return { after, reply: { generation, previousClock, clock: previousClock, floor, timeUs: now } };
  }
  const score = Math.max(now, previousClock + 1, minClock + 1);
  const clock = score + 1;
  for (const member of members) after.set(member, score);

  const raised = raiseFloorTo === 'clock' ? score : Math.max(floor, raiseFloorTo);
  const budget = 128 + members.length;
  const doomed = doomedMembers(after, Math.max(raised, now - retentionUs), cap, budget);
  for (const [member] of doomed) after.delete(member);
  const newFloor = isFloorForgotten === true ? floor : Math.max(raised, ...doomed.map(([, age]) => age));

  if (newFloor > floor) {
    after.delete(`!F:${floor}`);
    after.set('!f', newFloor).set(`!F:${newFloor}`, score);
  } else if (isNew) {
    after.set('!f', 0);
  }
  after.set('!g', generation).set(clockMember, clock);
  return { after, reply: { generation, previousClock, clock, floor: newFloor, timeUs: now } };
}

function doomedMembers(register: RegisterModel, tooOld: number, cap: number, budget: number): [string, number][] {
  let excess = Math.min(register.size - cap - 4, budget);
  const inOrder = toSorted(register);
  const candidates = (excess > 0 ? inOrder : inOrder.filter(([, age]) => age <= tooOld)).slice(0, budget + 4);
  const doomed: [string, number][] = [];
  for (const [member, age] of candidates) {
    if (member.startsWith('!')) continue;
    if (age > tooOld && excess <= 0) break;
    doomed.push([member, age]);
    excess--;
  }
  return doomed;
}

/** The reply of ZRANGEBYSCORE … WITHSCORES. */
export function rangeModel(register: RegisterModel, from: number, limit = Infinity): (string | number)[] {
  return toSorted(register)
    .filter(([, score]) => score >= from)
    .slice(0, limit)
    .flat();
}

function toSorted(register: RegisterModel): [string, number][] {
  return [...register].toSorted(([a, x], [b, y]) => x - y || Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
