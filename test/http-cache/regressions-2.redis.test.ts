import http from 'node:http';
import net from 'node:net';
import { describe, expect, it } from '@jest/globals';
import express, { type Request, type RequestHandler } from 'express';
import { rfc9111Policy } from '../../src/index.ts';
import { closedLater, testRedis, uniquePrefix } from '../support/connections.ts';
import { ask, HIT, listen, openSuite, verdict } from './support.ts';
import { gate, until } from '../support/waiting.ts';

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends a request as it is spelled here and resolves the status line. */
function send(port: number, head: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.end(head));
    socket.on('error', reject).once('data', (bytes) => resolve(bytes.toString().split('\r\n', 1)[0] ?? ''));
  });
}

describe('who asks, where middleware puts it into what a URL usually fills', () => {
  const userOf = (req: Request): string => (req.headers.cookie ?? '').replace('sid=', '');
  it.each<[string, put: (req: Request) => unknown, (req: Request) => unknown]>([
    ['params', (req) => (req.params = { ...req.params, id: userOf(req) }), (req) => req.params['id']],
    ['a parameter of the path', (req) => (req.params['name'] = userOf(req)), (req) => req.params['name']],
    ['body', (req) => (req.body = { userId: userOf(req) }), (req) => (req.body as { userId: string }).userId],
    [
      'query',
      (req) => Object.defineProperty(req, 'query', { value: { of: userOf(req) }, configurable: true }),
      (req) => req.query['of'],
    ],
  ])('is not shared: %s', async (_name, put, read) => {
    const app = express();
    const before: RequestHandler = (req, _res, next) => {
      put(req);
      next();
    };
    app.get(
      '/:name',
      before,
      openSuite('memory').cache({ ttl: '1m' }),
      (req, res) => void res.send(`for ${String(read(req))}`),
    );
    const port = await listen(app);
    for (const name of ['ann', 'bob']) {
      expect((await ask(port, '/me', { headers: { Cookie: `sid=${name}` } })).text).toBe(`for ${name}`);
    }
  });

  it('does not keep from sharing what the URL itself fills', async () => {
    const app = express();
    app.get('/from/:from-:to', openSuite('memory').cache({ ttl: '1m' }), (req, res) => {
      res.send(`${String(req.params['from'])} ${String(req.params['to'])} ${JSON.stringify(req.query['by'])}`);
    });
    const port = await listen(app);
    const text = 'a b c "train"';
    for (const told of ['fwd=uri-miss; stored', HIT]) {
      const answer = await ask(port, '/from/a%20b-c?by=train', { headers: { Cookie: `sid=${told}` } });
      expect([answer.text, verdict(answer)]).toEqual([text, told]);
    }
  });
});

describe('a request that waits for the answer to another', () => {
  it('runs no handler when its client has left meanwhile', async () => {
    const { passed, open } = gate();
    let runs = 0;
    let arrivals = 0;
    const app = express();
    app.use((_req, _res, next) => {
      arrivals++;
      next();
    });
    app.get('/', openSuite('memory').cache({ ttl: '1m' }), async (_req, res) => {
      runs++;
      await passed;
      res.status(404).send('no');
    });
    const port = await listen(app);
    const leading = ask(port, '/');
    await until(() => runs === 1);
    const follower = http.get({ port, host: '127.0.0.1', path: '/' }).on('error', () => undefined);
    await until(() => arrivals === 2);
    follower.destroy();
    await later(50);
    open();
    expect((await leading).status).toBe(404);
    await later(50);
    expect(runs).toBe(1);
  });

  it('leaves a response alone that somebody else has begun meanwhile', async () => {
    const { passed, open } = gate();
    const errors: unknown[] = [];
    let runs = 0;
    const app = express();
    app.use((req, res, next) => {
      if (req.headers['x-patience'] !== undefined) setTimeout(() => res.status(503).send('too late'), 20);
      next();
    });
    app.get('/', openSuite('memory').cache({ ttl: '1m' }), async (_req, res) => {
      runs++;
      await passed;
      res.send('whole');
    });
    app.use(((error, _req, _res, _next) => void errors.push(error)) as express.ErrorRequestHandler);
    const port = await listen(app);
    const leading = ask(port, '/');
    await until(() => runs === 1);
    expect((await ask(port, '/', { headers: { 'X-Patience': 'none' } })).text).toBe('too late');
    open();
    expect((await leading).text).toBe('whole');
    await later(20);
    expect(errors).toEqual([]);
  });

  it('waits as well when it asks under conditions for what is large and stale', async () => {
    let runs = 0;
    const app = express();
    app.get(
      '/',
      openSuite('redis').cache({ ttl: '60ms', staleIfError: '1m', jitter: 0, coalesce: 'process' }),
      async (_req, res) => {
        runs++;
        await later(30);
        res.set('ETag', `"${runs}"`).send('x'.repeat(10_000));
      },
    );
    const port = await listen(app);
    await ask(port, '/');
    await later(100);
    await Promise.all([1, 2, 3, 4].map(() => ask(port, '/', { headers: { 'If-None-Match': '"0"' } })));
    expect(runs).toBe(2);
  });
});

it('tells keys of any characters in Cache-Status', async () => {
  const app = express();
  app.get(
    '/',
    openSuite('memory').cache({ ttl: '1m', key: () => 'grün 😀 \ud800', cacheStatus: 'debug' }),
    (_req, res) => void res.send('x'),
  );
  const port = await listen(app);
  for (let i = 0; i < 2; i++) expect((await ask(port, '/')).status).toBe(200);
});

