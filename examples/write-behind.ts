/**
 * When each page was last seen, in a table that no request waits for: a view is recorded in Redis at once, and the table is written a little later, many views together.
 * Kill the program with -9 and start it again: no view that was answered is lost on its way to the table.
 *
 *   npx tsx examples/write-behind.ts
 *   curl -X POST localhost:3000/pages/home/views -d ''
 *   curl localhost:3000/pages/home
 *   curl localhost:3000/admin/writes            what waits, what was written, what was given up
 */
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

interface Page {
  readonly title: string;
  readonly lastSeenAt: string;
}

const table = new Map<string, Page & { readonly fence: number }>();

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'write-behind' });
const pages = suite.data.writeBehind<Page>('pages', {
  flushInterval: '200ms',
  ttl: '10m',
  async write(batch, { fence }) {
    await sleep(50); // Your slow statement: INSERT ... ON CONFLICT (id) DO UPDATE ... WHERE pages.fence <= excluded.fence
    for (const { key, value, deleted } of batch) {
      if (deleted === true) table.delete(key);
      else if ((table.get(key)?.fence ?? 0) <= fence) table.set(key, { ...value, fence });
    }
    console.log(`Wrote ${batch.length} of ${pages.stats().recorded} changes`);
  },
});
suite.events.on('write:failed', ({ attempt, error }) => console.log(`Attempt ${attempt} failed: ${error.message}`));
suite.events.on('write:dead', ({ key, error }) => console.log(`Gave up ${key}: ${error.message}`));

const app = express();

app.post('/pages/:id/views', async (req, res) => {
  const { id } = req.params;
  await pages.set(id, { title: id, lastSeenAt: new Date().toISOString() }); // Rejects when Redis has not got it: Express answers 500, or 503 when it is full.
  res.status(202).end();
});
app.delete('/pages/:id', async (req, res) => {
  await pages.delete(req.params.id);
  res.status(202).end();
});
app.get('/pages/:id', async (req, res) => {
  const page = (await pages.get(req.params.id)) ?? table.get(req.params.id);
  if (page === undefined) res.status(404).end();
  else res.json(page);
});
app.get('/admin/writes', async (_req, res) => {
  res.json({ rows: table.size, pending: await pages.pending(), ...pages.stats() });
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/admin/writes`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close(); // What waits is written.
  console.log(`The table has ${table.size} rows`);
  redis?.disconnect(); // What you opened.
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
