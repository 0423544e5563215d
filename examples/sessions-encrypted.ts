/**
 * Sessions that nobody can read in Redis, and how the key is changed.
 *
 *   npx tsx examples/sessions-encrypted.ts
 *   curl -c jar -b jar -X PUT localhost:3000/note/secret
 *   curl -b jar localhost:3000/note
 *   curl -b jar localhost:3000/stored       what Redis has of it
 *
 * To change the key, put the new one first: SESSION_KEYS=<new>,<old>. Sessions are encrypted with it when they are next changed. Drop the old one when the last session that has it has ended.
 */
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

declare module 'express-session' {
  interface SessionData {
    note?: string;
  }
}

// From your secret store, the same in all processes: made with `openssl rand -base64 32`.
const make = (): string => randomBytes(32).toString('base64');
const secret = process.env['SESSION_SECRET'] ?? make();
const encryptionKeys = (process.env['SESSION_KEYS'] ?? make()).split(',');

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'encrypted', deadline: '1s', session: { secret, encryptionKeys } });
const store = suite.sessionStore();
const app = express();
app.use(suite.session());

app.put('/note/:text', (req, res) => {
  req.session.note = req.params.text;
  res.json({ saved: true });
});

app.get('/note', (req, res) => {
  res.json({ note: req.session.note ?? null });
});

app.get('/stored', async (_req, res) => {
  const [handle = ''] = await store.ids();
  res.json((await redis?.hgetall(`encrypted:sess:${handle}`)) ?? {});
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/note`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
  await suite.close();
  redis?.disconnect();
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
