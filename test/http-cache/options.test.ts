import { describe, expect, it } from '@jest/globals';
import express from 'express';
import { cacheControl, ConfigError, httpCache } from '../../src/index.ts';
import { uniquePrefix } from '../support/connections.ts';
import { ask, HIT, listen, openSuite, STORED, verdict } from './support.ts';
import { until } from '../support/waiting.ts';

describe('options', () => {
  it.each<[string, unknown]>([
    ['ttl', 300],
    ['ttl', '5 minutes'],
    ['ttl', 0],
    ['ttl', 'forever'],
    ['negativeTtl', 30],
    ['clientTtl', '-1s'],
    ['keyPrefix', ''],
    ['tags', 'products'],
    ['tags', ['']],
    ['key', 'products'],
    ['query', 'page'],
    ['query', [1]],
    ['vary', 'Accept'],
    ['user', 'ann'],
    ['cookies', 'share'],
    ['condition', true],
    ['skip', false],
    ['maxBytes', '1 megabyte'],
    ['jitter', 2],
    ['jitter', -0.1],
    ['ttls', '5m'],
  ])('refuse %s: %j when the route is made, by name', (name, value) => {
    const make = (): unknown => openSuite('memory').cache({ [name]: value });
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(name);
  });

  it.each([
    ['short', 60],
    ['medium', 300],
    ['standard', 900],
    ['long', 3_600],
    ['veryLong', 86_400],
    ['week', 604_800],
    ['90s', 90],
    [90_000, 90],
  ] as const)('a ttl of %s is %i seconds', async (ttl, seconds) => {
    const app = express();
    app.get('/', openSuite('memory').cache({ ttl, jitter: 0 }), (_req, res) => void res.send('x'));
    const port = await listen(app);
    await ask(port, '/');
    expect((await ask(port, '/')).headers['cache-status']).toBe(`express-redis-suite; hit; ttl=${seconds - 1}`);
  });

  it('jitter shortens lifetimes, by no more than it says', async () => {
    const app = express();
    app.get('/:id', openSuite('memory').cache({ ttl: '1000s', jitter: 0.5 }), (_req, res) => void res.send('x'));
    const port = await listen(app);
    const ttls = new Set<number>();
    for (let id = 0; id < 20; id++) {
      await ask(port, `/${id}`);
      ttls.add(Number(/ttl=(\d+)/.exec(String((await ask(port, `/${id}`)).headers['cache-status']))?.[1]));
    }
    expect(ttls.size).toBeGreaterThan(3);
    expect(Math.min(...ttls)).toBeGreaterThanOrEqual(498);
    expect(Math.max(...ttls)).toBeLessThan(1_000);
  });

  it('a lifetime ends: the response is made anew', async () => {
    const app = express();
    let runs = 0;
    app.get('/', openSuite('memory').cache({ ttl: '30ms', jitter: 0 }), (_req, res) => void res.send(`run ${++runs}`));
    const port = await listen(app);
    await ask(port, '/');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await ask(port, '/')).text).toBe('run 2');
  });

  it('nothing of the ttl is told to clients, but of the clientTtl', async () => {
    const suite = openSuite('memory');
    const app = express();
    app.get('/plain', suite.cache({ ttl: '1m' }), (_req, res) => void res.send('x'));
    app.get('/told', suite.cache({ ttl: '1m', clientTtl: '10s' }), (_req, res) => void res.send('x'));
    app.get(
      '/private',
      suite.cache({ ttl: '1m', clientTtl: '10s', user: () => 'ann' }),
      (_req, res) => void res.send('x'),
    );
    app.get(
      '/own',
      suite.cache({ ttl: '1m', clientTtl: '10s' }),
      (_req, res) => void res.set('Cache-Control', 'max-age=7').send('x'),
    );
    const port = await listen(app);
    for (const [path, expected] of [
      ['/plain', undefined],
      ['/told', 'max-age=10'],
      ['/private', 'private, max-age=10'],
      ['/own', 'max-age=7'],
    ] as const) {
      for (let i = 0; i < 2; i++) expect((await ask(port, path)).headers['cache-control']).toBe(expected);
    }
  });

  it('of the standalone factory are those of a route and of its place', async () => {
    const app = express();
    app.get(
      '/',
      httpCache({ backend: 'memory', prefix: uniquePrefix(), ttl: '1m' }),
      (_req, res) => void res.send('x'),
    );
    const port = await listen(app);
    expect([verdict(await ask(port, '/')), verdict(await ask(port, '/'))]).toEqual([STORED, HIT]);
  });
});

