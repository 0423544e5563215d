/**
 * Controller classes: what stands before a route is said at its method, and methods are handed to Express as they are.
 *
 *   npx tsx examples/controllers.ts       Redis: REDIS_URL, else localhost:6379
 *   curl -i localhost:3000/products/7     kept for a minute (see Cache-Status), at most 100 times in that
 *   curl -i -X PUT 'localhost:3000/products/7?price=3'
 */
import type { AddressInfo } from 'node:net';
import express, { type Request, type RequestHandler, type Response } from 'express';
import { createRedis, createRouteDecorators, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'

type ById = Request<{ id: string }>;

const redis = createRedis();
const suite = createSuite({ redis, prefix: 'controllers' });
const { cached, invalidates, limited, before } = createRouteDecorators(suite);

const productOf = (req: Request): string[] => [`product:${String(req.params['id'])}`];
const requirePrice: RequestHandler = (req, res, next) => {
  if (Number(req.query['price']) > 0) next();
  else res.status(400).json({ error: 'Send a price above 0, such as ?price=3' });
};

class Products {
  private readonly prices = new Map([['7', 2]]);

  // The upper one runs first: a hit counts as well.
  @limited({ name: 'show-product', limit: 100, window: '1m' })
  @cached({ ttl: '1m', query: [], tags: productOf })
  show(req: ById, res: Response): void {
    res.json({ id: req.params.id, price: this.prices.get(req.params.id) });
  }

  @before(requirePrice)
  @invalidates(productOf)
  async save(req: ById, res: Response): Promise<void> {
    this.prices.set(req.params.id, Number(req.query['price']));
    res.sendStatus(204);
  }
}

const products = new Products();
const app = express();
app.get('/products/:id', products.show); // No bind: a decorated method keeps its object.
app.put('/products/:id', products.save);

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error !== undefined) throw error;
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}/products/7`);
});

async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve)); // Requests under way are still answered.
  await suite.close(); // What the suite opened.
  redis?.disconnect(); // What you opened.
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
