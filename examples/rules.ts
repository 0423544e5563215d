/**
 * Rules: the code that changes things says what has happened, and the rules say what must go. Neither knows of the other.
 *
 *   npx tsx examples/rules.ts
 *   curl localhost:3000/products/1                     made, then cached
 *   curl 'localhost:3000/would-go/product.updated?id=1'   a dry run: what an event would invalidate
 *   curl -X PUT 'localhost:3000/products/1?price=3'    the store emits product.updated, the rules do the rest
 *   curl -X POST localhost:3000/catalog                a group: all that belongs together, in one call
 */
import { EventEmitter } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createRedis, createSuite, defineGroups, defineRules, entityRules } from '../src/index.ts'; // In your program: from 'express-redis-suite'

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'rules' });

// The part of the application that knows about changes, and of no cache.
const store = new EventEmitter();
const prices = new Map([
  ['1', 1],
  ['2', 2],
]);
function reprice(id: string, price: number): void {
  prices.set(id, price);
  store.emit('product.updated', { id });
}

// Ready rules of an entity, rules of your own, and a group.
suite.rules
  .use(entityRules('product'))
  .use(defineRules({ 'prices.imported': ({ ids }: { ids: string[] }) => ids.map((id) => `product:${id}`) }), {
    debounce: '100ms',
  })
  .use(defineGroups({ catalog: { tags: ['products', 'categories'], prefix: 'menu:' } }));
suite.rules.listen(store);

const app = express();
let made = 0;
app.get(
  '/products/:id',
  suite.cache({ ttl: '1h', tags: (req) => [`product:${String(req.params['id'])}`, 'products'] }),
  (req, res) => {
    res.json({ price: prices.get(String(req.params['id'])), made: ++made });
  },
);
app.put('/products/:id', (req, res) => {
  reprice(req.params.id, Number(req.query['price']));
  res.json({ repriced: req.params.id });
});
app.post('/catalog', async (_req, res) => {
  await suite.rules.trigger('catalog');
  res.json({ forgotten: 'catalog' });
});
app.get('/would-go/:event', async (req, res) => {
  res.json(await suite.rules.dryRun(req.params.event, req.query));
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/products/1`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close(); // Writes what is debounced.
  redis?.disconnect();
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
