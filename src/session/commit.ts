import type { OutgoingHttpHeaders } from 'node:http';
import { hasUsedSession, markSessionUsed } from '../core/request-marks.ts';
import { holdResponse } from '../http/hold-response.ts';
import type { LoadedSession } from './engine.ts';
import { toFailure } from './failure.ts';
import type { SessionExchange } from './exchange.ts';
import { addPrivacy, renewCookie } from './response-headers.ts';
import { compare, toFields } from './session-data.ts';
import { unwatched } from './watch-use.ts';

/**
 * Saves the session before the response's headers leave. A save that fails takes the response's place as an error; where a response streams already, its connection is cut, so that no
 * client takes it for whole.
 */
export function commitSession(exchange: SessionExchange): void {
  const { req, res } = exchange;
  const headers = res.getHeaders();
  let saving: Promise<unknown> | undefined;
  hideInternalUse(exchange);
  holdResponse(
    res,
    () => (saving = unwatched(req, () => beforeHead(exchange))),
    (error) => fail(exchange, headers, error),
  );
  holdEnd(exchange, () => saving);
}

/** express-session asks for the session when headers leave and when the response ends: not the handler's doing. */
function hideInternalUse({ req, res }: SessionExchange): void {
  const { writeHead, end } = res;
  Object.assign(res, {
    writeHead: (...args: Parameters<typeof writeHead>) => unwatched(req, () => writeHead.apply(res, args)),
    end: (...args: Parameters<typeof end>) => unwatched(req, () => end.apply(res, args)),
  });
}

function beforeHead(exchange: SessionExchange): Promise<unknown> | undefined {
  const { req, res, sent } = exchange;
  const saving = save(exchange);
  const renewed = renewCookie(exchange);
  const mayHaveCookie = renewed || (saving !== undefined && hasSession(req));
  if (mayHaveCookie && req.sessionID !== sent()?.id) markSessionUsed(req);
  if (mayHaveCookie || hasUsedSession(req)) addPrivacy(res, mayHaveCookie);
  if (saving === undefined) touchBehind(exchange);
  return saving;
}

/** Nobody waits for it, and when it fails the next request does it. */
function touchBehind({ req, store }: SessionExchange): void {
  if (hasSession(req)) store.touchBehind(req.session);
}

/** Saves what has to be saved; `undefined` when that is nothing. */
function save(exchange: SessionExchange): Promise<unknown> | undefined {
  const { req, store, options } = exchange;
  try {
    if (!hasSession(req)) {
      const { sessionID } = req as { sessionID?: string };
      if (options.unset !== 'destroy' || sessionID === undefined) return undefined;
      (req as { sessionID?: string | undefined }).sessionID = undefined; // express-session would destroy it once more.
      return store.destroy(sessionID);
    }
    repair(exchange);
    if (!isDirty(exchange)) return undefined;
    if (store.isBlank(req.session)) store.adopt(req);
    return new Promise((resolve, reject) => {
      // Through express-session, which notes that it was saved.
      req.session.save((error: unknown) => {
        if (error === undefined || error === null) resolve(undefined);
        else reject(error);
      });
    });
  } catch (error) {
    return Promise.reject(error); // A value without JSON form.
  }
}

function hasSession(req: { session?: unknown }): boolean {
  return typeof req.session === 'object' && req.session !== null;
}

const METHODS = ['touch', 'resetMaxAge', 'save', 'reload', 'regenerate', 'destroy'] as const;

/** What a handler has put over the session's own methods and cookie is dropped: express-session would not load it again either, and cannot do without them. */
function repair({ req, store, cookie }: SessionExchange): void {
  const session = req.session as unknown as Record<string, unknown>;
  for (const name of METHODS) if (typeof session[name] !== 'function') delete session[name];
  if (typeof session['cookie'] === 'object' && session['cookie'] !== null && 'data' in session['cookie']) return;
  const base = store.baseOf(session);
  const text = base?.record.fields.get('cookie');
  const former = text === undefined ? cookie.attributes(req) : (JSON.parse(text) as object);
  const donor = { sessionID: req.sessionID } as unknown as typeof req;
  session['cookie'] = store.createSession(donor, { cookie: { ...former } } as never).cookie;
}

/** Whether the session holds something that is not saved. */
function isDirty({ req, store, options, originalId }: SessionExchange): boolean {
  const { session } = req;
  const fields = toFields(session);
  const base = store.baseOf(session);
  if (base !== undefined && base.ref.id === session.id) return isChanged(base, fields);
  if (store.isDetached(session) || store.isBlank(session)) return fields.size > 1;
  return fields.size > 1 || options.saveUninitialized === true || req.sessionID !== originalId;
}

function isChanged({ record }: LoadedSession, fields: ReadonlyMap<string, string>): boolean {
  const { changed, removed } = compare(record.fields, fields);
  return changed.length + removed.length > 0;
}

/** The save failed and nothing has left yet: the error handlers of the application answer. */
function fail(exchange: SessionExchange, before: OutgoingHttpHeaders, error: unknown): void {
  const { req, res, next, store } = exchange;
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  for (const [name, value] of Object.entries(before)) if (value !== undefined) res.setHeader(name, value);
  res.statusCode = 200;
  const reason = toFailure(error, 'The session could not be saved.');
  unwatched(req, () => store.detach(req, reason));
  addPrivacy(res, true);
  next(reason);
}

/** A session that is changed while its response streams is saved before the end of the response leaves; if that fails the connection is cut. */
function holdEnd(exchange: SessionExchange, savingOf: () => Promise<unknown> | undefined): void {
  const { req, res } = exchange;
  const { end } = res;
  let hasEnded = false;

  /** After what is being saved already. When that fails another response takes the place of this one, and there is nothing to end. */
  function saveRest(): Promise<boolean> | undefined {
    const rest = (): Promise<unknown> | undefined => unwatched(req, () => save(exchange));
    const saving = savingOf();
    if (saving === undefined) return rest()?.then(() => true);
    return saving.then(
      async () => {
        await rest();
        return true;
      },
      () => false,
    );
  }

  Object.assign(res, {
    end(...args: Parameters<typeof end>) {
      const isFirst = !hasEnded;
      hasEnded = true;
      const saving = isFirst && res.headersSent ? saveRest() : undefined;
      if (saving === undefined) return end.apply(res, args);
      saving.then(
        (mayEnd) => mayEnd && end.apply(res, args),
        (error: unknown) => cut(exchange, error),
      );
      return res;
    },
  });
}

/** The response has told its status: that it is not whole is all that can still be said. */
function cut({ req, res, store }: SessionExchange, error: unknown): void {
  unwatched(req, () => store.detach(req, error));
  res.destroy();
}
