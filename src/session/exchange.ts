import type { NextFunction, Request, Response } from 'express';
import type { SessionCookie } from './cookie.ts';
import type { SessionEngine } from './engine.ts';
import type { SessionOptions } from './options.ts';
import type { RedisSessionStore } from './store.ts';

/** What the middleware of one place works with. */
export interface MiddlewareParts {
  readonly engine: SessionEngine;
  readonly store: RedisSessionStore;
  readonly cookie: SessionCookie;
  readonly options: SessionOptions;
}

/** One request on its way through. */
export interface SessionExchange extends MiddlewareParts {
  readonly req: Request;
  readonly res: Response;
  readonly next: NextFunction;
  /** The id that the request's cookie proves. */
  readonly cookieId: string | undefined;
  /** The cookie has to be signed again. */
  readonly isOldCookie: boolean;
  /** The id of the session that the request began with. */
  readonly originalId: string | undefined;
}
