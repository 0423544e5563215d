/**
 * Redis Sentinel: the same code. During a failover the handlers answer; after it the cache works on the new master.
 *
 *   REDIS_SENTINELS=127.0.0.1:26379 REDIS_SENTINEL_NAME=mymaster npx tsx examples/sentinel.ts
 *   curl -i localhost:3000/time/Paris
 *   curl -i -X POST localhost:3000/time/Paris/forget
 */
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

if ((process.env['REDIS_SENTINELS'] ?? '') === '') {
  console.error(
    'Set REDIS_SENTINELS to your sentinels, such as 127.0.0.1:26379, and REDIS_SENTINEL_NAME to the name they watch, such as mymaster',
  );
  process.exit(1);
}

const redis = createRedis(); // Reads REDIS_SENTINELS and REDIS_SENTINEL_NAME. For your own options: createRedis({ sentinels: ['127.0.0.1:26379'], sentinelName: 'mymaster'  })
const suite = createSuite({ redis, prefix: 'sentinel' });

suite.events.on('redis:degraded', () => console.warn('The master does not answer: the cache is passed by'));
suite.events.on('redis:recovered', () => console.warn('There is a master again'));

const app = express();

app.get(
  '/time/:city',
  suite.cache({ ttl: '1m', query: [], tags: (req) => [`city:${String(req.params['city'])}`] }),
  (req, res) => {
    res.json({ city: req.params['city'], askedAt: new Date().toISOString() });
  },
);

app.post('/time/:city/forget', async (req, res) => {
  await suite.invalidate([`city:${req.params.city}`]); // Every process that shares the deployment sees it.
  res.json({ forgotten: req.params.city });
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/time/Paris`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close();
  redis?.disconnect();
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
