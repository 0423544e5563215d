import { describe, expect, it } from '@jest/globals';
import type { RequestHandler, Response } from 'express';
import type { Request } from 'express';
import expressSession, { MemoryStore } from 'express-session';
import type { SessionOptions } from '../../src/index.ts';
import { listen, openSuite } from '../http-cache/support.ts';
import { appWith, browser, SECRET } from './support.ts';

type Handler = (req: Request, res: Response) => unknown;

/** What handlers do with a session. */
const HANDLERS: Record<string, Handler> = {
  nothing: (_req, res) => res.end(),
  reading: (req, res) => res.end(String(req.session.views)),
  changing: (req, res) => {
    req.session.views = (req.session.views ?? 0) + 1;
    res.end();
  },
  streaming: (req, res) => {
    req.session.views = 7;
    res.write('a');
    res.end('b');
  },
  regenerating: (req, res) => req.session.regenerate(() => res.end()),
  'regenerating and changing': (req, res) =>
    req.session.regenerate(() => {
      req.session.views = 5;
      res.end();
    }),
  destroying: (req, res) => req.session.destroy(() => res.end()),
  unsetting: (req, res) => {
    (req as { session: unknown }).session = null;
    res.end();
  },
  deleting: (req, res) => {
    delete (req as { session?: unknown }).session;
    res.end();
  },
  'saving by hand': (req, res) => {
    req.session.views = 3;
    req.session.save(() => res.end());
  },
  reloading: (req, res) => {
    req.session.views = 9;
    req.session.reload(() => res.end());
  },
};

interface Seen {
  readonly status: number;
  /** Name and attributes of the cookie; ids and times differ. */
  readonly cookie: string | undefined;
  readonly isNewId: boolean;
  readonly stored: number;
}

/** What a client sees of one handler without a session, with one, and after it. */
async function seenWith(
  middleware: RequestHandler,
  count: () => Promise<number>,
  handler: string,
): Promise<readonly Seen[]> {
  const app = appWith(middleware, (app) => {
    for (const [name, handle] of Object.entries(HANDLERS)) app.get(`/app/${encodeURIComponent(name)}`, handle);
    app.get('/elsewhere', (req, res) => res.json((req as { session?: unknown }).session === undefined));
  });
  const user = browser(await listen(app));
  const seen: Seen[] = [];
  for (const name of [handler, 'changing', handler, 'reading', handler, 'changing']) {
    const before = user.cookies.get('sid');
    const { status, headers } = await user.ask(`/app/${encodeURIComponent(name)}`);
    const cookie = headers['set-cookie']
      ?.join()
      .replace(/sid=[^;]+/, 'sid')
      .replace(/Expires=[^;]+/, 'Expires');
    seen.push({ status, cookie, isNewId: user.cookies.get('sid') !== before, stored: await count() });
  }
  return [...seen, { ...(await user.ask('/elsewhere')), cookie: undefined, isNewId: false, stored: 0 }].map(
    ({ status, cookie, isNewId, stored }) => ({ status, cookie, isNewId, stored }),
  );
}

const CONFIGURATIONS: readonly [string, SessionOptions][] = [
  ['by default', {}],
  ['with unset: destroy', { unset: 'destroy' }],
  ['with saveUninitialized', { saveUninitialized: true }],
  ['with an end and a path', { cookie: { maxAge: 60_000, path: '/app' } }],
];

describe.each(CONFIGURATIONS)('suite.session %s does as express-session does', (_name, options) => {
  it.each(Object.keys(HANDLERS))('%s', async (handler) => {
    const memory = new MemoryStore();
    const theirs = expressSession({
      name: 'sid',
      secret: SECRET,
      resave: false,
      saveUninitialized: false,
      store: memory,
      ...(options as object),
      cookie: { sameSite: 'lax', ...(options.cookie as object) },
    });
    const suite = openSuite('memory', { session: { secret: SECRET, ...options } });
    const store = suite.sessionStore();
    const expected = await seenWith(
      theirs,
      async () => Object.keys((memory as unknown as { sessions: object }).sessions).length,
      handler,
    );
    expect(await seenWith(suite.session(), () => store.length(), handler)).toEqual(expected);
  });
});
