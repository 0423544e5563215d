// What the invalidation benchmark stores: many tiny entries that carry one tag each. Shared by those who fill and the one who measures.
import { Redis } from 'ioredis';
import { createSuite } from 'express-redis-suite';

export const tagOf = (count) => `carried-by-${count}`;
export const keyOf = (count, i) => `n${count}:${i}`;

/** A suite on a connection of its own, under the prefix of this benchmark. */
export async function openSuite(port, options = {}) {
  const redis = new Redis({ host: '127.0.0.1', port, lazyConnect: true });
  await redis.connect();
  const logger = { info: () => undefined, warn: console.warn };
  return { redis, suite: createSuite({ redis, prefix: 'invalidation', logger, ...options }) };
}
