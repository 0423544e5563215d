/**
 * Tags: an answer is tagged with everything it shows, and a change names what changed. Neither knows of the other.
 *
 *   npx tsx examples/tags.ts
 *   curl -i localhost:3000/shelves/fruit          shows two products
 *   curl -i -X PUT 'localhost:3000/products/2?price=3'
 *   curl -i localhost:3000/shelves/fruit          made anew; /shelves/tools is still cached
 */
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

const products = [
  { id: '1', name: 'Apple', shelf: 'fruit', price: 1 },
  { id: '2', name: 'Pear', shelf: 'fruit', price: 2 },
  { id: '3', name: 'Hammer', shelf: 'tools', price: 20 },
];

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'tags' });
const app = express();

// Known from the request alone: the shelf. Known only to the handler: the products on it.
const shelfCache = suite.cache({ ttl: '1h', query: [], tags: (req) => [`shelf:${String(req.params['shelf'])}`] });
app.get('/shelves/:shelf', shelfCache, (req, res) => {
  const found = products.filter(({ shelf }) => shelf === req.params['shelf']);
  res.cache.tag(...found.map(({ id }) => `product:${id}`));
  res.json(found);
});

// Only a success invalidates: the 404 and the 400 leave every entry alone.
const forgetProduct = suite.invalidateAfter((req) => [`product:${String(req.params['id'])}`]);
app.put('/products/:id', forgetProduct, (req, res) => {
  const product = products.find(({ id }) => id === req.params['id']);
  const price = Number(req.query['price']);
  if (product === undefined) res.status(404).json({ error: 'No such product' });
  else if (!(price > 0)) res.status(400).json({ error: 'Send a price above 0, such as ?price=3' });
  else res.json(Object.assign(product, { price }));
});

// From anywhere else, say when a delivery arrives. Rejects when Redis did not confirm it: other processes may then still serve the old answers.
app.post('/deliveries/:shelf', async (req, res) => {
  await suite.invalidate([`shelf:${req.params.shelf}`]);
  res.json({ forgotten: `shelf:${req.params.shelf}` });
});

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/shelves/fruit`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close();
  redis?.disconnect();
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
