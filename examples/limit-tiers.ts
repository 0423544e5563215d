/**
 * Tiers: how much a client may ask for depends on its plan, and the plan is looked up before the one trip that decides.
 *
 *   npx tsx examples/limit-tiers.ts
 *   curl -i localhost:3000/quote -H 'X-Api-Key: free-key'        3 a minute (see RateLimit and RateLimit-Policy)
 *   curl -i localhost:3000/quote -H 'X-Api-Key: pro-key'         100 a minute
 */
import type { AddressInfo } from 'node:net';
import express, { type Request, type RequestHandler } from 'express';
import { createRedis, createSuite, header } from '../src/index.ts'; // In your program: from 'express-redis-suite'

const plans = new Map([
  ['free-key', 3],
  ['pro-key', 100],
]);
const keyOf = (req: Request): string => req.get('X-Api-Key') ?? '';

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'limit-tiers' });
const app = express();

// First whether the key is one: else its owner could have a limit for each key he makes up.
const requireKey: RequestHandler = (req, res, next) => {
  if (plans.has(keyOf(req))) next();
  else res.status(401).json({ error: 'Send X-Api-Key: free-key' });
};
const limit = suite.rateLimit({
  name: 'quotes',
  key: header('X-Api-Key'),
  limit: (req) => plans.get(keyOf(req)) ?? 0,
  window: '1m',
});

app.get('/quote', requireKey, limit, (req, res) => {
  res.json({ quote: 'Less is more.', left: req.rateLimit?.remaining });
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/quote`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close(); // What the suite opened.
  redis?.disconnect(); // What you opened.
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
