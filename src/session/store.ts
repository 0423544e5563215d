import { RedisStore } from 'connect-redis';
import type { Request } from 'express';
import type { Session, SessionData } from 'express-session';
import { endAll, nameOf, type NamedSession, readAll, refsOfAll } from './all-sessions.ts';
import { createEnds } from './ends.ts';
import type { LoadedSession, SessionEngine } from './engine.ts';
import { refOf } from './handle.ts';
import { changeOf, cookieChangeOf, type SessionChange } from './session-data.ts';

type Callback<T = void> = (error?: unknown, value?: T) => unknown;

/**
 * A store for express-session, in place of connect-redis' RedisStore: what has ended does not come back, and of two requests that change different properties neither loses.
 * Methods take a callback or return a promise.
 */
export class RedisSessionStore extends RedisStore {
  /** Gives a request a new session: set by the middleware that uses this store. */
  declare generate: Request['sessionStore']['generate'];
  #generateAs: (req: Request, id?: string) => void = (req) => this.generate(req);
  readonly #engine: SessionEngine;
  /** What a session object was read or written as, to tell what was changed. */
  readonly #bases = new WeakMap<object, LoadedSession>();
  /** Sessions of requests that Redis could not be asked for. They are never saved. */
  readonly #detached = new WeakMap<object, unknown>();
  readonly #blank = new WeakSet<object>();
  readonly #regenerated = new WeakSet<object>();
  /** One save of a session object at a time: the second one has to know what the first has written. */
  readonly #saving = new WeakMap<object, Promise<void>>();
  /** @internal */
  readonly ends = createEnds();

  constructor(engine: SessionEngine, prefix: string) {
    // The base class does no I/O here that is overridden below, and never gets to see the connection.
    super({ client: {}, prefix, ttl: Math.ceil(engine.config.idleMs / 1_000) });
    this.#engine = engine;
  }

  /** Finds a session; `null` when there is none. */
  override get(id: string, callback?: Callback<SessionData | null>): Promise<SessionData | null> {
    return answer(this.#load(id), callback);
  }

  async #load(id: string): Promise<SessionData | null> {
    const found = await this.#engine.load(refOf(id));
    if (found === undefined) return null;
    this.#bases.set(found.data, found);
    return found.data;
  }

  /** Saves a session: what changed, when it comes from this store; whole, when it does not. One that has ended meanwhile stays ended. */
  override set(id: string, session: SessionData, callback?: Callback): Promise<void> {
    return answer(this.#save(id, session), callback);
  }

  #save(id: string, session: object, change?: SessionChange): Promise<void> {
    const former = this.#saving.get(session);
    const write = (): Promise<void> => this.#write(id, session, former === undefined ? change : undefined);
    const saving = (former === undefined ? write() : former.then(write, write)).finally(() => {
      if (this.#saving.get(session) === saving) this.#saving.delete(session);
    });
    this.#saving.set(session, saving);
    return saving;
  }

  async #write(id: string, session: object, change: SessionChange | undefined): Promise<void> {
    this.checkAttached(session);
    const base = this.#bases.get(session);
    const own = base?.ref.id === id ? base : undefined;
    const saved = await this.#engine.save(own?.ref ?? refOf(id), session, own, change);
    if (saved !== undefined) this.#bases.set(session, saved);
  }

  /** Begins a session's idle timeout anew, when it is time for that, without keeping anybody waiting. */
  override touch(id: string, session: SessionData, callback?: Callback): Promise<void> {
    return answer(this.#touch(id, session), callback);
  }

  async #touch(id: string, session: SessionData): Promise<void> {
    const known = this.#bases.get(session) ?? (await this.#engine.load(refOf(id)));
    if (known === undefined) return;
    const change = cookieChangeOf(session, known.record.fields);
    const touched =
      change === undefined
        ? await this.#engine.touch(known, session)
        : await this.#engine.save(known.ref, session, known, change);
    if (touched !== undefined) this.#bases.set(session, touched);
  }

  /** Ends a session. */
  override destroy(id: string, callback?: Callback): Promise<void> {
    const ending = this.#engine.end(refOf(id)).then(() => undefined);
    this.ends.add(id, ending, callback === undefined);
    return answer(ending, callback);
  }

