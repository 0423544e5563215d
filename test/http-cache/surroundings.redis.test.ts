import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import compression from 'compression';
import express, { type RequestHandler, type Response } from 'express';
import type { CacheOptions } from '../../src/index.ts';
import { type Answer, ask, HIT, listen, openSuite, PLACES, verdict } from './support.ts';

const text = Array.from({ length: 300 }, (_, i) => `line ${i} of a text that is worth compressing\n`).join('');

type Health = 'well' | 'unchanged' | 'failing' | 'throwing';

/** A handler whose answers need asking for again each time, and may stand in for errors. */
function origin() {
  let health: Health = 'well';
  const handler: RequestHandler = (_req, res) => {
    if (health === 'throwing') throw new Error('origin');
    if (health === 'failing') {
      res.status(503).type('text').send(text.toUpperCase());
      return;
    }
    res.set({ ETag: '"v"', 'Cache-Control': 'max-age=0, stale-if-error=60' });
    if (health === 'unchanged') res.status(304).end();
    else res.type('text').send(text);
  };
  return { handler, become: (next: Health) => void (health = next) };
}

const quiet: express.ErrorRequestHandler = (_error, _req, res, _next) => void res.status(500).end('broken');

function decoded({ headers, body }: Answer): string {
  return (headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
}

const byTheBook: CacheOptions = { policy: 'rfc9111' };
const ORDERS = [
  ['before', [true, false], byTheBook],
  ['after', [false, true], byTheBook],
  ['before and after', [true, true], byTheBook],
  ['before the compression of', [true, false], { ...byTheBook, compress: '1kb' }],
  ['after the compression of', [false, true], { ...byTheBook, compress: '1kb' }],
] as const;

describe.each(PLACES)('compression on %s', (place) => {
  it.each(ORDERS)(
    'stands %s the cache, and every answer is whole and in its client’s form',
    async (_name, at, options) => {
      const { handler, become } = origin();
      const app = express();
      if (at[0]) app.use(compression({ threshold: 0 }));
      app.use(openSuite(place).cache(options));
      if (at[1]) app.use(compression({ threshold: 0 }));
      app.get('/', handler);
      app.use(quiet);
      const port = await listen(app);
      for (const health of ['well', 'well', 'unchanged', 'failing', 'throwing', 'unchanged', 'well'] as const) {
        become(health);
        for (const coding of ['gzip', 'identity']) {
          const headers = { 'Accept-Encoding': coding };
          const answer = await ask(port, '/', { headers });
          expect(answer).toMatchObject({ status: 200, isComplete: true });
          expect(decoded(answer)).toBe(text);
          expect([coding, undefined]).toContain(answer.headers['content-encoding']);
          const unchanged = await ask(port, '/', { headers: { ...headers, 'If-None-Match': '"v"' } });
          expect(unchanged).toMatchObject({ status: 304, text: '' });
          const head = await ask(port, '/', { method: 'HEAD', headers });
          expect(head).toMatchObject({ status: 200, text: '' });
          // Of these bytes, or of none that the range counts: never a compressed part.
          const part = await ask(port, '/', { headers: { ...headers, Range: 'bytes=7-40' } });
          expect([200, 206]).toContain(part.status);
          const whole = part.headers['content-encoding'] === 'gzip' ? answer.body : Buffer.from(text);
          const isPart = part.status === 206;
          expect(isPart ? part.body.toString('latin1') : decoded(part)).toBe(
            isPart ? whole.subarray(7, 41).toString('latin1') : text,
          );
        }
      }
    },
  );
});

/** Every kind of answer that the cache gives by itself, or lets pass. */
const ANSWERS: readonly (readonly [string, Health, Record<string, string>, number])[] = [
  ['a first answer', 'well', {}, 200],
  ['a 304 of the handler', 'unchanged', {}, 200],
  ['a 304 of the handler to a client that has it', 'unchanged', { 'If-None-Match': '"v"' }, 304],
  ['a part', 'unchanged', { Range: 'bytes=0-3' }, 206],
  ['a range beyond', 'unchanged', { Range: 'bytes=99999-' }, 416],
  ['a failure', 'failing', {}, 200],
  ['a throw', 'throwing', {}, 200],
];

describe.each(PLACES)('middleware before the cache on %s', (place) => {
  it('has its own fields of this request on every kind of answer, once, and hears of its end once', async () => {
    const { handler, become } = origin();
    const app = express().disable('x-powered-by');
    let count = 0;
    const log: string[] = [];
    app.use((req, res, next) => {
      const allowed = req.headers.origin;
      res.set({ 'X-Request-Id': String(++count), 'Content-Security-Policy': "default-src 'self'" });
      if (allowed !== undefined) res.set('Access-Control-Allow-Origin', allowed);
      res.vary('Origin');
      const { writeHead } = res;
      res.writeHead = function late(this: Response, ...args: unknown[]) {
        res.setHeader('X-Late', String(count));
        return writeHead.apply(this, args as Parameters<typeof writeHead>);
      } as typeof writeHead;
      res.on('finish', () => log.push(`${res.statusCode} ${res.writableFinished}`));
      next();
    });
    app.get('/', openSuite(place).cache({ policy: 'rfc9111' }), handler);
    app.use(quiet);
    const port = await listen(app);
    for (const [, health, headers, status] of ANSWERS) {
      for (const from of ['https://a.example', 'https://b.example']) {
        become(health);
        const answer = await ask(port, '/', { headers: { ...headers, Origin: from } });
        expect(answer.status).toBe(status);
        for (const name of ['X-Request-Id', 'X-Late']) {
          expect(answer.lines.filter((line) => line.startsWith(`${name}: `))).toEqual([`${name}: ${count}`]);
        }
        expect(answer.headers['access-control-allow-origin']).toBe(from);
        expect(answer.headers['content-security-policy']).toBe("default-src 'self'");
        expect(answer.headers.vary).toBe('Origin');
        expect(log.splice(0)).toEqual([`${status} true`]);
      }
    }
  });

  it('may have begun to answer: the cache stays out of it', async () => {
    const app = express();
    app.get(
      '/',
      (_req, res, next) => {
        res.write('one ');
        next();
      },
      openSuite(place).cache({ ttl: '1m' }),
      (_req, res) => {
        res.write('two ');
        res.end('three');
      },
    );
    const port = await listen(app);
    for (let i = 0; i < 2; i++) expect((await ask(port, '/')).text).toBe('one two three');
  });
});

describe.each(PLACES)('middleware behind the cache on %s', (place) => {
  it('that holds the end back, as sessions do, holds no answer of the cache back', async () => {
    const { handler, become } = origin();
    const app = express();
    let held = 0;
    const hold: RequestHandler = (_req, res, next) => {
      const end = res.end.bind(res) as (...args: unknown[]) => Response;
      let hasEnded = false;
      res.end = ((...args: unknown[]) => {
        if (hasEnded) return res;
        hasEnded = true;
        held++;
        setTimeout(() => end(...args), 2);
        return res;
      }) as typeof res.end;
      next();
    };
    app.get('/', openSuite(place).cache({ policy: 'rfc9111' }), hold, handler);
    app.use(quiet);
    const port = await listen(app);
    for (const [, health, headers, status] of ANSWERS) {
      become(health);
      expect(await ask(port, '/', { headers })).toMatchObject({ status, isComplete: true });
    }
    expect(held).toBe(ANSWERS.length);
  });
});

describe.each(PLACES)('mounted on %s', (place) => {
  it('in front of an application, the cache keeps apart what stands at different places', async () => {
    const suite = openSuite(place);
    const inner = express();
    inner.get('/x', (req, res) => res.send(`${req.baseUrl} ${req.originalUrl}`));
    const router = express.Router({ mergeParams: true });
    router.get('/x', (req, res) => res.send(`${(req.params as { id?: string }).id} ${req.baseUrl}`));
    const app = express();
    app.use(['/a', '/b'], suite.cache({ ttl: '1m' }), inner);
    app.use('/:id/r', suite.cache({ ttl: '1m' }), router);
    const port = await listen(app);
    for (const told of ['fwd=uri-miss; stored', HIT]) {
      for (const [path, expected] of [
        ['/a/x', '/a /a/x'],
        ['/b/x', '/b /b/x'],
        ['/1/r/x', '1 /1/r'],
        ['/2/r/x', '2 /2/r'],
      ] as const) {
        const answer = await ask(port, path);
        expect([answer.text, verdict(answer)]).toEqual([expected, told]);
      }
    }
  });
});
