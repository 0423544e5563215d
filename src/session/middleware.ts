import type { Request, RequestHandler } from 'express';
import { RedisError, SessionUnavailableError } from '../core/errors.ts';
import { markSessionUsed } from '../core/request-marks.ts';
import { commitSession } from './commit.ts';
import type { SessionCookie } from './cookie.ts';
import type { MiddlewareParts, SessionExchange } from './exchange.ts';
import { createGenerator } from './generate.ts';
import type { OnRedisError } from './options.ts';
import { makeSlot, peekSession, watchUse } from './watch-use.ts';

/**
 * Does what express-session's middleware does, with its Session, Cookie and Store, and has everything done before the headers leave that has to be done before they leave. A request is
 * compared with what was read once, and not at all when nobody asked for its session; express-session hashes every session three times or more.
 */
export function createMiddleware(parts: MiddlewareParts): RequestHandler {
  const { engine, store, cookie, options } = parts;
  const generate = createGenerator(cookie, options);
  store.generateWith(generate);

  return function session(req, res, next) {
    if (peekSession(req) !== undefined || options.skip?.(req) === true || !isOnPath(req, cookie)) {
      next();
      return;
    }
    const sent = cookie.read(req);
    const exchange: SessionExchange = { engine, store, cookie, options, req, res, next, sent };
    makeSlot(req);
    req.sessionStore = store;
    if (sent === undefined) {
      generate(req);
      proceed(exchange);
      return;
    }
    store.open(req, sent.id).then(
      () => process.nextTick(proceed, exchange), // What the application throws is no rejection of ours.
      (error: unknown) => process.nextTick(refuse, exchange, error),
    );
  };
}

/** Browsers send a cookie below its path only: elsewhere there is no session. */
function isOnPath(req: Request, cookie: SessionCookie): boolean {
  const path = cookie.pathFor(req);
  return path === '/' || (PATH.exec(urlOf(req))?.[1] ?? '').startsWith(path);
}

/** Only Express keeps the original one. */
function urlOf({ originalUrl, url }: Partial<Request>): string {
  return originalUrl ?? url ?? '';
}

/** Of a request target, as it was sent: `/path?query`, or with a host before it. */
const PATH = /^(?:[a-z][a-z\d+.-]*:\/\/[^/?#]*)?([^?#]*)/i;

function proceed(exchange: SessionExchange): void {
  watchUse(exchange.req);
  if (hasResponse(exchange)) commitSession(exchange);
  exchange.next();
}

/** Servers of WebSockets read the session of an upgrade request with `{}` in place of a response: what they change they save themselves. */
function hasResponse({ res }: { readonly res: Partial<SessionExchange['res']> }): boolean {
  return typeof res.writeHead === 'function';
}

/** The session could not be read. */
function refuse(exchange: SessionExchange, error: unknown): void {
  const { req, next, store, sent } = exchange;
  if (!(error instanceof RedisError || error instanceof SessionUnavailableError)) {
    next(error); // Of the application's own functions.
    return;
  }
  const reason = new SessionUnavailableError('The session could not be read.', { cause: error });
  try {
    if (policyOf(exchange) !== 'anonymous') {
      next(reason);
      return;
    }
    markSessionUsed(req); // What it is answered is not what others are.
    store.detach(req, reason, sent?.id); // The client keeps its cookie, and is who it was when Redis is back.
  } catch (failure) {
    next(failure);
    return;
  }
  proceed(exchange);
}

function policyOf({ options: { onRedisError = 'fail' }, req }: SessionExchange): OnRedisError {
  return typeof onRedisError === 'function' ? onRedisError(req) : onRedisError;
}
