/**
 * Uploads by cost: a limit in kilobytes, not in requests. What an upload is said to be is charged before, what it was more is charged after, and a failed one is given back.
 *
 *   npx tsx examples/limit-uploads.ts
 *   head -c 60000 /dev/zero | curl -i localhost:3000/files/a --data-binary @-       twice: the second does not fit any more
 */
import type { AddressInfo } from 'node:net';
import express, { type Request } from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

const KILOBYTES_PER_MINUTE = 100;

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'limit-uploads' });
const app = express();

// However much is promised: more than the limit is too much.
const promisedKilobytes = (req: Request): number =>
  Math.min(KILOBYTES_PER_MINUTE + 1, Math.ceil(Number(req.get('Content-Length') ?? 0) / 1_000));
const limit = suite.rateLimit({
  name: 'uploads',
  limit: KILOBYTES_PER_MINUTE,
  window: '1m',
  cost: promisedKilobytes,
  skipFailedRequests: true,
});

app.post('/files/:name', limit, async (req, res) => {
  let bytes = 0;
  for await (const chunk of req) bytes += (chunk as Buffer).length;
  const unpromised = Math.ceil(bytes / 1_000) - promisedKilobytes(req);
  if (unpromised > 0) await res.rateLimit?.charge(unpromised); // Sent in chunks, of no length told before.
  if (bytes === 0) return void res.status(400).json({ error: 'An empty file' });
  return void res.status(201).json({ name: req.params['name'], kilobytes: Math.ceil(bytes / 1_000) });
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/files/:name`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close(); // What the suite opened.
  redis?.disconnect(); // What you opened.
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
