/**
 * Redis Cluster: the same code. Entries spread over the masters, and one frozen master costs only the entries that live on it.
 *
 *   REDIS_CLUSTER_NODES=127.0.0.1:7000,127.0.0.1:7001 npx tsx examples/cluster.ts
 *   curl -i localhost:3000/time/Paris
 *   curl -i -X POST localhost:3000/time/Paris/forget
 */
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

if ((process.env['REDIS_CLUSTER_NODES'] ?? '') === '') {
  console.error('Set REDIS_CLUSTER_NODES to some nodes of your Cluster, such as 127.0.0.1:7000,127.0.0.1:7001');
  process.exit(1);
}

const redis = createRedis(); // Reads REDIS_CLUSTER_NODES. For your own options: createRedis({ clusterNodes: ['127.0.0.1:7000']  })
const suite = createSuite({ redis, prefix: 'cluster' });

// Each master is on its own: the others go on being used.
suite.events.on('redis:degraded', ({ node }) =>
  console.warn(`${node} does not answer: its part of the cache is passed by`),
);
suite.events.on('redis:recovered', ({ node }) => console.warn(`${node} is back`));

const app = express();

app.get(
  '/time/:city',
  suite.cache({ ttl: '1m', query: [], tags: (req) => [`city:${String(req.params['city'])}`] }),
  (req, res) => {
    res.json({ city: req.params['city'], askedAt: new Date().toISOString() });
  },
);

app.post('/time/:city/forget', async (req, res) => {
  await suite.invalidate([`city:${req.params.city}`]); // Every process that shares the Cluster sees it.
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
