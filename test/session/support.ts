import express, { type Express, type Request, type RequestHandler } from 'express';
import type { Redis } from 'ioredis';
import { type Answer, ask, type Ask } from '../http-cache/support.ts';
import { gate } from '../support/waiting.ts';

declare module 'express-session' {
  interface SessionData {
    user?: string;
    views?: number;
    value?: unknown;
  }
}

export const SECRET = 'a secret of thirty-two characters';

/** A browser: keeps the cookies it is given. */
export interface Browser {
  readonly cookies: Map<string, string>;
  ask(path: string, options?: Ask): Promise<Answer>;
}

export function browser(port: number, cookies: Iterable<readonly [string, string]> = []): Browser {
  const jar = new Map(cookies);
  return {
    cookies: jar,
    async ask(path, options = {}) {
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
      const headers = { ...options.headers, ...(cookie !== '' && { cookie }) };
      const answer = await ask(port, path, { ...options, headers });
      for (const line of answer.headers['set-cookie'] ?? []) keep(jar, line);
      return answer;
    },
  };
}

function keep(jar: Map<string, string>, line: string): void {
  const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
  if (value === '' || /expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(name);
  else jar.set(name, value);
}

/** An application with a session, whose errors are told as `<status> <code>`. */
export function appWith(session: RequestHandler, declare: (app: Express) => void): Express {
  const app = express();
  app.use(session);
  passRejectionsOn(app);
  declare(app);
  app.use(((
    error: Error & { status?: number; code?: string },
    _req: Request,
    res: express.Response,
    next: express.NextFunction,
  ) => {
    if (res.headersSent) {
      next(error);
      return;
    }
    res.status(error.status ?? 500).send(error.code ?? error.name);
  }) as express.ErrorRequestHandler);
  return app;
}

/** Express 4 itself passes nothing on that an asynchronous handler rejects with. */
function passRejectionsOn(app: Express): void {
  for (const method of ['get', 'post'] as const) {
    const route = app[method].bind(app) as (path: string, ...handlers: RequestHandler[]) => unknown;
    const declare = (path: string, ...handlers: RequestHandler[]): unknown => route(path, ...handlers.map(passingOn));
    Object.assign(app, { [method]: declare });
  }
}

function passingOn(handler: RequestHandler): RequestHandler {
  return (req, res, next) => {
    Promise.resolve(handler(req, res, next)).catch(next);
  };
}

/** Holds back the first script about a key with `part` in its name, after so many others, until the gate opens. */
export function holdScript(redis: Redis, part: string, after = 0): { readonly held: () => boolean; release(): void } {
  const { passed, open } = gate();
  const call = redis.call.bind(redis) as (...args: unknown[]) => Promise<unknown>;
  let seen = 0;
  const holding = async (...args: unknown[]): Promise<unknown> => {
    if (args[0] === 'evalsha' && String(args[3]).includes(part) && seen++ === after) await passed;
    return call(...args);
  };
  Object.assign(redis, { call: holding });
  return { held: () => seen > after, release: open };
}
