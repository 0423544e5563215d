// The data caches that are compared. Each is opened on a database of its own and gives `get(key, tags)`: the value, made by `load(key)` and stored when there is none. Those that have tags give
// `invalidate(tag)` as well. Options are their defaults but for what a row is about; TTLs are an hour.
import { Redis } from 'ioredis';

const HOUR_MS = 3_600_000;
const LOCAL_BYTES = '64mb';

export const dataContestants = {
  raw: { title: '`GET` + `JSON.parse`', reads: 'redis', open: openRaw },
  suite: { title: '`suite.data`', reads: 'redis', hasTags: true, isShared: true, open: suiteWith({}) },
  'suite-bounded': {
    title: "`suite.data`, `maxStaleness: '1s'`",
    reads: 'redis',
    open: suiteWith({ maxStaleness: '1s' }),
  },
  bentocache: { title: 'bentocache, Redis', reads: 'redis', hasTags: true, open: bentocacheWith({ isTiered: false }) },
  cacheable: { title: 'cacheable, Redis', reads: 'redis', hasTags: true, open: cacheableWith({ isTiered: false }) },
  dedupe: { title: 'async-cache-dedupe, Redis', reads: 'redis', hasTags: true, isShared: true, open: openDedupe },
  'suite-tiered': {
    title: "`suite.data`, `memory: '64mb'` (strong)",
    reads: 'memory',
    open: suiteWith({ memory: LOCAL_BYTES }),
  },
  'suite-local': {
    title: "`suite.data`, `memory: '64mb', maxStaleness: '1s'`",
    reads: 'memory',
    open: suiteWith({ memory: LOCAL_BYTES, maxStaleness: '1s' }),
  },
  'suite-frozen': {
    title: "the same, `data: { values: 'frozen' }`",
    reads: 'memory',
    open: suiteWith({ memory: LOCAL_BYTES, maxStaleness: '1s', data: { values: 'frozen' } }),
  },
  'bentocache-tiered': {
    title: 'bentocache, memory and Redis',
    reads: 'memory',
    isShared: true,
    open: bentocacheWith({ isTiered: true }),
  },
  'cacheable-tiered': {
    title: 'cacheable, memory and Redis',
    reads: 'memory',
    isShared: true,
    open: cacheableWith({ isTiered: true }),
  },
  'dedupe-memory': { title: 'async-cache-dedupe, memory alone', reads: 'memory', open: openDedupeInMemory },
};

async function connect({ port, db }) {
  const redis = new Redis({ host: '127.0.0.1', port, db, lazyConnect: true });
  await redis.connect();
  return redis;
}

async function openRaw(place, load) {
  const redis = await connect(place);
  return {
    get: async (key) => {
      const text = await redis.get(key);
      if (text !== null) return JSON.parse(text);
      const value = await load(key);
      await redis.set(key, JSON.stringify(value), 'PX', HOUR_MS);
      return value;
    },
  };
}

function suiteWith(options) {
  return async (place, load) => {
    const { createSuite } = await import('express-redis-suite');
    const redis = await connect(place);
    const logger = { info: () => undefined, warn: console.warn };
    const suite = createSuite({ redis, prefix: 'bench', deadline: '5s', defaultTtl: '1h', logger, ...options });
    return {
      get: (key, tags) => suite.data.getOrSet(key, () => load(key), tags && { tags }),
      invalidate: (tag) => suite.invalidate([tag]),
    };
  };
}

function bentocacheWith({ isTiered }) {
  return async (place, load) => {
    const { BentoCache, bentostore } = await import('bentocache');
    const { redisBusDriver, redisDriver } = await import('bentocache/drivers/redis');
    const { memoryDriver } = await import('bentocache/drivers/memory');
    const redis = await connect(place);
    const l2 = bentostore().useL2Layer(redisDriver({ connection: redis }));
    const { host, port } = redis.options;
    const store = isTiered
      ? l2.useL1Layer(memoryDriver({ maxItems: 10_000 })).useBus(redisBusDriver({ connection: { host, port } }))
      : l2;
    const cache = new BentoCache({ default: 'only', stores: { only: store } });
    return {
      get: (key, tags) => cache.getOrSet({ key, factory: () => load(key), ttl: HOUR_MS, ...(tags && { tags }) }),
      invalidate: (tag) => cache.deleteByTag({ tags: [tag] }),
    };
  };
}

function cacheableWith({ isTiered }) {
  return async ({ port, db }, load, { isTagged = false } = {}) => {
    const { Cacheable } = await import('cacheable');
    const { default: KeyvRedis } = await import('@keyv/redis');
    const redis = new KeyvRedis(`redis://127.0.0.1:${port}/${db}`);
    const cache = new Cacheable({ ...(isTiered ? { secondary: redis } : { primary: redis }), tags: isTagged });
    /** Its getOrSet takes no tags. */
    const getTagged = async (key, tags) => {
      const found = await cache.get(key);
      if (found !== undefined) return found;
      const value = await load(key);
      await cache.set(key, value, { ttl: HOUR_MS, tags });
      return value;
    };
    return {
      get: isTagged ? getTagged : (key) => cache.getOrSet(key, () => load(key), { ttl: HOUR_MS }),
      invalidate: (tag) => cache.tags.invalidateTag(tag),
    };
  };
}

async function openDedupe(place, load, { isTagged = false } = {}) {
  const { createCache } = await import('async-cache-dedupe');
  const client = await connect(place);
  const storage = { type: 'redis', options: { client, ...(isTagged && { invalidation: { referencesTTL: 3_600 } }) } };
  const cache = createCache({ ttl: 3_600, storage });
  const references = isTagged ? { references: ({ tags }) => tags ?? [] } : {};
  cache.define('item', { serialize: ({ key }) => key, ...references }, ({ key }) => load(key));
  return {
    get: (key, tags) => cache.item({ key, tags }),
    invalidate: (tag) => cache.invalidate('item', [tag]),
  };
}

async function openDedupeInMemory(_place, load) {
  const { createCache } = await import('async-cache-dedupe');
  const cache = createCache({ ttl: 3_600, storage: { type: 'memory', options: { size: 10_000 } } });
  cache.define('item', (key) => load(key));
  return { get: (key) => cache.item(key) };
}
