/**
 * What a site with users needs beside its pages: login, a list of one's devices, "log out everywhere", and a limit on what costs. Mounted under /account, so that the public
 * pages need no session.
 */
import { randomBytes } from 'node:crypto';
import express, { type RequestHandler, Router } from 'express';
import type { Suite } from '../../src/index.ts';
import { HttpError } from './validate.ts';

/** How many exports a user may make, and in what time. */
export const EXPORTS = { limit: 3, window: '2s' } as const;

export function createAccount(suite: Suite): Router {
  const account = Router();
  account.use(suite.session({ secret: randomBytes(32).toString('hex') })); // One run of the demo: a site keeps its secret.
  account.use(express.json());

  // A real site compares a password here; the demo lets everybody in.
  account.post('/login', async (req, res) => {
    const { name } = (req.body ?? {}) as { name?: unknown };
    if (typeof name !== 'string' || name === '') throw new HttpError(400, 'Say who you are: {"name":"anna"}');
    await suite.sessions.login(req, name);
    res.json({ welcome: name });
  });

  account.get('/devices', requireUser, async (req, res) => {
    const sessions = await suite.sessions.list(userOf(req), { current: req });
    res.json(sessions.map(({ userAgent, current }) => ({ device: userAgent, current })));
  });

  account.post('/logout-everywhere', requireUser, async (req, res) => {
    res.json({ ended: await suite.sessions.destroyAll(userOf(req)) });
  });

  const limit = suite.rateLimit({ name: 'exports', key: userOf, ...EXPORTS });
  account.get('/export', requireUser, limit, (req, res) => {
    res.json({ export: 'all about me', left: req.rateLimit?.remaining });
  });
  return account;
}

function userOf({ session }: express.Request): string {
  return session.suiteLogin?.userId ?? '';
}

const requireUser: RequestHandler = (req, _res, next) => {
  next(userOf(req) === '' ? new HttpError(401, 'POST {"name":"anna"} to /account/login first') : undefined);
};
