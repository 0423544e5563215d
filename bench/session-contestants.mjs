// The contestants of the session benchmark. Each is one Express application with the same routes; only what gives them their sessions differs.
import { createHmac, timingSafeEqual } from 'node:crypto';
import express from 'express';

/** What a request does with its session. */
export const USES = ['unread', 'unchanged', 'changed'];

/** Bytes of a session as JSON, its cookie's attributes left out. */
export const SESSION_SIZES = { '300B': 300, '4KB': 4096 };

const SECRET = 'the secret that signs the cookies of this benchmark';
const PREFIX = 'bench';

/** Per contestant: its line in the report, whether it is this package, and what it puts before the routes. */
export const sessionContestants = {
  none: { title: 'no session', own: false, mount: () => undefined, routes: declareNone },
  ceiling: { title: 'signed cookie + one `GET`', own: false, mount: mountCeiling },
  memory: { title: 'express-session, MemoryStore', own: false, mount: mountMemory },
  'connect-redis': { title: 'connect-redis 8.1', own: false, mount: mountConnectRedis({}) },
  'no-touch': {
    title: 'connect-redis 8.1, `disableTouch`',
    own: false,
    mount: mountConnectRedis({ disableTouch: true }),
  },
  ours: { title: '`suite.session`', own: true, mount: mountSuite },
};

/** Builds the application of one contestant. */
export async function createSessionApp(name, size, redisPort) {
  const app = express();
  app.disable('x-powered-by');
  const { mount, routes = declareRoutes } = sessionContestants[name];
  await mount(app, redisPort);
  routes(app, sessionOf(size));
  return app;
}

/** A session of a shop: some small properties and a large one. */
function sessionOf(size) {
  const session = { userId: 'u-4711', roles: ['customer'], csrf: 'c'.repeat(32), cart: [], views: 0 };
  const item = (i) => ({ sku: `s-${String(i).padStart(4, '0')}`, quantity: 1 + (i % 5), note: '' });
  const lengthNow = () => Buffer.byteLength(JSON.stringify(session));
  while (lengthNow() + 50 < size) session.cart.push(item(session.cart.length));
  session.cart[0].note = '.'.repeat(Math.max(0, size - lengthNow()));
  return session;
}

/** `/changed` starts from `views: 0` and counts to many digits: what it adds to the size does not matter. */
function declareRoutes(app, session) {
  app.get('/begin', (req, res) => {
    Object.assign(req.session, session);
    res.json({ ok: true });
  });
  app.get('/unread', (_req, res) => res.json({ ok: true }));
  app.get('/unchanged', (req, res) => res.json({ ok: req.session.userId === session.userId }));
  app.get('/changed', (req, res) => {
    req.session.views++;
    res.json({ ok: req.session.userId === session.userId });
  });
}

function declareNone(app) {
  for (const path of ['/begin', ...USES.map((use) => `/${use}`)]) app.get(path, (_req, res) => res.json({ ok: true }));
}

/** The least that a session in Redis can cost: no express-session, no saving, no expiry. */
async function mountCeiling(app, redisPort) {
  const redis = await connect(redisPort);
  const sign = (id) => createHmac('sha256', SECRET).update(id).digest('base64url');
  const ids = { next: 1 };
  const keyOf = (id) => `${PREFIX}:ceiling:${id}`;
  app.use((req, res, next) => {
    const found = /(?:^|; )sid=([^;.]*)\.([^;]*)/.exec(req.headers.cookie ?? '');
    if (found === null) {
      const created = `i${String(ids.next++).padStart(31, '0')}`;
      req.session = {};
      res.setHeader('Set-Cookie', `sid=${created}.${sign(created)}; Path=/; HttpOnly`);
      res.once('finish', () => void redis.set(keyOf(created), JSON.stringify(req.session)));
      next();
      return;
    }
    const [, id, mac] = found;
    const expected = Buffer.from(sign(id));
    const given = Buffer.from(mac);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      res.sendStatus(401);
      return;
    }
    void redis.get(keyOf(id)).then((text) => {
      req.session = JSON.parse(text);
      next();
    }, next);
  });
}

async function mountMemory(app) {
  const { default: session } = await import('express-session');
  const store = new session.MemoryStore();
  app.use(session({ secret: SECRET, resave: false, saveUninitialized: false, store }));
}

function mountConnectRedis(options) {
  return async (app, redisPort) => {
    const { default: session } = await import('express-session');
    const { RedisStore } = await import('connect-redis');
    const store = new RedisStore({ client: await connect(redisPort), ...options });
    app.use(session({ secret: SECRET, resave: false, saveUninitialized: false, store }));
  };
}

async function mountSuite(app, redisPort) {
  const { createSuite } = await import('express-redis-suite');
  const logger = { info: () => undefined, warn: console.warn };
  // Patient, as connect-redis is without end: on a busy machine the default of 100 ms would turn some answers into errors.
  const suite = createSuite({ redis: await connect(redisPort), prefix: PREFIX, logger, deadline: '5s' });
  app.use(suite.session({ secret: SECRET }));
}

async function connect(port) {
  const { Redis } = await import('ioredis');
  const redis = new Redis({ host: '127.0.0.1', port, lazyConnect: true });
  await redis.connect();
  return redis;
}
