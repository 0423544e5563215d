// The limiters as middleware of an Express application. Each is opened with a connection and a limit per minute and returns a handler; clients are told by X-Forwarded-For.
import express from 'express';

export const limitApps = {
  none: { title: 'no limiter', mount: () => (_req, _res, next) => next() },
  suite: { title: '`suite.rateLimit`', mount: mountSuite },
  'rate-limit-redis': { title: 'express-rate-limit + rate-limit-redis', mount: mountRateLimitRedis },
};

/** Routes of one application: `/below/…` under a limit that nobody reaches, `/flood/…` over one that all have used up. */
export async function createLimitApp(name, redis) {
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', 1);
  const { mount } = limitApps[name];
  app.use('/below', await mount(redis, 'below', 1_000_000));
  app.use('/flood', await mount(redis, 'flood', 1));
  app.use((_req, res) => res.json({ ok: true }));
  return app;
}

async function mountSuite(redis, name, limit) {
  const { rateLimit } = await import('express-redis-suite');
  const logger = { info: () => undefined, warn: console.warn };
  return rateLimit({ redis, prefix: 'suite', deadline: '5s', logger, name, limit, window: '1m' });
}

async function mountRateLimitRedis(redis, name, limit) {
  const { rateLimit } = await import('express-rate-limit');
  const { RedisStore } = await import('rate-limit-redis');
  const store = new RedisStore({ sendCommand: (...command) => redis.call(...command), prefix: `rlr:${name}:` });
  return rateLimit({ limit, windowMs: 60_000, standardHeaders: 'draft-8', legacyHeaders: false, store });
}
