/**
 * A weather service in front of a slow and unreliable source: one load at a time over all processes, stale values while it is asked again or fails, conditional reloads, many
 * cities by one call, and copies in memory that need no Redis for a second.
 *
 *   npx tsx examples/data-cache.ts
 *   curl localhost:3000/weather/Oslo                     slow once, then at once
 *   curl 'localhost:3000/weather?city=Oslo&city=Rome'    asks the source for what is missing, by one call
 *   curl -X POST localhost:3000/source/down              from now on it fails: what is known is still served
 *   curl localhost:3000/explain/Oslo                     what is known of a value, and why it is or is not returned
 */
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

interface Weather {
  readonly city: string;
  readonly celsius: number;
  readonly at: Date;
}

/** Your source: slow, now and then down, and it can say that nothing has changed. */
const source = {
  calls: 0,
  isDown: false,
  revision: 1,
  async ask(cities: readonly string[], known?: string): Promise<{ revision: string; list: Weather[] } | 'unchanged'> {
    source.calls++;
    await sleep(200);
    if (source.isDown) throw new Error('The weather service is down');
    if (known === String(source.revision)) return 'unchanged';
    const list = cities.map((city) => ({ city, celsius: city.length * 2 + source.revision, at: new Date() }));
    return { revision: String(source.revision), list };
  },
};

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'weather', memory: '16mb', maxStaleness: '1s' });
const weather = suite.data.namespace('weather', {
  ttl: '2s',
  staleWhileRevalidate: '10s', // For so long after that it is returned at once and asked for behind.
  failSafe: '1h', // For so long it is better than an error.
  hardTimeout: '1s',
});

const app = express();

app.get('/weather/:city', async (req, res) => {
  const { city } = req.params;
  const value = await weather.getOrSet<Weather>(city, async ({ stale, validator, notModified }) => {
    const answer = await source.ask([city], stale?.validator);
    if (answer === 'unchanged') return notModified();
    validator(answer.revision);
    return answer.list[0] as Weather;
  });
  res.json({ city, celsius: value.celsius, minutesOld: Math.round((Date.now() - value.at.getTime()) / 60_000) });
});

app.get('/weather', async (req, res) => {
  const cities = [req.query['city'] ?? []].flat().map(String);
  const values = await weather.getOrSetMany<Weather>(cities, async (missing) => {
    const answer = await source.ask(missing);
    return new Map(answer === 'unchanged' ? [] : answer.list.map((each) => [each.city, each]));
  });
  res.json(values.map((value, i) => ({ city: cities[i], celsius: value?.celsius })));
});

app.get('/explain/:city', async (req, res) => {
  res.json(await weather.explain(req.params.city));
});

app.post('/source/:state', (req, res) => {
  source.isDown = req.params.state === 'down';
  if (req.params.state === 'changed') source.revision++;
  res.status(204).end();
});

app.get('/stats', (_req, res) => {
  const { data, memory } = suite.stats();
  res.json({ calls: source.calls, data, memory });
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/weather/Oslo`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
  await suite.close();
  redis?.disconnect(); // What you opened.
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
