import type { Request } from 'express';
import type { Session } from 'express-session';
import type { OutgoingHttpHeaders } from 'node:http';
import { hasUsedSession, markSessionUsed } from '../core/request-marks.ts';
import { holdResponse } from '../http/hold-response.ts';
import { toFailure } from './failure.ts';
import type { SessionExchange } from './exchange.ts';
import { addPrivacy, sendCookie } from './response-headers.ts';
import type { SessionChange } from './session-data.ts';
import { peekSession } from './watch-use.ts';

/**
 * Saves the session before the response's headers leave. A save that fails takes the response's place as an error; where a response streams already, its connection is cut, so that no
 * client takes it for whole.
 */
export function commitSession(exchange: SessionExchange): void {
  const { res } = exchange;
  const headers = res.getHeaders();
  let saving: Promise<unknown> | undefined;
  holdResponse(
    res,
    () => (saving = beforeHead(exchange)),
    (error) => {
      mayEndAgain();
      fail(exchange, headers, error);
    },
  );
  const mayEndAgain = holdEnd(exchange, () => saving);
}

function beforeHead(exchange: SessionExchange): Promise<unknown> | undefined {
  const { req, res, sent, store } = exchange;
  let saving: Promise<unknown> | undefined;
  try {
    saving = save(exchange);
    const session = peekSession(req);
    const isSaved = saving !== undefined && session !== undefined;
    const hasCookie = sendCookie(exchange, session, isSaved) || isSaved;
    if (hasCookie && req.sessionID !== sent?.id) markSessionUsed(req);
    if (hasCookie || hasUsedSession(req)) addPrivacy(res, hasCookie);
    // Nobody waits for it, and when it fails the next request does it.
    if (saving === undefined && session !== undefined) store.touchBehind(session);
    return saving;
  } catch (error) {
    saving?.catch(ignore);
    return Promise.reject(error); // A value without JSON form, an attribute that no cookie can have.
  }
}

/** Saves what has to be saved; `undefined` when that is nothing. */
function save(exchange: SessionExchange): Promise<unknown> | undefined {
  const { req, store } = exchange;
  const session = peekSession(req);
  if (session === undefined) return endOf(exchange);
  // Nobody can have changed what nobody has asked for.
  if (store.baseOf(session) !== undefined && !hasUsedSession(req)) return undefined;
  if (isNameless(exchange, session)) return undefined;
  repair(exchange, session);
  const change = store.changeOf(session);
  if (!isDirty(exchange, session, change)) return undefined;
  if (store.isBlank(session)) store.adopt(req);
  return store.commit(session, change);
}

/** The request has no session any more. That it was destroyed is waited for, whether the handler has waited or not. */
function endOf({ req, store, options }: SessionExchange): Promise<unknown> | undefined {
  const { sessionID } = req as Partial<Request>;
  if (typeof sessionID !== 'string') return undefined;
  const ending = store.ends.take(sessionID);
  if (ending === undefined && options.unset !== 'destroy') return undefined;
  (req as { sessionID?: string | undefined }).sessionID = undefined; // Once.
  return ending ?? store.destroy(sessionID);
}

/** Somebody has put something else in place of the session's id. */
function isNameless({ req, store }: SessionExchange, session: Session): boolean {
  return typeof req.sessionID !== 'string' && !store.isBlank(session) && !store.isDetached(session);
}

const METHODS = ['touch', 'resetMaxAge', 'save', 'reload', 'regenerate', 'destroy'] as const;

/** What a handler has put over the session's own methods and cookie is dropped: express-session would not load it again either, and cannot do without them. */
function repair({ req, store, cookie }: SessionExchange, given: Session): void {
  const session = given as unknown as Record<string, unknown>;
  for (const name of METHODS) if (typeof session[name] !== 'function') delete session[name];
  if (typeof session['save'] !== 'function') {
    throw new TypeError('req.session was replaced by something that is no session. Change its properties instead.');
  }
  if (typeof session['cookie'] === 'object' && session['cookie'] !== null && 'data' in session['cookie']) return;
  const text = store.baseOf(session)?.record.fields.get('cookie');
  const former = text === undefined ? cookie.attributes(req) : (JSON.parse(text) as object);
  const donor = { sessionID: req.sessionID } as unknown as typeof req;
  session['cookie'] = store.createSession(donor, { cookie: { ...former } } as never).cookie;
}

/** Whether the session holds something that is not saved. A new one has at least its cookie. */
function isDirty(exchange: SessionExchange, session: Session, { changed, removed }: SessionChange): boolean {
  const { store, options, req } = exchange;
  if (store.baseOf(session)?.ref.id === session.id) return changed.length + removed.length > 0;
  if (changed.length > 1 || store.isDetached(session) || store.isBlank(session)) return changed.length > 1;
  return options.saveUninitialized === true || store.isRegenerated(req);
}

/** The save failed and nothing has left yet: the error handlers of the application answer. Also where one of them sets no status it is no success. */
function fail(exchange: SessionExchange, before: OutgoingHttpHeaders, error: unknown): void {
  const { res, next } = exchange;
  const { sendDate } = res;
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  for (const [name, value] of Object.entries(before)) if (value !== undefined) res.setHeader(name, value);
  const reason = toFailure(error, 'The session could not be saved.');
  const { status } = reason as { status?: unknown };
  Object.assign(res, { sendDate, statusCode: typeof status === 'number' ? status : 500, statusMessage: undefined });
  detach(exchange, reason);
  addPrivacy(res, true);
  next(reason);
}

/** What follows has an empty session, which cannot be saved. */
function detach({ req, store }: SessionExchange, reason: unknown): void {
  try {
    store.detach(req, reason, req.sessionID);
  } catch {
    delete (req as { session?: unknown }).session; // The application's own functions made none.
  }
}

/**
 * A session that is changed while its response streams is saved before the end of the response leaves; if that fails the connection is cut. A response ends once, as in express-session; returns what
 * lets another one end in its place.
 */
function holdEnd(exchange: SessionExchange, savingOf: () => Promise<unknown> | undefined): () => void {
  const { res } = exchange;
  const { end } = res;
  let hasEnded = false;

  /** After what is being saved already. When that fails another response takes the place of this one, and there is nothing to end. */
  function saveRest(): Promise<boolean> | undefined {
    const saving = savingOf();
    if (saving === undefined) return saveNow(exchange)?.then(() => true);
    return saving.then(
      async () => {
        await saveNow(exchange);
        return true;
      },
      () => false,
    );
  }

  // Not `res.end = function ...`: functions that are assigned to a property right away V8 takes for methods of something long-lived, and all that this one holds would be kept for long.
  Object.assign(res, {
    end(...args: Parameters<typeof end>) {
      if (hasEnded) return res;
      hasEnded = true;
      const saving = res.headersSent ? saveRest() : undefined;
      if (saving === undefined) return end.apply(res, args);
      saving.then(
        (mayEnd) => mayEnd && end.apply(res, args),
        (error: unknown) => cut(exchange, error),
      );
      return res;
    },
  });
  return () => {
    hasEnded = false;
  };
}

function saveNow(exchange: SessionExchange): Promise<unknown> | undefined {
  try {
    return save(exchange);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The response has told its status: that it is not whole is all that can still be said. */
function cut(exchange: SessionExchange, error: unknown): void {
  const { req, res } = exchange;
  detach(exchange, error);
  // Over HTTP/2 a stream that is closed without an error is no failure to its client.
  res.destroy(req.httpVersionMajor > 1 ? new Error('The session could not be saved.', { cause: error }) : undefined);
}

function ignore(): void {
  // The response fails for another reason.
}
