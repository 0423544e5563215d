/**
 * Login with a list of devices, and "log out everywhere".
 *
 *   npx tsx examples/sessions.ts
 *   curl -c jar -X POST localhost:3000/login/anna       log in; -b jar sends the cookie from then on
 *   curl -b jar localhost:3000/devices                  where Anna is logged in
 *   curl -b jar -X DELETE localhost:3000/devices/<handle>
 *   curl -b jar -X POST localhost:3000/logout-everywhere
 */
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import express, { type RequestHandler } from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

// One secret for all processes, from your secret store. A new one at every start logs everybody out.
const secret = process.env['SESSION_SECRET'] ?? randomBytes(32).toString('base64');

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'sessions', deadline: '1s', session: { secret, absoluteTimeout: '30d' } });
const { sessions } = suite;
const app = express();
app.use(suite.session());

const requireLogin: RequestHandler = (req, res, next) => {
  if (req.session.suiteLogin !== undefined) next();
  else res.status(401).json({ error: 'Log in first.' });
};

app.post('/login/:user', async (req, res) => {
  // Check the password here. `login` gives the session a new id, so that nobody can have fixed it before.
  await sessions.login(req, req.params.user);
  res.json({ user: req.params.user });
});

app.get('/devices', requireLogin, async (req, res) => {
  const user = req.session.suiteLogin?.userId ?? '';
  res.json(await sessions.list(user, { current: req }));
});

app.delete('/devices/:handle', requireLogin, async (req, res) => {
  const handle = String(req.params['handle']);
  const device = await sessions.get(handle);
  // A handle names a session and proves nothing: ask whose it is.
  const isOwn = device?.userId === req.session.suiteLogin?.userId;
  res.json({ ended: isOwn && (await sessions.destroy(handle)) });
});

app.post('/logout', async (req, res) => {
  await sessions.logout(req);
  res.json({ user: null });
});

app.post('/logout-everywhere', requireLogin, async (req, res) => {
  const ended = await sessions.destroyAll(req.session.suiteLogin?.userId ?? '');
  res.json({ ended });
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/devices`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close();
  redis?.disconnect();
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
