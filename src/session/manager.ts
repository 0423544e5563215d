import type { Request } from 'express';
import type { SessionData } from 'express-session';
import type { IncomingMessage } from 'node:http';
import { inBatches } from '../core/in-batches.ts';
import { toRecordText } from '../register/records.ts';
import { loginOf, type SessionEngine } from './engine.ts';
import { exempt } from './exempt.ts';
import { toFailure } from './failure.ts';
import { isHandle, refOf } from './handle.ts';
import { logIn, mayBeUnderWay, storeBehind, storeOf } from './login.ts';
import type { SessionRef } from './records.ts';
import type { SessionState } from './state.ts';
import { RedisSessionStore } from './store.ts';

/** A session as a list of devices shows it. */
export interface SessionInfo {
  /** Names the session without giving access to it: for links such as "log out this device". */
  readonly handle: string;
  readonly userId: string | undefined;
  readonly createdAt: Date;
  /** To within a minute: it is not written at every request. */
  readonly lastSeenAt: Date;
  readonly ip: string | undefined;
  readonly userAgent: string | undefined;
  /** Whether it is the session of the request that asks. */
  readonly current: boolean;
}

/** A session read outside of Express' chain: of a WebSocket's upgrade request, or Socket.IO's `socket.request`. */
export interface RequestSession extends SessionInfo {
  /** Its properties. Changing them changes nothing. */
  readonly data: Readonly<SessionData>;
  /**
   * Calls back once when the session has ended, by whomever and in whichever process: at once as a rule, within ten seconds and a round trip at the latest while Redis answers. Returns what ends the watch: call it when the
   * socket closes.
   */
  onEnd(callback: () => void): () => void;
}

/** Sessions by user: who is where logged in, and ends. Everything rejects with a RedisError or a SessionUnavailableError when Redis did not confirm it. */
export interface SessionManager {
  /** One session by handle. */
  get(handle: string): Promise<SessionInfo | undefined>;
  /**
   * Logs a user in: ends the request's session, begins one with a new id and `data`, and saves it. Requests with the old id that are still under way save nothing.
   *
   * @throws {TypeError} When `userId` is no text, or empty.
   * @throws {SessionUnavailableError} When Redis did not confirm it: nobody is logged in.
   * @throws {TooManySessionsError} With `onMaxSessions: 'reject'`.
   * @throws {SessionRevokedError} When all sessions of the user were ended meanwhile.
   */
  login(req: Request, userId: string, data?: Partial<SessionData>): Promise<void>;
  /**
   * Ends the request's session. What follows has an empty one.
   *
   * @throws {SessionUnavailableError} When Redis did not confirm it: the session may go on.
   */
  logout(req: Request): Promise<void>;
  /** Ends all other sessions of the request's user. Resolves with how many. */
  logoutOthers(req: Request): Promise<number>;
  /** The sessions of a user, oldest login first. `current`: the request that asks. */
  list(userId: string, options?: { readonly current?: Request }): Promise<SessionInfo[]>;
  /** Ends a session. Resolves false when there was none. */
  destroy(handle: string): Promise<boolean>;
  /** Ends all sessions of a user, those that are being created included, but those excepted. Resolves with how many there were. */
  destroyAll(userId: string, options?: { readonly except?: string | readonly string[] | Request }): Promise<number>;
  /** How many sessions a user has. */
  count(userId: string): Promise<number>;
  /** The session that a request's cookie names, if it is valid. Needs the `secret`. */
  fromRequest(req: Pick<IncomingMessage, 'headers'>): Promise<RequestSession | undefined>;
}

