import type { NextFunction, Request, Response } from 'express';
import type { SentCookie, SessionCookie } from './cookie.ts';
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
  /** What the request's cookie proves. */
  readonly sent: SentCookie | undefined;
}
