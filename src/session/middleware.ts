import type { RequestHandler } from 'express';
import expressSession from 'express-session';
import { SessionUnavailableError } from '../core/errors.ts';
import { markSessionUsed } from '../core/request-marks.ts';
import type { MiddlewareParts, SessionExchange } from './exchange.ts';
import type { OnRedisError } from './options.ts';
import { commitSession } from './commit.ts';
import { watchUse } from './watch-use.ts';

/** express-session with our store, and with everything that has to be done before the headers leave done before they leave. */
export function createMiddleware(parts: MiddlewareParts): RequestHandler {
  const { store, cookie, options } = parts;
  const inner = expressSession({
    store,
    name: cookie.name,
    secret: [...cookie.secrets],
    cookie: cookie.attributes,
    resave: false,
    rolling: false, // Done by us, at the pace of the idle timeout.
    saveUninitialized: options.saveUninitialized ?? false,
    unset: options.unset ?? 'keep',
    ...(options.proxy !== undefined && { proxy: options.proxy }),
    ...(options.genid !== undefined && { genid: options.genid }),
  });

  return function session(req, res, next) {
    if (hasSession(req) || options.skip?.(req) === true) {
      next();
      return;
    }
    const sent = (): ReturnType<typeof cookie.read> => cookie.read(req);
    const own = { req, res, next, sent };
    let hasLoaded = false;
    inner(req, res, (error?: unknown) => {
      if (hasLoaded) return; // What express-session tells when the response ends has been dealt with by then.
      hasLoaded = true;
      proceed({ ...parts, ...own, originalId: req.sessionID }, error);
    });
  };
}

function hasSession(req: { session?: unknown }): boolean {
  return req.session !== undefined && req.session !== null;
}

function proceed(exchange: SessionExchange, error: unknown): void {
  const { req, next, store } = exchange;
  if (error instanceof TypeError) {
    store.begin(req); // Something without a cookie was stored: express-session cannot make a session of it.
  } else if (error !== undefined && error !== null) {
    const reason = new SessionUnavailableError('The session could not be read.', { cause: error });
    if (policyOf(exchange) !== 'anonymous') {
      next(reason);
      return;
    }
    markSessionUsed(req); // What it is answered is not what others are.
    store.detach(req, reason); // The client keeps its cookie, and is who it was when Redis is back.
  }
  if (hasSession(req)) {
    watchUse(req);
    commitSession(exchange);
  }
  next();
}

function policyOf({ options: { onRedisError = 'fail' }, req }: SessionExchange): OnRedisError {
  return typeof onRedisError === 'function' ? onRedisError(req) : onRedisError;
}
