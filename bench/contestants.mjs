// The contestants. Each is one Express application with one route; only what answers that route differs.
import express from 'express';
import { CACHE_CONTROL, ids, itemBuilder, preparedItem } from './payload.mjs';

const ROUTE = '/items/:id';

/** Per contestant: its line in the report, whether its handler must not run again for a URL fetched before, and whether it is this package. */
export const contestants = {
  express: { title: 'Express + prepared buffer', cached: false, own: false, mount: mountPrepared },
  'raw-get': { title: 'Express + one raw `GET`', cached: false, own: false, mount: mountRawGet },
  uncached: { title: 'uncached handler', cached: false, own: false, mount: mountUncached },
  strong: { title: '`suite.cache`, strong', cached: true, own: true, mount: mountSuite({}) },
  bounded: {
    title: '`suite.cache`, bounded 50 ms',
    cached: true,
    own: true,
    mount: mountSuite({ maxStaleness: '50ms' }),
  },
  copies: {
    title: '`suite.cache`, copies in memory, bounded 1 s',
    cached: true,
    own: true,
    mount: mountSuite({ maxStaleness: '1s', memory: '64mb' }),
  },
  embedded: { title: '`suite.cache`, embedded', cached: true, own: true, mount: mountSuite({ backend: 'memory' }) },
  apicache: { title: 'apicache, in memory', cached: true, own: false, mount: mountApicache },
};

/** Builds the application of one contestant. `redisPort` is given to those that use Redis. Returns it with the counter of handler runs. */
export async function createApp(name, size, redisPort) {
  const app = express();
  // The baselines write their headers in one call. A header set beforehand would send all of them down Node's slower path.
  app.disable('x-powered-by');
  const runs = { count: 0 };
  await contestants[name].mount(app, { name, size, redisPort, handler: createHandler(size, runs) });
  return { app, runs };
}

/** The handler the caches stand in front of, and the one `uncached` runs every time. */
function createHandler(size, runs) {
  const itemOf = itemBuilder(size);
  return function showItem(req, res) {
    runs.count++;
    res.set('Cache-Control', CACHE_CONTROL);
    res.json(itemOf(req.params.id));
  };
}

function preparedItems(size) {
  const itemOf = itemBuilder(size);
  return new Map(ids.map((id) => [id, preparedItem(itemOf(id))]));
}

function mountPrepared(app, { size }) {
  const items = preparedItems(size);
  app.get(ROUTE, (req, res) => {
    const { body, headers } = items.get(req.params.id);
    res.writeHead(200, headers);
    res.end(body);
  });
}

async function mountRawGet(app, { size, redisPort, name }) {
  const redis = await connect(redisPort);
  const items = preparedItems(size);
  const keyOf = (id) => `${name}:${size}:${id}`;
  await Promise.all([...items].map(([id, { body }]) => redis.set(keyOf(id), body)));
  app.get(ROUTE, (req, res, next) => {
    const { id } = req.params;
    const answer = (body) => {
      res.writeHead(200, items.get(id).headers);
      res.end(body);
    };
    void redis.getBuffer(keyOf(id)).then(answer, next);
  });
}

function mountUncached(app, { handler }) {
  app.get(ROUTE, handler);
}

function mountSuite({ backend, ...options }) {
  return async (app, { name, size, redisPort, handler }) => {
    const { createSuite } = await import('express-redis-suite');
    const source = backend === 'memory' ? { backend } : { redis: await connect(redisPort) };
    const logger = { info: () => undefined, warn: console.warn };
    const suite = createSuite({ ...source, ...options, logger, prefix: `${name}:${size}` });
    app.get(ROUTE, suite.cache({ ttl: '1h', tags: (req) => [`item:${String(req.params.id)}`] }), handler);
  };
}

async function mountApicache(app, { handler }) {
  const { default: apicache } = await import('apicache');
  app.get(ROUTE, apicache.middleware('1 hour'), handler);
}

async function connect(port) {
  const { Redis } = await import('ioredis');
  const redis = new Redis({ host: '127.0.0.1', port, lazyConnect: true });
  await redis.connect();
  return redis;
}