it.each(['POST http://127.0.0.1:PORT/items', 'POST /items#there'])(
  'invalidates the URL that was written to: %s',
  async (line) => {
    let runs = 0;
    const app = express();
    app.use(openSuite('memory').cache({ ttl: '1m' }));
    app.get('/items', (_req, res) => void res.send(`run ${++runs}`));
    app.post('/items', (_req, res) => void res.status(204).end());
    const port = await listen(app);
    expect((await ask(port, '/items')).text).toBe('run 1');
    const host = `127.0.0.1:${port}`;
    const request = `${line.replace('PORT', String(port))} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
    expect(await send(port, request)).toBe('HTTP/1.1 204 No Content');
    expect((await ask(port, '/items')).text).toBe('run 2');
  },
);

it('tells bodies of QUERY apart that no parser has read', async () => {
  const app = express();
  app.use((req, _res, next) => {
    req.body = {}; // What the parsers of Express 4 do with types that are not theirs.
    next();
  });
  app.all(
    '/',
    openSuite('memory').cache({ ttl: '1m', policy: { query: 'cache' } }),
    express.text({ type: () => true }),
    (req, res) => {
      res.send(String(req.headers['content-length']));
    },
  );
  const port = await listen(app);
  const type = { 'Content-Type': 'application/sql' };
  for (const body of ['SELECT 1', 'SELECT 22']) {
    const headers = { ...type, 'Content-Length': String(body.length) };
    expect((await ask(port, '/', { method: 'QUERY', headers, body })).text).toBe(String(body.length));
  }
});

it('does not take a HEAD that says nothing of it for proof that a body is still good', async () => {
  let text = 'old';
  const app = express().disable('etag');
  app.get(
    '/',
    openSuite('memory').cache({ ttl: '60ms', staleIfError: '1m', jitter: 0 }),
    (_req, res) => void res.send(text),
  );
  const port = await listen(app);
  await ask(port, '/');
  await later(100);
  text = 'new';
  await ask(port, '/', { method: 'HEAD' });
  expect((await ask(port, '/')).text).toBe('new');
});

it('does not answer 416 to who asked for no range', async () => {
  const app = express();
  app.get('/', openSuite('memory').cache({ policy: rfc9111Policy }), (req, res) => {
    res.set({ ETag: '"a"', 'Cache-Control': 'max-age=60' });
    if (req.headers.range === 'bytes=0-1') res.status(206).set('Content-Range', 'bytes 0-1/4').end('ab');
    else if (req.headers.range === undefined) res.end('abcd');
    else res.status(416).end();
  });
  const port = await listen(app);
  await ask(port, '/', { headers: { Range: 'bytes=0-1' } });
  await ask(port, '/');
  expect(await ask(port, '/')).toMatchObject({ status: 200, text: 'abcd' });
});

it('says so when a name to vary by is none', () => {
  expect(() => openSuite('memory').cache({ vary: ['Accept Language'] })).toThrow('vary');
});

it('opens no connection for who still waits when the suite is closed', async () => {
  const { passed, open } = gate();
  const prefix = uniquePrefix();
  const clients = [testRedis(), testRedis()];
  let opened = 0;
  const ports = clients.map(async (client, i) => {
    const { duplicate } = client;
    Object.assign(client, {
      duplicate(...args: Parameters<typeof duplicate>) {
        opened++;
        return closedLater(duplicate.apply(client, args));
      },
    });
    const suite = openSuite('memory', { redis: client, backend: 'redis', prefix, deadline: '2s' });
    const app = express();
    app.get('/', suite.cache({ ttl: '1m', key: () => 'k' }), async (_req, res) => {
      if (i === 0) await passed;
      res.send('x');
    });
    app.post('/close', (_req, res) => void suite.close().then(() => res.end()));
    return listen(app);
  });
  const [first = 0, second = 0] = await Promise.all(ports);
  const host = { headers: { Host: 'shop' } };
  const leading = ask(first, '/', host);
  await later(50);
  const waiting = ask(second, '/', host);
  await until(() => opened === 1);
  await ask(second, '/close', { method: 'POST' });
  await later(250);
  open();
  expect([(await leading).text, (await waiting).text]).toEqual(['x', 'x']);
  expect(opened).toBe(1);
});

it('waits for lookup and lease together no longer than the deadline', async () => {
  const client = testRedis();
  const suite = openSuite('memory', { redis: client, backend: 'redis', prefix: uniquePrefix(), deadline: '2s' });
  const order: string[] = [];
  const app = express();
  app.get('/:name', suite.cache({ ttl: '1m' }), (req, res) => {
    order.push(`handler ${String(req.params['name'])}`);
    res.send('x');
  });
  const port = await listen(app);
  await ask(port, '/warm');
  const { getBuffer, call } = client;
  Object.assign(client, {
    getBuffer: async (...args: Parameters<typeof getBuffer>) => {
      await later(1_500);
      return getBuffer.apply(client, args);
    },
    call: async (...args: Parameters<typeof call>) => {
      await later(1_500);
      const reply: unknown = await call.apply(client, args);
      order.push('lease');
      return reply;
    },
  });
  await ask(port, '/slow');
  await until(() => order.includes('lease'));
  expect(order.slice(0, 3)).toEqual(['handler warm', 'handler slow', 'lease']);
});
