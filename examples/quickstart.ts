/**
 * The smallest useful thing: a route whose answer is kept for a minute, and forgotten when the data behind it changes.
 *
 *   npx tsx examples/quickstart.ts        Redis: REDIS_URL, else localhost:6379. Without one the route still answers, uncached.
 *   curl -i localhost:3000/greeting       the first takes a second, the next ones do not (see Cache-Status)
 *   curl -X PUT 'localhost:3000/greeting?text=Salut'
 */
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

let greeting = 'Hello';

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'quickstart' });
const app = express();

app.get('/greeting', suite.cache({ ttl: '1m', tags: ['greeting'], query: [] }), async (_req, res) => {
  await sleep(1_000); // Your slow query.
  res.json({ greeting });
});

app.put('/greeting', suite.invalidateAfter('greeting'), (req, res) => {
  greeting = typeof req.query['text'] === 'string' ? req.query['text'] : 'Hello';
  res.json({ greeting });
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/greeting`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close(); // What the suite opened.
  redis?.disconnect(); // What you opened.
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
