// The limiters that are compared. Each is opened with a connection and policies ({ name, limit, windowMs }) and returns a function: key -> whether it may.
import { createSortedSetLimiter } from './sorted-set-limiter.mjs';

export const limiters = {
  suite: { title: '`suite.rateLimiter`', own: true, open: openSuite },
  'rate-limit-redis': { title: 'rate-limit-redis', own: false, open: openRateLimitRedis },
  flexible: { title: 'rate-limiter-flexible', own: false, open: openFlexible },
  'sorted-set': { title: 'sorted set', own: false, open: openSortedSet },
};

async function openSuite(redis, policies) {
  const { createRateLimiter } = await import('express-redis-suite');
  const logger = { info: () => undefined, warn: console.warn };
  const options = policies.map(({ name, limit, windowMs }) => ({ name, limit, windowMs }));
  const name = policies.map((policy) => policy.name).join('-');
  const limiter = createRateLimiter({ redis, prefix: 'suite', deadline: '5s', logger, name, policies: options });
  return async (key) => (await limiter.take(key)).allowed;
}

/** Its store as express-rate-limit calls it, without what express-rate-limit itself costs. Several policies are several middlewares, one after another. */
async function openRateLimitRedis(redis, policies) {
  const { RedisStore } = await import('rate-limit-redis');
  const stores = policies.map(async ({ name, limit, windowMs }) => {
    const store = new RedisStore({ sendCommand: (...command) => redis.call(...command), prefix: `rlr:${name}:` });
    await store.init({ windowMs });
    return { store, limit };
  });
  const opened = await Promise.all(stores);
  return async (key) => {
    for (const { store, limit } of opened) if ((await store.increment(key)).totalHits > limit) return false;
    return true;
  };
}

async function openFlexible(redis, policies) {
  const { RateLimiterRedis, RateLimiterUnion } = (await import('rate-limiter-flexible')).default;
  const all = policies.map(({ name, limit, windowMs }) => {
    return new RateLimiterRedis({
      storeClient: redis,
      points: limit,
      duration: windowMs / 1000,
      keyPrefix: `rlx:${name}`,
    });
  });
  const limiter = all.length === 1 ? all[0] : new RateLimiterUnion(...all);
  return async (key) => {
    try {
      await limiter.consume(key);
      return true;
    } catch (refusal) {
      if (refusal instanceof Error) throw refusal;
      return false;
    }
  };
}

async function openSortedSet(redis, policies) {
  const all = policies.map((policy) => createSortedSetLimiter(redis, policy));
  return async (key) => {
    for (const isAllowed of all) if (!(await isAllowed(key))) return false;
    return true;
  };
}
