import { AsyncLocalStorage } from 'node:async_hooks';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import express, { type Express, type Request, type RequestHandler, type Response, Router } from 'express';
import { type CacheOptions, isRefresh, type Suite } from '../../src/index.ts';
import { type Ask, ask, listen, openSuite, type Place, PLACES, verdict } from './support.ts';
import { until } from '../support/waiting.ts';

const STALE = 'hit; ttl';
const SOON_STALE: CacheOptions = { ttl: '40ms', jitter: 0, staleWhileRevalidate: '1m' };

type Handler = (run: number, req: Request, res: Response, next: (error?: unknown) => void) => unknown;

interface Route {
  readonly suite: Suite;
  readonly cache: RequestHandler;
  readonly handler: RequestHandler;
  runs(): number;
}

/** A cached route's parts. What the handler does when it runs for the first time is nobody's concern here. */
function route(place: Place, handler: Handler, options: CacheOptions = {}): Route {
  const suite = openSuite(place);
  let runs = 0;
  return {
    suite,
    cache: suite.cache({ ...SOON_STALE, ...options }),
    handler(req, res, next) {
      runs++;
      if (runs === 1) return void res.send('run 1');
      return handler(runs, req, res, next);
    },
    runs: () => runs,
  };
}

const answersRun: Handler = (run, _req, res) => res.send(`run ${run}`);

function quiet(): Express {
  return express().set('env', 'test');
}

/** Has a response stored, waits until it is stale, and asks again. */
async function staleAnswer(port: number, path: string, options?: Ask): Promise<readonly [string, string]> {
  await ask(port, path, options);
  await sleep(60);
  const answer = await ask(port, path, options);
  return [answer.text, verdict(answer)];
}

/** How a cached route can come to stand in an application. `path` leads to it. */
const SITES: readonly {
  readonly name: string;
  readonly path: string;
  build(cached: RequestHandler[]): http.RequestListener;
}[] = [
  { name: 'on the application', path: '/p?a=1', build: (cached) => quiet().get('/p', ...cached) },
  {
    name: 'in a router within a router',
    path: '/a/b/p',
    build: (cached) => quiet().use('/a', Router().use('/b', Router().get('/p', ...cached))),
  },
  {
    name: 'in an application mounted on another',
    path: '/a/b/p',
    build: (cached) => quiet().use('/a', quiet().use('/b', quiet().get('/p', ...cached))),
  },
  {
    name: 'in an application mounted in a router',
    path: '/a/b/p',
    build: (cached) => quiet().use('/a', Router().use('/b', quiet().get('/p', ...cached))),
  },
  {
    name: 'in an application that a plain listener calls',
    path: '/p',
    build(cached) {
      const app = quiet().get('/p', ...cached);
      return (req, res) => void app(req, res);
    },
  },
  {
    name: 'behind middleware that gives the request another URL',
    path: '/old?x=1',
    build: (cached) =>
      quiet()
        .use((req, _res, next) => {
          req.url = req.url.replace('/old', '/p');
          next();
        })
        .get('/p', ...cached),
  },
];

describe.each(PLACES)('a stale response on %s is made anew in the background', (place) => {
  it.each(SITES)('where its route stands $name', async ({ path, build }) => {
    const { cache, handler, runs } = route(place, answersRun);
    const port = await listen(build([cache, handler]));
    expect(await staleAnswer(port, path)).toEqual(['run 1', STALE]);
    await until(() => runs() === 2);
    await sleep(20);
    expect((await ask(port, path)).text).toBe('run 2');
  });
});

