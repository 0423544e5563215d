/**
 * Users that are written to the table and cached in one call: whoever reads next finds the new one, in every process.
 *
 *   npx tsx examples/write-through.ts
 *   curl -X PUT localhost:3000/users/7 -H 'Content-Type: application/json' -d '{"name":"Ann"}'
 *   curl localhost:3000/users/7
 */
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

interface User {
  readonly name: string;
}

const table = new Map<string, User>();
let reads = 0;

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'write-through' });
const users = suite.data.writeThrough<User>({
  async write(key, user) {
    if (user.name === '') throw new Error('A user needs a name'); // What the database says.
    table.set(key, user);
  },
  remove: (key) => table.delete(key),
  ttl: '1h',
  tags: (_user, key) => [key],
});

const app = express();
app.use(express.json());

app.get('/users/:id', async (req, res) => {
  const key = `user:${req.params.id}`;
  const user = await suite.data.getOrSet(key, () => {
    reads++;
    return table.get(key);
  });
  if (user === undefined) res.status(404).end();
  else res.json({ ...user, reads });
});
app.put('/users/:id', (req, res, next) => {
  const { name } = req.body as Partial<User>;
  users
    .set(`user:${req.params.id}`, { name: typeof name === 'string' ? name : '' })
    .then(() => res.status(204).end(), next); // What the writer throws reaches your error handlers, on Express 4 too.
});
app.delete('/users/:id', async (req, res) => {
  await users.delete(`user:${req.params.id}`);
  res.status(204).end();
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/users/7`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close(); // What the suite opened.
  redis?.disconnect(); // What you opened.
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
