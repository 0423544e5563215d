import type { Request } from 'express';
import { randomInt } from 'node:crypto';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { RedisSessionStore, SessionManager } from '../../src/index.ts';
import { handleOf } from '../../src/session/handle.ts';
import { open, prepare, save, show } from '../../src/testing/session-steps.ts';

const STEPS = 14;

/** A process: its store and its manager. */
export interface Member {
  readonly store: RedisSessionStore;
  readonly sessions: SessionManager;
}

interface Limits {
  /** How many sessions a user may have. */
  readonly maxSessions?: number;
  /** Idle timeout in milliseconds: after the round everybody has gone. */
  readonly idleMs?: number;
}

/** A login as the model knows it. `unsure`: it met an end that may have come before or after it. */
interface Login {
  readonly id: string;
  readonly handle: string;
  state: 'under way' | 'live' | 'refused' | 'unsure' | 'ended';
  readonly written: string[];
}

/**
 * One user, many requests in random order on several processes: logins, changes, logouts, ends by handle, of all, of all but one. The model: what has ended stays ended; whom nobody has ended is there with everything
 * that was written; who is there is listed, at every moment. Resolves with what was otherwise.
 */
export async function runManagers(members: readonly Member[], rounds: number, limits: Limits = {}): Promise<string[]> {
  for (const { store } of members) slowDown(prepare(store, limits.idleMs));
  const wrong = await Promise.all(Array.from({ length: rounds }, (_, i) => runRound(members, `user ${i}`, limits)));
  return wrong.flat();
}

async function runRound(members: readonly Member[], userId: string, limits: Limits): Promise<string[]> {
  const logins: Login[] = [];
  const wrong: string[] = [];
  const anyone = (): Member => members[randomInt(members.length)] as Member;
  const live = (): Login | undefined => {
    const found = logins.filter(({ state }) => state === 'live');
    return found[randomInt(found.length + 1)];
  };

  async function logIn(): Promise<void> {
    const { store, sessions } = anyone();
    const req = { sessionStore: store, headers: {}, socket: {} } as unknown as Request;
    store.generate(req);
    const follow = followed(req, (id) => {
      const login: Login = { id, handle: handleOf(id), state: 'under way', written: [] };
      logins.push(login);
      return login;
    });
    const isIn = await sessions.login(req, userId).then(
      () => true,
      () => false,
    );
    const login = follow();
    if (login === undefined) return;
    if (!isIn) login.state = 'refused';
    else if (login.state === 'under way') login.state = 'live';
  }

  async function change(number: number): Promise<void> {
    const login = live();
    const { store } = anyone();
    const session = login && (await open(store, login.id));
    if (login === undefined || session === undefined) return;
    await pause();
    session[`p${number}`] = number;
    await save(store, session);
    login.written.push(`p${number}`);
  }

  async function endOne(): Promise<void> {
    const login = live();
    if (login === undefined) return;
    login.state = 'ended';
    await anyone().sessions.destroy(login.handle);
  }

  async function logOut(): Promise<void> {
    const login = live();
    const { store, sessions } = anyone();
    const session = login && (await open(store, login.id));
    if (login === undefined || session === undefined) return;
    login.state = 'ended';
    await sessions.logout((session as unknown as { req: Request }).req);
  }

  async function endAll(except?: Login): Promise<void> {
    const before = logins.filter(({ state }) => state === 'live');
    for (const login of before) if (login !== except) login.state = 'ended';
    let isDone = false;
    const met = markMet(() => isDone);
    await anyone().sessions.destroyAll(userId, except === undefined ? {} : { except: except.handle });
    isDone = true;
    await met;
  }

  /** Who logs in meanwhile may be ended or not. */
  async function markMet(isDone: () => boolean): Promise<void> {
    for (;;) {
      const isLast = isDone();
      for (const login of logins) if (login.state === 'under way') login.state = 'unsure';
      if (isLast) return;
      await turn();
    }
  }

  /** Whoever is there before and after the list was asked for is on it. */
  async function watch(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await turn();
      const { sessions } = anyone();
      const before = await liveHandles(sessions, logins);
      const listed = new Set((await sessions.list(userId)).map(({ handle }) => handle));
      const after = await liveHandles(sessions, logins);
      const missed = before.filter((handle) => after.includes(handle) && !listed.has(handle));
      if (missed.length > 0) wrong.push(`${userId}: the list misses ${missed.length}`);
    }
  }

  const changing = (): Promise<void> => change(randomInt(1_000));
  const endOthers = (): Promise<void> => endAll(live());
  const steps = [logIn, logIn, logIn, changing, changing, changing, endOne, logOut, () => endAll(), endOthers];
  let isOver = false;
  const watching = watch(() => isOver);
  await logIn();
  await Promise.all(
    Array.from({ length: STEPS }, async () => {
      await pause();
      await steps[randomInt(steps.length)]?.();
      await pause();
      await (randomInt(2) === 0 ? logIn() : changing());
    }),
  );
  isOver = true;
  await watching;
  return [...wrong, ...(await judge(members, userId, logins, limits))];
}

