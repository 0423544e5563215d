import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import { cacheOf } from './security.ts';
import type { CacheOptions } from '../../src/index.ts';
import type { Place } from './support.ts';

export type Visitor = Readonly<Record<string, string>>;

/** Who asks, in every way in which a site knows its users. */
export const VISITORS: readonly Visitor[] = [
  {},
  { Cookie: 'sid=ann' },
  { Cookie: 'sid=bob; theme=dark' },
  { Authorization: 'Bearer ann' },
  { Authorization: 'Bearer bob' },
  { 'X-Api-Key': 'ann' },
  { 'X-Api-Key': 'bob' },
  { Cookie: 'theme=dark' },
  { 'X-Forwarded-For': '192.0.2.1' },
  { 'X-Forwarded-For': '192.0.2.2' },
];

/** What middleware has put on a request. */
interface Identified {
  session?: { user?: string | undefined; cookie: object } | null;
  user?: { readonly name: string };
  account?: string | undefined;
  _identity?: string;
  isAuthenticated?: () => boolean;
  whoAsks?: () => string | undefined;
}

export type Known = Omit<Request, keyof Identified> & Identified;

/** What a site puts on its requests before they reach a cached route, as cookie-parser, express-session, passport and cookie-session do. */
export const identify: RequestHandler = (req, res, next) => {
  const name = nameIn(req);
  req.cookies = cookiesIn(req);
  req.signedCookies = req.cookies as object;
  const session = { cookie: {}, ...(name !== undefined && { user: name }) };
  Object.assign(req, { session, isAuthenticated, whoAsks: () => name });
  // Nobody has no user at all, not one that is undefined.
  if (name !== undefined) Object.assign(req, { user: { name }, _identity: name, body: { user: name } });
  Object.defineProperty(req, 'account', {
    configurable: true,
    enumerable: true,
    get: () => name,
    set() {},
  });
  if (name !== undefined) Object.assign(res.locals, { user: name });
  Object.assign(res.locals, { site: 'shop' });
  next();
};

function isAuthenticated(this: Known): boolean {
  return this.user !== undefined;
}

function cookiesIn({ headers }: Request): Record<string, string> {
  const pairs = (headers.cookie ?? '').split('; ').map((pair) => pair.split('=', 2) as [string, string]);
  return Object.fromEntries(pairs.filter(([name]) => name !== ''));
}

export function nameIn(req: Request): string | undefined {
  const { headers } = req;
  const key = headers['x-api-key'] as string | undefined;
  return cookiesIn(req)['sid'] ?? headers.authorization?.split(' ')[1] ?? key;
}

export type Read = (req: Known, res: Response) => unknown;

/** A site where the same handler stands at `/cached`, behind a cache, and at `/plain`. */
export function site(place: Place, handler: RequestHandler, options: CacheOptions = {}): Express {
  const app = express().set('trust proxy', true).set('env', 'test');
  app.engine('page', (_path, locals, done) => {
    const { user } = locals as { user?: string };
    done(null, `hello ${user ?? 'nobody'}`);
  });
  app.use(identify);
  app.get('/cached', cacheOf({ ttl: '1m', jitter: 0, ...options }, place), handler);
  app.get('/plain', handler);
  return app;
}

/** A handler that answers what it reads. */
export function answering(read: Read): RequestHandler {
  return (req, res) => void res.send(`it is ${String(read(req as Known, res))}`);
}