/** Creates the manager of a place's sessions; `stateOf` is asked at the first use. */
export function createManager(stateOf: () => SessionState): SessionManager {
  async function infoOf(
    ref: SessionRef,
    currentHandle?: string,
  ): Promise<(SessionInfo & { data: SessionData }) | undefined> {
    const found = await stateOf().engine.load(ref);
    if (found === undefined) return undefined;
    const login = loginOf(found.data);
    const { createdAt, touchedAt } = found.record;
    return {
      handle: ref.handle,
      userId: login?.userId,
      createdAt: new Date(createdAt),
      lastSeenAt: new Date(Math.max(touchedAt, createdAt)),
      ip: login?.ip,
      userAgent: login?.userAgent,
      current: ref.handle === currentHandle,
      data: found.data,
    };
  }

  async function listed(userId: string, currentHandle?: string): Promise<SessionInfo[]> {
    const entries = await stateOf().engine.index.list(userId);
    const found = await inBatches(entries, ({ ref }) => infoOf(ref, currentHandle));
    return found.flatMap((info) => (info?.userId === userId ? [withoutData(info)] : []));
  }

  async function destroyAll(userId: string, excepted: Excepted): Promise<number> {
    const { engine } = stateOf();
    const { index, register, events, config } = engine;
    const kept = config.revocation === 'strict' ? await located(engine, userId, excepted) : [];
    const exemptions = await Promise.all(kept.map((ref) => exempt(engine, ref, userId)));
    // Logins under way find the record, or are found in the index.
    const stamp = await register.invalidate([{ mode: 'hard', kind: 'user', value: toRecordText(userId) }]);
    const doomed = (await index.list(userId)).filter(({ ref }) => !excepted.has(ref.handle));
    const ended = await inBatches(doomed, ({ ref }) => engine.end(ref));
    const left = doomed.filter(({ loginAt }, i) => ended[i] === true || !mayBeUnderWay(engine.records, loginAt));
    await index.leave(
      userId,
      left.map(({ entry }) => entry),
    );
    await Promise.all(exemptions.flatMap((settle) => settle?.(stamp) ?? []));
    const count = ended.filter(Boolean).length;
    events.tell('session:revoked', { userId, count });
    return count;
  }

  return {
    async get(handle) {
      if (!isHandle(handle)) return undefined;
      const info = await infoOf({ handle });
      return info && withoutData(info);
    },
    login: (req, userId, data = {}) => logIn(stateOf().engine, req, userId, data),
    async logout(req) {
      const store = storeBehind(req);
      const id = store.idOf(req);
      try {
        if (id !== undefined) await stateOf().engine.end(refOf(id));
      } catch (error) {
        throw toFailure(error, 'Nobody can be logged out while Redis is away.');
      }
      store.begin(req);
    },
    async logoutOthers(req) {
      storeOf(req).checkAttached(req.session);
      const login = loginOf(req.session);
      return login === undefined ? 0 : destroyAll(login.userId, toExcepted(req));
    },
    async list(userId, { current } = {}) {
      const { sessionStore: store } = (current ?? {}) as Partial<Request>;
      const isOurs = current !== undefined && store instanceof RedisSessionStore;
      return listed(userId, isOurs ? refOfRequest(current, store)?.handle : undefined);
    },
    async destroy(handle) {
      if (!isHandle(handle)) return false;
      return stateOf().engine.end({ handle });
    },
    destroyAll: async (userId, { except = [] } = {}) => destroyAll(userId, toExcepted(except)),
    count: async (userId) => (await listed(userId)).length,
    async fromRequest(req) {
      const { cookie, watch } = stateOf();
      const sent = cookie().read(req);
      if (sent === undefined) return undefined;
      const ref = refOf(sent.id);
      const info = await infoOf(ref, ref.handle);
      return info && { ...info, onEnd: (callback) => watch.onEnd(ref, callback) };
    },
  };
}

function withoutData({ data: _data, ...info }: SessionInfo & { readonly data: SessionData }): SessionInfo {
  return info;
}

/** Where sessions are to be found. In connect-redis' format that is by id, which the index has. */
async function located({ config, index }: SessionEngine, userId: string, refs: Excepted): Promise<SessionRef[]> {
  const entries = config.migrate && refs.size > 0 ? await index.list(userId) : [];
  const known = new Map(entries.map(({ ref }) => [ref.handle, ref]));
  return [...refs.values()].map((ref) => known.get(ref.handle) ?? ref);
}

/** By handle. */
type Excepted = ReadonlyMap<string, SessionRef>;

function toExcepted(except: string | readonly string[] | Request): Excepted {
  const isRequest = typeof except === 'object' && 'headers' in except;
  const refs = isRequest ? [refOfRequest(except, storeBehind(except))] : [except].flat().map((handle) => ({ handle }));
  return new Map(refs.flatMap((ref) => (ref === undefined ? [] : [[ref.handle, ref] as const])));
}

function refOfRequest(req: Request, store: RedisSessionStore): SessionRef | undefined {
  const id = store.idOf(req);
  return id === undefined ? undefined : refOf(id);
}
