/**
 * Login protection: an address that guesses one account's password is stopped; one that tries a password on many accounts as well. Only failures count.
 *
 *   npx tsx examples/limit-login.ts
 *   curl -i localhost:3000/login -H 'Content-Type: application/json' -d '{"email":"anna@example.org","password":"wrong"}'      six times
 */
import type { AddressInfo } from 'node:net';
import express, { type Request } from 'express';
import { combine, createRedis, createSuite, ip } from '../src/index.ts'; // In your program: from 'express-redis-suite'

const passwords = new Map([['anna@example.org', 'correct horse']]);

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'limit-login' });
const app = express().use(express.json());

const emailOf = (req: Request): string => {
  const { email } = (req.body ?? {}) as { email?: unknown };
  return typeof email === 'string' ? email.trim().toLowerCase() : 'none';
};

// Five failures per account and address in a quarter of an hour; and from one address twenty, over all accounts. Whoever goes on is banned, each time for longer.
const perAccount = suite.rateLimit({
  name: 'login-account',
  identifier: 'account', // As clients are told.
  key: combine(ip(), emailOf),
  limit: 5,
  window: '15m',
  skipSuccessfulRequests: true,
});
const perAddress = suite.rateLimit({
  name: 'login-address',
  identifier: 'address',
  limit: 20,
  window: '15m',
  skipSuccessfulRequests: true,
  ban: { after: 50, within: '1h', duration: '1h' },
});

app.post('/login', perAddress, perAccount, (req, res) => {
  const { password } = (req.body ?? {}) as { password?: unknown };
  if (passwords.get(emailOf(req)) !== password) return void res.status(401).json({ error: 'Wrong email or password' });
  return void res.json({ welcome: emailOf(req) });
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/login`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close(); // What the suite opened.
  redis?.disconnect(); // What you opened.
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
