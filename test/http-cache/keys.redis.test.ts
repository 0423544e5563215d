import { describe, expect, it } from '@jest/globals';
import express, { type Express, type Request } from 'express';
import type { CacheOptions } from '../../src/index.ts';
import { type Ask, ask, BYPASS, EVERYWHERE, HIT, listen, openSuite, type Place, STORED, verdict } from './support.ts';

/** An application whose one handler says what it saw, and counts. */
function application(place: Place, options: CacheOptions, see: (req: Request) => unknown, app = express()): Express {
  let runs = 0;
  app.get(/.*/, openSuite(place).cache({ ttl: '1m', ...options }), (req, res) => {
    res.json({ seen: see(req) ?? null, run: ++runs });
  });
  return app;
}

const raw = (req: Request): unknown => req.originalUrl;

type Step = readonly [path: string, ask?: Ask];
interface Pair {
  readonly name: string;
  readonly options?: CacheOptions;
  readonly trustProxy?: boolean;
  readonly first: Step;
  readonly second: Step;
}

const header = (name: string, value: string): Ask => ({ headers: { [name]: value } });

const APART: readonly Pair[] = [
  { name: 'paths', first: ['/a'], second: ['/b'] },
  { name: 'paths that differ in case', first: ['/a'], second: ['/A'] },
  { name: 'a trailing slash', first: ['/a'], second: ['/a/'] },
  { name: 'query strings', first: ['/a?x=1'], second: ['/a?x=2'] },
  { name: 'the order of an undeclared query', first: ['/a?x=1&y=2'], second: ['/a?y=2&x=1'] },
  { name: 'an empty query', first: ['/a'], second: ['/a?'] },
  { name: 'percent-encoding', first: ['/a%2Fb'], second: ['/a/b'] },
  { name: 'hosts', first: ['/a', header('Host', 'one.example')], second: ['/a', header('Host', 'two.example')] },
  { name: 'ports', first: ['/a', header('Host', 'one.example:1')], second: ['/a', header('Host', 'one.example:2')] },
  {
    name: 'forwarded hosts that are trusted',
    trustProxy: true,
    first: ['/a', header('X-Forwarded-Host', 'one.example')],
    second: ['/a', header('X-Forwarded-Host', 'two.example')],
  },
  {
    name: 'hosts behind an empty forwarded host',
    trustProxy: true,
    first: ['/a', { headers: { Host: 'one.example', 'X-Forwarded-Host': '' } }],
    second: ['/a', { headers: { Host: 'two.example', 'X-Forwarded-Host': '' } }],
  },
  {
    name: 'forwarded schemes that are trusted',
    trustProxy: true,
    first: ['/a', header('X-Forwarded-Proto', 'http')],
    second: ['/a', header('X-Forwarded-Proto', 'https')],
  },
  {
    name: 'declared headers',
    options: { vary: ['Accept-Language'] },
    first: ['/a', header('Accept-Language', 'de')],
    second: ['/a', header('Accept-Language', 'fr')],
  },
  {
    name: 'a declared header that is empty and one that is missing',
    options: { vary: ['X-Tenant'] },
    first: ['/a', header('X-Tenant', '')],
    second: ['/a'],
  },
  {
    name: 'declared headers whose values change places',
    options: { vary: ['X-One', 'X-Two'] },
    first: ['/a', header('X-One', 'v')],
    second: ['/a', header('X-Two', 'v')],
  },
  {
    name: 'declared cookies',
    options: { cookies: ['lang'] },
    first: ['/a', header('Cookie', 'lang=de')],
    second: ['/a', header('Cookie', 'lang=fr')],
  },
  {
    name: 'a declared cookie that is repeated',
    options: { cookies: ['lang'] },
    first: ['/a', header('Cookie', 'lang=de; lang=fr')],
    second: ['/a', header('Cookie', 'lang=fr; lang=de')],
  },
  {
    name: 'a declared cookie with a space before its sign',
    options: { cookies: ['lang'] },
    first: ['/a', header('Cookie', 'lang =de')],
    second: ['/a', header('Cookie', 'other=1')],
  },
  {
    name: 'users',
    options: { user: (req) => req.get('X-User') },
    first: ['/a', header('X-User', 'ann')],
    second: ['/a', header('X-User', 'bob')],
  },
  {
    name: 'a user without name and nobody',
    options: { user: (req) => req.get('X-User') },
    first: ['/a', header('X-User', '')],
    second: ['/a'],
  },
  {
    name: 'declared parameters',
    options: { query: ['page'] },
    first: ['/a?page=1'],
    second: ['/a?page=2'],
  },
  { name: 'a declared parameter in brackets', options: { query: ['page'] }, first: ['/a?[page]=2'], second: ['/a'] },
  { name: 'a declared parameter as list', options: { query: ['page'] }, first: ['/a?page[]=2'], second: ['/a'] },
  { name: 'a declared parameter encoded', options: { query: ['page'] }, first: ['/a?p%61ge=2'], second: ['/a'] },
  { name: 'a declared parameter as object', options: { query: ['page'] }, first: ['/a?page%5Bx%5D=2'], second: ['/a'] },
  {
    name: 'a declared parameter repeated',
    options: { query: ['page'] },
    first: ['/a?page=1&page=2'],
    second: ['/a?page=2'],
  },
  {
    name: 'bytes of a declared parameter that are no text',
    options: { query: ['q'] },
    first: ['/a?q=%ff'],
    second: ['/a?q=%fe'],
  },
  {
    name: 'a declared parameter behind more parameters than a parser reads',
    options: { query: ['page'] },
    first: [`/a?${'x&'.repeat(1_000)}page=2`],
    second: ['/a?page=2'],
  },
  { name: 'a custom key', options: { key: (req) => req.path.slice(0, 2) }, first: ['/ax'], second: ['/bx'] },
];

