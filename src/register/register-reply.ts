/** A register's records in the order of their clocks, with its bookkeeping taken out. */
export interface RegisterPage {
  readonly records: readonly (readonly [member: string, clock: number])[];
  /** How many members were read, and the clock of the last. */
  readonly size: number;
  readonly lastClock: number;
  /** From `!c:<generation>`, which always comes last: absent on all pages but the last. */
  readonly generation: number | undefined;
  readonly clock: number;
  readonly floor: number;
}

/** What the bump script returns. */
export interface BumpReply {
  readonly generation: number;
  readonly previousClock: number;
  readonly clock: number;
  readonly floor: number;
  readonly timeUs: number;
}

/** Reads a reply of ZRANGEBYSCORE … WITHSCORES: flat, or pairs where the client maps RESP3 types. */
export function toRegisterPage(reply: unknown): RegisterPage {
  const flat = (reply as unknown[]).flat() as (string | number)[];
  const records: [string, number][] = [];
  let generation: number | undefined;
  let clock = 0;
  let floor = 0;
  let lastClock = 0;
  for (let i = 0; i < flat.length; i += 2) {
    const member = String(flat[i]);
    lastClock = Number(flat[i + 1]);
    if (member.startsWith('!c:')) {
      generation = Number(member.slice(3));
      clock = lastClock;
    } else if (member === '!f') floor = Math.max(floor, lastClock);
    else if (member.startsWith('!F:')) floor = Math.max(floor, Number(member.slice(3)));
    else if (!member.startsWith('!')) records.push([member, lastClock]);
  }
  return { records, size: flat.length / 2, lastClock, generation, clock, floor };
}

/** Reads the reply of the bump script. */
export function toBumpReply(reply: unknown): BumpReply {
  const [generation = 0, previousClock = 0, clock = 0, floor = 0, timeUs = 0] = (reply as string[]).map(Number);
  return { generation, previousClock, clock, floor, timeUs };
}
