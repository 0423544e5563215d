import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Request } from 'express';
import type { Session, SessionData, Store } from 'express-session';
import expressSession from 'express-session';

/** A session with any properties. */
export type AnySession = Session & SessionData & Record<string, unknown>;

/** Sessions that have a `maxAge` of a minute. */
const MAX_AGE_MS = 60_000;

export function newId(): string {
  return randomBytes(24).toString('base64url');
}

/** What express-session does to a store when it is created: it gives it `generate`. */
export function prepare<Kind extends Store>(store: Kind, maxAge: number = MAX_AGE_MS): Kind {
  expressSession({
    store,
    secret: 'the contract signs nothing at all',
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge },
  });
  return store;
}

/** A request's new session with some properties, saved. */
export async function create(store: Store, properties: object = {}): Promise<string> {
  const req = requestFor(store);
  generate(store, req);
  Object.assign(req.session, properties);
  await save(store, req.session as AnySession);
  return req.sessionID;
}

/** A request that has loaded a session, as express-session does; `undefined` when there is none. */
export async function open(store: Store, id: string): Promise<AnySession | undefined> {
  const data = await get(store, id);
  if (data === undefined) return undefined;
  const req = requestFor(store);
  req.sessionID = id;
  return store.createSession(req, data) as AnySession;
}

/** {@link open} of a session that is there. */
export async function openKnown(store: Store, id: string): Promise<AnySession> {
  const session = await open(store, id);
  assert.ok(session !== undefined, 'there is no such session');
  return session;
}

export async function get(store: Store, id: string): Promise<SessionData | undefined> {
  const data = await call<SessionData | null>((done) => store.get(id, done));
  return data ?? undefined;
}

export function save(store: Store, session: AnySession): Promise<unknown> {
  return call((done) => store.set(session.id, session, done));
}

/** What express-session does at the end of a request that has changed nothing. */
export function touch(store: Store, session: AnySession): Promise<unknown> {
  session.touch();
  return call((done) => store.touch?.(session.id, session, done));
}

export function destroy(store: Store, id: string): Promise<unknown> {
  return call((done) => store.destroy(id, done));
}

/** Properties of a stored session, without its cookie. */
export async function show(store: Store, id: string): Promise<object | undefined> {
  const data = await get(store, id);
  if (data === undefined) return undefined;
  const { cookie: _cookie, ...properties } = data;
  return properties;
}

function requestFor(store: Store): Request {
  return { sessionStore: store, headers: {}, socket: {}, connection: {} } as unknown as Request;
}

function generate(store: Store, req: Request): void {
  (store as unknown as { generate(req: Request): void }).generate(req);
}

/** Has a session of a request regenerated; resolves with the new id. */
export async function regenerate(session: AnySession): Promise<string> {
  await call((done) => session.regenerate(done));
  const { req } = session as unknown as { req: Request };
  return req.sessionID;
}

/** Waits for a callback, and fails when it is called twice. */
export function call<T = unknown>(
  run: (done: (error?: unknown, value?: T) => void) => unknown,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    let calls = 0;
    run((error, value) => {
      calls++;
      assert.equal(calls, 1, 'the callback was called twice');
      if (error === undefined || error === null) resolve(value);
      else reject(error);
    });
  });
}