const TOGETHER: readonly Pair[] = [
  { name: 'the same path', first: ['/a'], second: ['/a'] },
  { name: 'forwarded hosts nobody trusts', first: ['/a'], second: ['/a', header('X-Forwarded-Host', 'evil.example')] },
  { name: 'forwarded schemes nobody trusts', first: ['/a'], second: ['/a', header('X-Forwarded-Proto', 'https')] },
  { name: 'headers the cache does not know', first: ['/a'], second: ['/a', header('X-Forwarded-Scheme', 'nothttps')] },
  {
    name: 'undeclared parameters',
    options: { query: ['page'] },
    first: ['/a?page=1'],
    second: ['/a?utm=x&page=1&_=7'],
  },
  {
    name: 'declared parameters in another order',
    options: { query: ['x', 'y'] },
    first: ['/a?x=1&y=2'],
    second: ['/a?y=2&x=1'],
  },
  { name: 'no parameters and only undeclared ones', options: { query: [] }, first: ['/a'], second: ['/a?x=1'] },
  {
    name: 'undeclared cookies',
    options: { cookies: ['lang'] },
    first: ['/a', header('Cookie', 'lang=de; id=1')],
    second: ['/a', header('Cookie', 'id=2; lang=de')],
  },
  { name: 'ignored cookies', options: { cookies: 'ignore' }, first: ['/a', header('Cookie', 'id=1')], second: ['/a'] },
  { name: 'a custom key', options: { key: () => 'all' }, first: ['/a'], second: ['/b?x=1'] },
  { name: 'HEAD after GET', first: ['/a'], second: ['/a', { method: 'HEAD' }] },
];

async function run(place: Place, { options = {}, trustProxy = false, first, second }: Pair): Promise<string[]> {
  const app = express();
  app.set('trust proxy', trustProxy);
  app.set('query parser', 'extended');
  const port = await listen(application(place, options, raw, app));
  const answers = [await ask(port, ...first), await ask(port, ...second), await ask(port, ...first)];
  return answers.map(verdict);
}

describe.each(EVERYWHERE)('keys on %s', (place) => {
  it.each(APART)('tell apart $name', async (pair) => {
    expect(await run(place, pair)).toEqual([STORED, STORED, HIT]);
  });

  it.each(TOGETHER)('hold together $name', async (pair) => {
    expect(await run(place, pair)).toEqual([STORED, HIT, HIT]);
  });
});

