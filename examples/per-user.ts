/**
 * Answers that differ per user: `user` gives each of them a part of the cache that nobody else is served from.
 *
 *   npx tsx examples/per-user.ts
 *   curl -i localhost:3000/basket -H 'Authorization: Bearer anna-secret'
 *   curl -i localhost:3000/basket -H 'Authorization: Bearer ben-secret'      not Anna's
 */
import type { AddressInfo } from 'node:net';
import express, { type Request, type RequestHandler } from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

const users = new Map([
  ['Bearer anna-secret', 'anna'],
  ['Bearer ben-secret', 'ben'],
]);
const baskets = new Map([
  ['anna', ['apples']],
  ['ben', ['hammer']],
]);

/** Who is asking. The authentication you have comes here; what matters is that it is verified, not merely claimed. */
const userOf = (req: Request): string | undefined => users.get(req.get('Authorization') ?? '');
const requireUser: RequestHandler = (req, res, next) => {
  if (userOf(req) !== undefined) next();
  else res.status(401).json({ error: 'Send Authorization: Bearer anna-secret' });
};

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'per-user' });
const app = express();

// First who may, then the cache: a cached answer must never come before the check.
const basketCache = suite.cache({ ttl: '5m', query: [], user: userOf, tags: (req) => [`basket:${userOf(req)}`] });
app.get('/basket', requireUser, basketCache, (req, res) => {
  const user = userOf(req) ?? '';
  res.json({ user, basket: baskets.get(user) ?? [] });
});

const forgetBasket = suite.invalidateAfter((req) => [`basket:${userOf(req)}`]);
app.post('/basket/:item', requireUser, forgetBasket, (req, res) => {
  const user = userOf(req) ?? '';
  baskets.set(user, [...(baskets.get(user) ?? []), String(req.params['item'])]);
  res.status(201).json({ user, basket: baskets.get(user) });
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/basket`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close();
  redis?.disconnect();
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
