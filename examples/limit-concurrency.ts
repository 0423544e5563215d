/**
 * Concurrency: a slow report may be made by two requests of a user at a time. A place is free again when its response has ended, however it ends.
 *
 *   npx tsx examples/limit-concurrency.ts
 *   for i in 1 2 3; do curl -s -o /dev/null -w '%{http_code}\n' localhost:3000/report & done; wait
 */
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'limit-concurrency' });
const app = express();

app.get('/report', suite.rateLimit({ name: 'reports', concurrent: 2 }), async (_req, res) => {
  await sleep(1_000); // Your slow report.
  res.json({ report: 'done' });
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/report`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close(); // What the suite opened.
  redis?.disconnect(); // What you opened.
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
