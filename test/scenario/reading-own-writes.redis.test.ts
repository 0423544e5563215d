import { describe, expect, it } from '@jest/globals';
import express from 'express';
import type { Cluster, Redis } from 'ioredis';
import { createSuite } from '../../src/index.ts';
import { ask, listen } from '../http-cache/support.ts';
import { gate, until } from '../support/waiting.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';

interface Shop {
  price: number;
  /** How often the price was looked up. */
  lookups: number;
  /** What lookups wait for before they answer with the price they have read. */
  delay: Promise<void> | undefined;
}

/** One process of a shop: its own connection, its own suite. All share a database. */
function openProcess(shop: Shop, redis: Redis | Cluster, prefix: string): Promise<number> {
  const suite = createSuite({ redis, prefix, deadline: '2s' });
  const app = express();
  app.get('/price', suite.cache({ ttl: '1h', tags: ['price'] }), async (_req, res) => {
    shop.lookups++;
    const read = shop.price;
    await shop.delay;
    res.json(read);
  });
  app.put('/price/:price', suite.invalidateAfter('price'), (req, res) => {
    shop.price = Number(req.params['price']);
    res.set('Content-Length', '4').write('done');
    setTimeout(() => res.end(), 10);
  });
  return listen(app);
}

describe.each<[string, () => Redis | Cluster]>([
  ['one server', testRedis],
  ['a Cluster', testCluster],
])('two processes on %s', (_name, connect) => {
  it('show every reader the last price that was written, whichever of them is asked', async () => {
    const shop: Shop = { price: 1, lookups: 0, delay: undefined };
    const prefix = uniquePrefix();
    const ports = await Promise.all([openProcess(shop, connect(), prefix), openProcess(shop, connect(), prefix)]);
    for (let price = 2; price < 12; price++) {
      const writer = ports[price % 2] ?? 0;
      const written = await fetch(`http://127.0.0.1:${writer}/price/${price}`, { method: 'PUT' });
      const seen = await Promise.all([...ports, ...ports].map(async (port) => (await ask(port, '/price')).text));
      await written.text();
      expect(seen).toEqual(seen.map(() => String(price)));
    }
    const before = shop.lookups;
    for (const port of ports) expect((await ask(port, '/price')).text).toBe('11');
    expect(shop.lookups).toBe(before);
  });

  it('never store the old price for the next reader, though one of them was still working on it', async () => {
    const slow = gate();
    const shop: Shop = { price: 1, lookups: 0, delay: slow.passed };
    const prefix = uniquePrefix();
    const [one, two] = await Promise.all([openProcess(shop, connect(), prefix), openProcess(shop, connect(), prefix)]);
    const early = ask(one, '/price');
    await until(() => shop.lookups === 1);
    expect((await ask(two, '/price/2', { method: 'PUT' })).status).toBe(200);
    shop.delay = undefined;
    const meanwhile = ask(one, '/price');
    slow.open();
    expect((await early).text).toBe('1');
    expect((await meanwhile).text).toBe('2');
    for (const port of [one, two, one]) expect((await ask(port, '/price')).text).toBe('2');
  });
});
