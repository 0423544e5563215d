/**
 * What a shop warms before it takes traffic: products one by one, prices in batches, and the pages everybody opens first.
 *
 *   npx tsx src/cli/cli.ts warm examples/warm-plan.mjs
 *   npx tsx src/cli/cli.ts warm examples/warm-plan.mjs --per-second 200 --concurrency 8
 *
 * Where the package is installed, and imported from below: npx express-redis-suite warm ./warm-plan.mjs
 *
 * Interrupt it with Ctrl-C and run it again: it goes on where it stopped.
 */
import express from 'express';
import { createRedis, createSuite, definePlan } from '../src/index.ts'; // In your program: from 'express-redis-suite'

const redis = createRedis();
export const suite = createSuite({ redis, prefix: 'warm', ...(redis === undefined && { backend: 'memory' }) });

const database = {
  count: Number(process.env['PRODUCTS'] ?? 200),
  async product(id) {
    await new Promise((resolve) => setTimeout(resolve, 2)); // A query.
    return { id, name: `Product ${id}` };
  },
};

const app = express();
app.get(
  '/products/:id',
  suite.cache({ ttl: '10m', tags: (req) => [`product:${String(req.params.id)}`] }),
  async (req, res) => {
    res.json(await database.product(Number(req.params.id)));
  },
);

function* items() {
  for (let id = 1; id <= database.count; id++) {
    yield { key: `product:${id}`, load: () => database.product(id), ttl: '1h', tags: [`product:${id}`] };
  }
  for (const id of [1, 2, 3]) yield { url: `/products/${id}` };
}

export const plan = definePlan({
  name: 'shop',
  items, // A function: an interrupted run can be gone on with.
  total: database.count + 3,
  app,
  baseUrl: 'https://shop.example', // Scheme and host are part of what is stored.
});

/** The suite leaves the connection open: it is yours. */
export const close = () => redis?.disconnect();