/** Saves take their time, so that everything else can come before them. */
function slowDown(store: RedisSessionStore): void {
  const set = store.set.bind(store);
  const slow: typeof store.set = (id, session, callback) => pause().then(() => set(id, session, callback));
  Object.assign(store, { set: slow });
}

/** Calls back with the first new id that a request gets; the function returned tells what came of it. */
function followed<T>(req: Request, found: (id: string) => T): () => T | undefined {
  const former = req.sessionID;
  let current = former;
  let outcome: T | undefined;
  Object.defineProperty(req, 'sessionID', {
    configurable: true,
    get: () => current,
    set(id: string | undefined) {
      current = id as string;
      if (outcome === undefined && id !== undefined && id !== former) outcome = found(id);
    },
  });
  return () => outcome;
}

async function judge(
  members: readonly Member[],
  userId: string,
  logins: readonly Login[],
  { maxSessions = Infinity, idleMs = Infinity }: Limits,
): Promise<string[]> {
  const wrong: string[] = [];
  const [first] = members as [Member];
  const late = Number.isFinite(idleMs) ? await holdThenExpire(members, logins, idleMs) : undefined;
  const isSure = maxSessions === Infinity && late === undefined;
  for (const { store, sessions } of members) {
    const there = await liveHandles(sessions, logins);
    const listed = (await sessions.list(userId)).map(({ handle }) => handle);
    if (String(there.toSorted()) !== String(listed.toSorted())) {
      wrong.push(`${userId}: there are ${there.length}, listed are ${listed.length}`);
    }
    if (there.length > (late === undefined ? maxSessions : 0)) wrong.push(`${userId}: there are ${there.length}`);
    for (const { state, handle, id, written } of logins) {
      const isThere = there.includes(handle);
      if (isThere && (state === 'ended' || state === 'refused')) wrong.push(`${userId}: ${state}, and there`);
      if (state !== 'live' || !isSure) continue;
      const found = isThere ? Object.keys((await show(store, id)) ?? {}) : [];
      if (!isThere || !written.every((name) => found.includes(name))) wrong.push(`${userId}: ${handle} lost something`);
    }
  }
  if ((await first.sessions.count(userId)) > maxSessions) wrong.push(`${userId}: too many`);
  return wrong;
}

/** Requests that have read sessions which expire before they save them. */
async function holdThenExpire(members: readonly Member[], logins: readonly Login[], idleMs: number): Promise<true> {
  const { store } = members[0] as Member;
  const held = await Promise.all(logins.map(({ id }) => open(store, id)));
  await sleep(idleMs + 100);
  await Promise.all(
    held.flatMap((session) => (session === undefined ? [] : [save(store, Object.assign(session, { late: true }))])),
  );
  return true;
}

async function liveHandles(sessions: SessionManager, logins: readonly Login[]): Promise<string[]> {
  const found = await Promise.all(logins.map(({ handle }) => sessions.get(handle)));
  return found.flatMap((info) => (info === undefined ? [] : [info.handle]));
}

async function pause(): Promise<void> {
  const kind = randomInt(3);
  if (kind === 1) await turn();
  if (kind === 2) await sleep(randomInt(8));
}