describe('the background run', () => {
  it('never takes an application that was mounted out of sight for the whole', async () => {
    // Its own middleware would run without those around it, and its catch-all would answer for every path.
    const { cache } = route('memory', answersRun, { cookies: 'ignore' });
    let visits = 0;
    const inner = quiet().use(cache);
    inner.get('/p', (_req, res) => void res.send('the page'));
    inner.use((_req, res) => {
      visits++;
      res.cache.tag('home');
      res.send('the home page');
    });
    const app = quiet().use('/shop', Router().use(inner));
    const port = await listen((req, res) => {
      // As adapters do that make connections of their own: what serves it cannot be found out.
      Object.defineProperty(req.socket, 'server', { value: undefined, configurable: true });
      app(req, res);
    });
    expect(await staleAnswer(port, '/shop/p')).toEqual(['the page', STALE]);
    await until(() => visits === 1);
    await sleep(20);
    const next = await ask(port, '/shop/p');
    expect([next.text, verdict(next)]).toEqual(['the page', 'fwd=stale; fwd-status=304; stored']); // In the foreground from now on.
    expect(visits).toBe(1);
  });

  it('passes what stands before the cache, and is known by isRefresh there and nowhere else', async () => {
    const seen: [string, boolean, string | undefined, string | undefined][] = [];
    const { cache, handler, runs } = route('memory', answersRun, { user: (req) => req.get('x-user') });
    const app = quiet().set('trust proxy', true);
    app.use((req, _res, next) => {
      seen.push([req.originalUrl, isRefresh(req), req.ip, req.hostname]);
      if (req.get('authorization') === 'let me in') next();
      else next(new Error('refused'));
    });
    app.get('/p', cache, handler);
    const port = await listen(app);
    const headers = { Authorization: 'let me in', 'X-User': 'ann', 'X-Forwarded-For': '10.1.2.3', Host: 'shop.test' };
    await staleAnswer(port, '/p', { headers });
    await until(() => runs() === 2);
    const told = [false, false, true].map((isOne) => ['/p', isOne, '10.1.2.3', 'shop.test']);
    expect(seen).toEqual(told);
    await sleep(10);
    expect((await ask(port, '/p', { headers })).text).toBe('run 2');
  });

  it('knows the address of a client that has left already', async () => {
    const addresses: (string | undefined)[] = [];
    const { cache, handler, runs } = route('redis', (run, req, res) => {
      addresses.push(req.ip, req.socket.remoteAddress);
      return res.send(`run ${run}`);
    });
    const app = quiet();
    app.get('/p', cache, handler);
    const port = await listen(app);
    await ask(port, '/p');
    await sleep(60);
    const leaving = http.get({ host: '127.0.0.1', port, path: '/p', agent: false });
    leaving.on('response', (response) => response.destroy());
    await until(() => runs() === 2);
    expect(addresses).toEqual(['127.0.0.1', '127.0.0.1']);
  });

  it('asks neither under the conditions of the client nor for its range, and with no Cache-Control of its own', async () => {
    const asked: http.IncomingHttpHeaders[] = [];
    const { cache, handler, runs } = route('memory', (run, req, res) => {
      asked.push({ ...req.headers });
      return res.send(`run ${run}`);
    });
    const port = await listen(quiet().set('etag', false).get('/p', cache, handler));
    await ask(port, '/p');
    await sleep(60);
    const stale = { 'If-None-Match': '"x"', Range: 'bytes=0-1', 'Cache-Control': 'no-cache', 'Accept-Language': 'de' };
    expect((await ask(port, '/p', { headers: stale })).status).toBe(206);
    await until(() => runs() === 2);
    expect(asked).toEqual([{ host: `127.0.0.1:${port}`, 'accept-language': 'de' }]);
  });

  it('begins after the stale response is on its way', async () => {
    let answeredAt = Infinity;
    let began = 0;
    const { cache, handler, runs } = route(
      'memory',
      (run, _req, res) => {
        began = performance.now();
        return res.send(`run ${run}`);
      },
      { coalesce: 'process' },
    );
    const app = quiet().use((req, res, next) => {
      if (!isRefresh(req)) res.once('prefinish', () => (answeredAt = performance.now()));
      next();
    });
    app.get('/p', cache, handler);
    await staleAnswer(await listen(app), '/p');
    await until(() => runs() === 2);
    expect(began).toBeGreaterThan(answeredAt);
  });

  it('carries nothing of what AsyncLocalStorage holds for the request that is there', async () => {
    const storage = new AsyncLocalStorage<string>();
    const found: unknown[] = [];
    const { cache, handler, runs } = route('memory', async (run, _req, res) => {
      found.push(storage.getStore());
      res.once('close', () => found.push(storage.getStore()));
      await sleep(1);
      found.push(storage.getStore());
      res.send(`run ${run}`);
    });
    const app = quiet().use((req, _res, next) => (isRefresh(req) ? next() : storage.run('a user', next)));
    app.get('/p', cache, handler);
    await staleAnswer(await listen(app), '/p');
    await until(() => runs() === 2 && found.length === 3);
    expect(found).toEqual([undefined, undefined, undefined]);
  });

  it('tells of its end as every response does', async () => {
    const events: string[] = [];
    const { cache, handler, runs } = route('memory', (run, req, res) => {
      for (const name of ['finish', 'close']) res.once(name, () => events.push(`response ${name}`));
      req.once('close', () => events.push('request close'));
      req.once('aborted', () => events.push('request aborted'));
      return res.send(`run ${run}`);
    });
    await staleAnswer(await listen(quiet().get('/p', cache, handler)), '/p');
    await until(() => runs() === 2 && events.length === 3);
    expect(events.toSorted()).toEqual(['request close', 'response close', 'response finish']);
    expect(events.indexOf('response finish')).toBeLessThan(events.indexOf('response close'));
  });
});
