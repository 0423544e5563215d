import type { Request } from 'express';
import type { SessionData } from 'express-session';
import { SessionRevokedError, SessionUnavailableError, TooManySessionsError } from '../core/errors.ts';
import { inBatches } from '../core/in-batches.ts';
import type { Stamp } from '../register/mirror.ts';
import { toRecordText } from '../register/records.ts';
import type { SessionEngine } from './engine.ts';
import { toFailure } from './failure.ts';
import { refOf } from './handle.ts';
import type { SessionRecords } from './records.ts';
import { RedisSessionStore } from './store.ts';
import { spell } from './user-index.ts';

const MAX_USER_AGENT = 256;
const AWAY = 'Nobody can be logged in while Redis is away.';
/** A login takes less: the session of a younger entry may not have been created yet. */
const LOGIN_MS = 60_000;

/**
 * Ends the request's session and begins one for a user, under a new id. In this order: what revokes it is known from the beginning on, the index has it before it exists, and when it exists
 * it is asked once more whether it was revoked meanwhile.
 */
export async function logIn(
  engine: SessionEngine,
  req: Request,
  userId: string,
  data: Partial<SessionData>,
): Promise<void> {
  if (typeof userId !== 'string' || userId === '')
    throw new TypeError('login: userId must be a string, and not empty.');
  const store = storeOf(req);
  const stamp = await freshStamp(engine);
  await regenerate(req);
  try {
    const entry = await enter(engine, req, userId);
    const login = { userId, at: Math.round(engine.records.now()), ...deviceOf(req), entry, ...stamp };
    Object.assign(req.session, data, { suiteLogin: login });
    await save(req);
    const [isRevoked, isEvicted] = await Promise.all([
      wasRevoked(engine, userId, stamp),
      wasEvicted(engine, userId, entry),
    ]);
    if (isRevoked || isEvicted) await engine.end(refOf(req.sessionID));
    if (isRevoked) throw new SessionRevokedError();
  } catch (error) {
    store.begin(req); // Nothing of it may be saved with the response.
    throw toFailure(error, AWAY);
  }
}

/** The store behind the request's session. */
export function storeOf(req: Request): RedisSessionStore {
  const { session } = req as { session?: unknown };
  if (typeof session !== 'object' || session === null) throw noSession();
  return storeBehind(req);
}

/** The store of a request whose session may be gone already. */
export function storeBehind(req: Request): RedisSessionStore {
  const { sessionStore } = req as Partial<Request>;
  if (sessionStore instanceof RedisSessionStore) return sessionStore;
  throw noSession();
}

function noSession(): TypeError {
  return new TypeError('This request has no session: put suite.session() before this handler, and do not skip it.');
}

async function freshStamp({ register }: SessionEngine): Promise<Stamp> {
  const stamp = (await register.refresh()) ? register.stamp() : undefined;
  if (stamp === undefined) throw new SessionUnavailableError(AWAY);
  return stamp;
}

/** Whether all sessions of a user were ended since then. */
export async function wasRevoked({ register }: SessionEngine, userId: string, stamp: Stamp): Promise<boolean> {
  const user = toRecordText(userId);
  if (!(await register.refresh())) return true; // Not known: better logged in again than not logged out.
  return register.judge(stamp, () => ({ key: '', tags: [], user })) === 'dead';
}

/** Whether as many logins as are allowed came after this one, which could not end a session that was not created yet. It has lasted as long as it would have. */
async function wasEvicted({ index, config }: SessionEngine, userId: string, own: string): Promise<boolean> {
  if (config.maxSessions === Infinity || config.onMaxSessions === 'reject') return false;
  const entries = await index.list(userId);
  const place = entries.findIndex(({ entry }) => entry === own);
  return place >= 0 && entries.length - place > config.maxSessions;
}

function regenerate(req: Request): Promise<void> {
  return new Promise((resolve, reject) => {
    req.session.regenerate((error: unknown) => (error ? reject(toFailure(error, AWAY)) : resolve()));
  });
}

function save(req: Request): Promise<void> {
  return new Promise((resolve, reject) => {
    req.session.save((error: unknown) => (error ? reject(error) : resolve()));
  });
}

function deviceOf(req: Request): { ip?: string; userAgent?: string } {
  const userAgent = req.headers['user-agent']?.slice(0, MAX_USER_AGENT);
  return { ...(req.ip !== undefined && { ip: req.ip }), ...(userAgent !== undefined && { userAgent }) };
}

/** Enters the session that is about to be created, and keeps the user within the limit. */
async function enter(engine: SessionEngine, req: Request, userId: string): Promise<string> {
  const { index, config, records } = engine;
  const session = spell(refOf(req.sessionID), config.format);
  const untilMs = engine.indexUntil(req.session, records.now());
  const { entry, count } = await index.enter(userId, { session, untilMs });
  if (count > config.maxSessions) await keepLimit(engine, userId, entry);
  return entry;
}

async function keepLimit(engine: SessionEngine, userId: string, own: string): Promise<void> {
  const { index, config } = engine;
  const live = await liveEntries(engine, userId);
  const place = live.findIndex(({ entry }) => entry === own);
  if (config.onMaxSessions === 'reject') {
    if (place < config.maxSessions) return;
    await index.leave(userId, [own]);
    throw new TooManySessionsError(config.maxSessions);
  }
  const excess = live.slice(0, Math.max(0, live.length - config.maxSessions)).filter(({ entry }) => entry !== own);
  const ended = await inBatches(excess, ({ ref }) => engine.end(ref));
  // One that is not created yet stays: its login finds out itself.
  await index.leave(
    userId,
    excess.filter((_entry, i) => ended[i]).map(({ entry }) => entry),
  );
}

/** Entries whose session exists, or may be about to; the others leave. */
async function liveEntries({ index, records }: SessionEngine, userId: string): ReturnType<typeof index.list> {
  const entries = await index.list(userId);
  const isLive = async ({ ref, loginAt }: (typeof entries)[number]): Promise<boolean> =>
    mayBeUnderWay(records, loginAt) || records.exists(ref);
  const areLive = await inBatches(entries, isLive);
  await index.leave(
    userId,
    entries.filter((_entry, i) => areLive[i] === false).map(({ entry }) => entry),
  );
  return entries.filter((_entry, i) => areLive[i]);
}

/** Whether the session of an entry may not have been created yet. Then the entry stays, or the session would be on no list when it is. */
export function mayBeUnderWay(records: SessionRecords, loginAt: number): boolean {
  return loginAt > (records.now() - LOGIN_MS) * 1_000;
}