describe('res.cache', () => {
  it('adds tags, sets the lifetime and skips, from inside the handler', async () => {
    const suite = openSuite('memory');
    const app = express();
    let runs = 0;
    app.get('/', suite.cache({ ttl: '1h', tags: ['route'], jitter: 0 }), (_req, res) => {
      res.cache.tag('a', 'b').tag('c').ttl('10s');
      res.send(`run ${++runs}`);
    });
    const port = await listen(app);
    let expected = 0;
    for (const tag of ['route', 'a', 'b', 'c']) {
      expect((await ask(port, '/')).text).toBe(`run ${++expected}`);
      expect((await ask(port, '/')).headers['cache-status']).toBe('express-redis-suite; hit; ttl=9');
      await suite.invalidate(tag);
    }
  });

  it('is there where the cache stays out of it', async () => {
    const app = express();
    app.get('/', openSuite('memory').cache({ ttl: '1m', skip: () => true }), (_req, res) => {
      res.cache.tag('a').ttl('1m').skip();
      res.send('x');
    });
    expect((await ask(await listen(app), '/')).text).toBe('x');
  });

  it.each(['', 7])('refuses a tag of %j', async (tag) => {
    const app = express().set('env', 'test');
    app.get('/', openSuite('memory').cache({ ttl: '1m' }), (_req, res) => {
      res.cache.tag(tag as string);
      res.send('x');
    });
    expect((await ask(await listen(app), '/')).status).toBe(500);
  });
});

describe('cacheControl', () => {
  it.each([
    [{}, ''],
    [{ public: true, maxAge: '5m' }, 'public, max-age=300'],
    [{ private: true, noCache: true }, 'private, no-cache'],
    [{ noStore: true, public: false }, 'no-store'],
    [
      { maxAge: 0, sMaxage: '1h', staleWhileRevalidate: '30s', staleIfError: 1_500 },
      'max-age=0, s-maxage=3600, stale-while-revalidate=30, stale-if-error=1',
    ],
    [
      { immutable: true, mustRevalidate: true, proxyRevalidate: true, noTransform: true },
      'immutable, must-revalidate, proxy-revalidate, no-transform',
    ],
  ] as const)('writes %j as %j', (fields, expected) => {
    expect(cacheControl(fields)).toBe(expected);
  });

  it.each<[object]>([
    [{ public: true, private: true }],
    [{ maxAge: 'soon' }],
    [{ surrogate: true }],
    [{ toString: true }],
  ])('refuses %j', (fields) => {
    expect(() => cacheControl(fields as never)).toThrow(ConfigError);
  });
});

describe('statistics and events', () => {
  it('count per route as it was written, and in total', async () => {
    const suite = openSuite('memory');
    const app = express();
    const router = express.Router();
    const told: string[] = [];
    for (const name of ['cache:hit', 'cache:miss', 'cache:store', 'cache:bypass'] as const) {
      suite.events.on(name, ({ route, key }) => told.push(`${name} ${route} ${key}`));
    }
    router.use('/all', suite.cache({ ttl: '1m' }));
    router.get('/all/:id', (_req, res) => void res.send('x'));
    router.get('/items/:id', suite.cache({ ttl: '1m', keyPrefix: 'p' }), (_req, res) => void res.send('x'));
    app.use('/api', router);
    const port = await listen(app);
    for (const id of [1, 1, 1, 2]) await ask(port, `/api/items/${id}`);
    await ask(port, '/api/items/1', { headers: { 'If-Match': '*' } });
    for (const id of [1, 1]) await ask(port, `/api/all/${id}`);
    await until(() => suite.stats().cache.stores === 3);
    const { routes, ...total } = suite.stats().cache;
    expect(total).toEqual({ hits: 3, misses: 3, stale: 0, bypasses: 1, stores: 3, errors: 0, hitRate: 0.5 });
    expect(routes).toEqual({
      '/api/items/:id': { hits: 2, misses: 2, stale: 0, bypasses: 1, stores: 2, errors: 0, hitRate: 0.5 },
      '/api/all': { hits: 1, misses: 1, stale: 0, bypasses: 0, stores: 1, errors: 0, hitRate: 0.5 },
    });
    expect(told.slice(0, 3).toSorted()).toEqual([
      'cache:hit /api/items/:id p:GET:/api/items/1',
      'cache:miss /api/items/:id p:GET:/api/items/1',
      'cache:store /api/items/:id p:GET:/api/items/1',
    ]);
  });
});
