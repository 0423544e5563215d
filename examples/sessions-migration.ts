/**
 * From connect-redis to this package while users stay logged in: deploy PHASE by PHASE, each when no process of the one before the last is left.
 *
 *   PHASE=old  npx tsx examples/sessions-migration.ts     connect-redis, as you have it
 *   PHASE=one  ...                                        reads and writes connect-redis' keys and format, beside it
 *   PHASE=two  ...                                        moves each session when it is next changed
 *   PHASE=done ...                                        when the last session that was not moved has ended
 *   curl -c jar -b jar localhost:3000/visits
 */
import { RedisStore } from 'connect-redis';
import express, { type RequestHandler } from 'express';
import expressSession from 'express-session';
import type { AddressInfo } from 'node:net';
import { createRedis, createSuite, type SessionOptions } from '../src/index.ts'; // In your program: from 'express-redis-suite'

declare module 'express-session' {
  interface SessionData {
    visits?: number;
  }
}

const PHASES: Record<string, SessionOptions> = { one: { format: 'json' }, two: { migrate: true }, done: {} };

// The same cookie in all phases: its name and its secret stay. A secret of less than 32 characters is refused: put a longer one first while you are still on connect-redis.
const secret = process.env['SESSION_SECRET'] ?? 'the secret that this example has always had';
const name = 'connect.sid';

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'migration', deadline: '1s' });
const app = express();
app.use(sessionOf(process.env['PHASE'] ?? 'one'));

function sessionOf(phase: string): RequestHandler {
  if (phase !== 'old') return suite.session({ secret, name, ...PHASES[phase] });
  const store = new RedisStore({ client: redis });
  return expressSession({ secret, name, store, resave: false, saveUninitialized: false });
}

app.get('/visits', (req, res) => {
  req.session.visits = (req.session.visits ?? 0) + 1;
  res.json({ visits: req.session.visits });
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/visits`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
  await suite.close();
  redis?.disconnect();
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
