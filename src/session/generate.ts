import type { Request } from 'express';
import expressSession, { type CookieOptions } from 'express-session';
import { randomBytes } from 'node:crypto';
import type { SessionCookie } from './cookie.ts';
import type { SessionOptions } from './options.ts';

/** 192 bits. */
const ID_BYTES = 24;

/** express-session's own classes; its types hide the constructors. */
const { Session, Cookie } = expressSession as unknown as {
  readonly Session: new (req: Request) => Request['session'];
  readonly Cookie: new (attributes: CookieOptions) => Request['session']['cookie'];
};

/** Gives a request a new session, under a new id where none is given. */
export function createGenerator(
  cookie: SessionCookie,
  { genid = randomId }: SessionOptions,
): (req: Request, id?: string) => void {
  return function generate(req, id = genid(req)) {
    req.sessionID = id;
    const session = new Session(req);
    session.cookie = new Cookie(cookie.attributes(req));
    req.session = session;
  };
}

function randomId(): string {
  return randomBytes(ID_BYTES).toString('base64url');
}
