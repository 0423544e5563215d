/**
 * A public API: short bursts and a daily quota, decided together. A request counts in both or in neither, in one round trip.
 *
 *   npx tsx examples/limit-quota.ts
 *   curl -i localhost:3000/time          six times in a second; see which policy refused in the problem document
 */
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'limit-quota' });
const app = express();

const limit = suite.rateLimit({
  name: 'public',
  policies: [
    { name: 'burst', limit: 5, window: '1s' },
    { name: 'daily', limit: 1_000, window: '1d' },
  ],
});

app.get('/time', limit, (req, res) => {
  res.json({
    time: new Date().toISOString(),
    left: Object.fromEntries((req.rateLimit?.policies ?? []).map(({ name, remaining }) => [name, remaining])),
  });
});

// What an operator may ask, and change for all processes within a second: behind your authentication.
app.get('/admin/refused', async (_req, res) => void res.json(await limit.limiter.list()));
app.put('/admin/burst/:limit', async (req, res) => {
  await limit.limiter.configure({ limit: Number(req.params['limit']) }, 'burst');
  res.json({ burst: Number(req.params['limit']) });
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/time`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close(); // What the suite opened.
  redis?.disconnect(); // What you opened.
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