  /** Ends every session there is. */
  override clear(callback?: Callback): Promise<void> {
    return answer(endAll(this.#engine), callback);
  }

  /** How many sessions there are. */
  override length(callback?: Callback<number>): Promise<number> {
    return answer(
      refsOfAll(this.#engine).then((refs) => refs.size),
      callback,
    );
  }

  /** Names all sessions: by handle, since ids are not kept; by id in the connect-redis format. */
  override ids(callback?: Callback<string[]>): Promise<string[]> {
    return answer(
      refsOfAll(this.#engine).then((refs) => [...refs.values()].map(nameOf)),
      callback,
    );
  }

  /** All sessions, each with its name as `id`. They are all in memory at once: for small numbers, and tools. */
  override all(callback?: Callback<NamedSession[]>): Promise<NamedSession[]> {
    return answer(readAll(this.#engine), callback);
  }

  /** The hook that tells a session that was loaded from a new one. */
  override createSession(req: Request, data: SessionData): Session & SessionData {
    const base = this.#bases.get(data);
    const session = super.createSession(req, data);
    if (base !== undefined) this.#bases.set(session, base);
    return session;
  }

  /** Ends the request's session, and begins another under another id. When the first cannot be ended the request keeps it. */
  override regenerate(req: Request, callback: Callback): void {
    const { session } = req as { session?: object };
    const ended = async (): Promise<void> => {
      if (session !== undefined) this.checkAttached(session);
      if (typeof req.sessionID === 'string') await this.#engine.end(refOf(req.sessionID));
      this.generate(req);
    };
    void answer(ended(), callback);
  }

  /** @internal Sets how new sessions are made, where express-session itself sets it. */
  generateWith(generate: (req: Request, id?: string) => void): void {
    this.#generateAs = generate;
    this.generate = (req) => {
      generate(req as Request);
      this.#regenerated.add(req);
    };
  }

  /** @internal Gives a request the session with an id, or a new one under another id when there is none. */
  async open(req: Request, id: string): Promise<void> {
    const found = await this.#engine.load(refOf(id));
    if (found === undefined) {
      this.#generateAs(req);
    } else if (isObject(found.data.cookie)) {
      req.sessionID = id;
      this.#bases.set(super.createSession(req, found.data), found);
    } else {
      this.begin(req); // Something else was stored: express-session cannot make a session of it.
    }
  }

  /** @internal Gives a request a session that is saved only when something is put into it. */
  begin(req: Request): void {
    this.generate(req);
    this.#blank.add(req.session);
    // Until then there is no session that anything else could be done with.
    (req as { sessionID?: string | undefined }).sessionID = undefined;
  }

  /** @internal */
  isBlank(session: object): boolean {
    return this.#blank.has(session);
  }

  /** @internal Something was put into it. */
  adopt(req: Request): void {
    this.#blank.delete(req.session);
    req.sessionID = req.session.id;
  }

  /** @internal Gives a request an empty session that is never saved: saving it fails with `reason`. Ending it ends the one with the id that is given, which the client still has. */
  detach(req: Request, reason: unknown, id?: string): void {
    this.#generateAs(req, id);
    this.#detached.set(req.session, reason);
    (req as { sessionID?: string | undefined }).sessionID = undefined;
  }

  /** @internal The id of the session that a request's client has. */
  idOf(req: Partial<Request>): string | undefined {
    const { sessionID, session } = req;
    if (typeof sessionID === 'string') return sessionID;
    return typeof session === 'object' && this.#detached.has(session) ? session.id : undefined;
  }

  /** @internal Throws why the request's session could not be read. */
  checkAttached(session: object): void {
    if (this.#detached.has(session)) throw this.#detached.get(session);
  }

  /** @internal {@link touch}, when it is time for that, while nobody waits. */
  touchBehind(session: object): void {
    const base = this.#bases.get(session);
    if (base === undefined || this.#detached.has(session) || !this.#engine.isTouchDue(base, session)) return;
    this.#bases.set(session, { ...base, record: { ...base.record, touchedAt: this.#engine.records.now() } });
    this.#engine.touch(base, session).catch(() => undefined); // The guard has told of it.
  }

  /** @internal What the session was when it was last read or written. */
  baseOf(session: object): LoadedSession | undefined {
    return this.#bases.get(session);
  }

  /** @internal What was done to a session since then. */
  changeOf(session: object): SessionChange {
    return changeOf(session, this.#bases.get(session)?.record.fields);
  }

  /** @internal Saves a change that was just found. */
  commit(session: Session, change: SessionChange): Promise<void> {
    return this.#save(session.id, session, change);
  }

  /** @internal The request's session was asked for as a new one, and is saved even when it is empty. */
  isRegenerated(req: Request): boolean {
    return this.#regenerated.has(req);
  }

  /** @internal */
  isDetached(session: object): boolean {
    return this.#detached.has(session);
  }
}

function ignore(): void {
  // Whoever waits for it is told.
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** Calls back exactly once, outside of the promise, so that what the callback throws is no rejection of ours. */
function answer<T>(work: Promise<T>, callback: Callback<T> | undefined): Promise<T> {
  if (callback === undefined) {
    work.catch(ignore); // Whoever does not wait does not want to know, which is no reason to end the process.
    return work;
  }
  const told = work.then(
    (value) => {
      process.nextTick(callback, null, value);
      return value;
    },
    (error: unknown) => {
      process.nextTick(callback, error);
      return undefined as T;
    },
  );
  return told;
}