describe('attacks on the key', () => {
  it('parameter cloaking: a fragment in the request line hides no parameter from the key', async () => {
    const port = await listen(application('memory', { query: ['page'] }, (req) => req.query['page']));
    const poison = await ask(port, '/list?x#&page=2');
    expect(verdict(poison)).toBe(BYPASS);
    const honest = await ask(port, '/list?page=2');
    expect(JSON.parse(honest.text)).toEqual({ seen: '2', run: 2 });
  });

  it('parameter cloaking: what a parser passes over is not keyed as if it had been read', async () => {
    const app = express().set('query parser', 'extended');
    const port = await listen(application('memory', { query: ['page'] }, (req) => req.query['page'], app));
    await ask(port, `/list?${'&'.repeat(1_001)}page=2`);
    expect(JSON.parse((await ask(port, '/list?page=2')).text)).toMatchObject({ seen: '2' });
  });

  it('a request line with a full URL is answered without the cache, whose urls begin with the path', async () => {
    const port = await listen(application('memory', {}, raw));
    expect(verdict(await ask(port, 'http://one.example/a'))).toBe(BYPASS);
  });

  it('X-Original-URL: what middleware makes of the URL is part of the key', async () => {
    const app = express();
    app.use((req, _res, next) => {
      req.url = req.get('X-Original-URL') ?? req.url;
      next();
    });
    const port = await listen(application('memory', {}, (req) => req.url, app));
    await ask(port, '/a', header('X-Original-URL', '/admin'));
    const honest = await ask(port, '/a');
    expect(verdict(honest)).toBe(STORED);
    expect(JSON.parse(honest.text)).toMatchObject({ seen: '/a' });
  });

  it('X-Original-URL: an undeclared parameter of the new URL does not count either', async () => {
    const app = express();
    app.use((req, _res, next) => {
      req.url = `/new?page=1&at=${Math.random()}`;
      next();
    });
    const port = await listen(application('memory', { query: ['page'] }, (req) => req.query['page'], app));
    await ask(port, '/old');
    expect(verdict(await ask(port, '/old'))).toBe(HIT);
  });

  it('method override: a request that became another method is left alone', async () => {
    const app = express();
    app.use((req, _res, next) => {
      req.method = req.get('X-HTTP-Method-Override') ?? req.method;
      next();
    });
    app.use(openSuite('memory').cache({ ttl: '1m' }), (req, res) => res.send(req.method));
    const port = await listen(app);
    expect((await ask(port, '/a', header('X-HTTP-Method-Override', 'DELETE'))).text).toBe('DELETE');
    expect((await ask(port, '/a')).text).toBe('GET');
  });

  it('key delimiters: no key prefix and custom key together spell those of another route', async () => {
    const suite = openSuite('memory');
    const app = express();
    app.get(
      '/one/:id',
      suite.cache({ ttl: '1m', keyPrefix: 'a', key: (req) => String(req.params['id']) }),
      (_q, res) => {
        res.send('one');
      },
    );
    app.get(
      '/two/:id',
      suite.cache({ ttl: '1m', keyPrefix: 'a:b', key: (req) => String(req.params['id']) }),
      (_q, res) => {
        res.send('two');
      },
    );
    app.get(/.*/, suite.cache({ ttl: '1m' }), (_q, res) => res.send('url'));
    const port = await listen(app);
    expect((await ask(port, '/one/b:c')).text).toBe('one');
    expect((await ask(port, '/two/c')).text).toBe('two');
    expect((await ask(port, '/a:b:c')).text).toBe('url');
  });

  it.each([
    '/__proto__',
    '/constructor?__proto__[x]=1',
    '/a?__proto__=1',
    '/{a}',
    '/{}',
    '/a%',
    '/a%7Bb%7D',
    '/*',
    '/~|u|GET:/',
  ])('a URL such as %s is a URL like any other', async (path) => {
    for (const place of EVERYWHERE) {
      const port = await listen(application(place, {}, raw));
      const first = await ask(port, path);
      expect(JSON.parse(first.text)).toEqual({ seen: path, run: 1 });
      expect((await ask(port, path)).text).toBe(first.text);
      expect(JSON.parse((await ask(port, '/')).text)).toEqual({ seen: '/', run: 2 });
    }
  });

  it.each<[string, unknown]>([
    ['a promise', Promise.resolve('ann')],
    ['an object', { id: 1 }],
    ['a number', 7],
  ])('a user that is %s is refused, not put into one partition with all the others', async (_name, user) => {
    const app = application('memory', { user: () => user as string }, raw);
    app.use(((_error, _req, res, _next) => void res.status(500).send('refused')) as express.ErrorRequestHandler);
    expect((await ask(await listen(app), '/a')).status).toBe(500);
  });

  it('a user that is null is nobody: with an Authorization header the cache stays out of it', async () => {
    const port = await listen(
      application('memory', { user: () => null as unknown as undefined }, (req) => req.get('Authorization')),
    );
    await ask(port, '/a', header('Authorization', 'Bearer ann'));
    expect((await ask(port, '/a', header('Authorization', 'Bearer bob'))).text).toContain('Bearer bob');
  });
});

describe('web cache deception', () => {
  it('a path that looks like a file is cached no more than its route says', async () => {
    const suite = openSuite('memory');
    const app = express();
    app.get(/^\/assets/, suite.cache({ ttl: '1m' }), (_req, res) => void res.send('asset'));
    app.get(/^\/account/, (req, res) => void res.send(`account of ${req.get('X-User')}`));
    const port = await listen(app);
    expect((await ask(port, '/account/style.css', header('X-User', 'ann'))).text).toBe('account of ann');
    expect((await ask(port, '/account/style.css', header('X-User', 'bob'))).text).toBe('account of bob');
    expect(suite.stats().cache.stores).toBe(0);
  });

  it('a 404 that nobody handled is not stored, whatever ttl the router has', async () => {
    const suite = openSuite('memory');
    const app = express();
    app.use(suite.cache({ ttl: '1m' }));
    let isPublished = false;
    app.get('/post', (_req, res, next) => (isPublished ? void res.send('post') : next()));
    const port = await listen(app);
    expect((await ask(port, '/post')).status).toBe(404);
    isPublished = true;
    expect((await ask(port, '/post')).text).toBe('post');
  });
});
