/**
 * Typed keys: what a key looks like, how long its value is kept and what it depends on is said in one place. A wrong parameter does not compile.
 *
 *   npx tsx examples/typed-keys.ts        Redis: REDIS_URL, else localhost:6379
 *   curl localhost:3000/jobs/Oslo/1       made once a minute, as are other pages and cities
 *   curl -X POST localhost:3000/jobs/Oslo a new job: all pages of Oslo are forgotten, Bergen's are kept
 *   curl localhost:3000/jobs/Bergen/1
 */
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createRedis, createSuite, key, keys } from '../src/index.ts'; // In your program: from 'express-redis-suite'

const k = keys({
  jobs: key('jobs:{city}:{page}', { city: String, page: Number }, { ttl: '1m', tags: ({ city }) => [`city:${city}`] }),
  salary: key('salary:{level}', { level: ['junior', 'senior'] }, { ttl: 'veryLong' }),
});

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'typed-keys' });
const app = express();

let searches = 0;
const findJobs = suite.cacheable(
  async (city: string, page: number) => ({ city, page, search: ++searches }), // Your slow query.
  { key: (city, page) => k.jobs({ city, page }) },
);
const salaryOf = suite.cacheable(async (level: 'junior' | 'senior') => (level === 'senior' ? 90_000 : 50_000), {
  key: (level) => k.salary({ level }),
});

app.get('/jobs/:city/:page', async (req, res) => {
  res.json(await findJobs(req.params.city, Number(req.params.page)));
});
app.get('/salaries/senior', async (_req, res) => {
  res.json(await salaryOf('senior'));
});
app.post('/jobs/:city', async (req, res) => {
  const { city } = req.params;
  await suite.invalidate({ prefix: k.jobs.prefix({ city }) }); // Whatever a client calls a city, no other city begins so.
  res.sendStatus(204);
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/jobs/Oslo/1`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close(); // What the suite opened.
  redis?.disconnect(); // What you opened.
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
