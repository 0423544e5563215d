import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import express, { type Request, type Response } from 'express';
import type { CacheOptions } from '../../src/index.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { type Answer, ask, HIT, listen, openSuite, PLACES, verdict } from './support.ts';
import { until } from '../support/waiting.ts';

const text = Array.from({ length: 500 }, (_, i) => `line ${i} of a text that is worth compressing\n`).join('');
const noise = randomBytes(4_000).toString('latin1');

type Handler = (res: Response, req: Request, run: number) => unknown;

/** One cached route, and how often its responses were stored. */
async function scene(place: 'memory' | 'redis', handler: Handler, options: CacheOptions = {}) {
  const redis = place === 'redis' ? testRedis() : undefined;
  const prefix = uniquePrefix();
  const suite = openSuite('memory', redis && { redis, backend: 'redis', prefix, deadline: '2s' });
  const app = express();
  let runs = 0;
  let stores = 0;
  suite.events.on('cache:store', () => stores++);
  app.get('/', suite.cache({ compress: '1kb', ...options }), (req, res) => handler(res, req, ++runs));
  /** The bytes that Redis holds. */
  const entry = async (): Promise<Buffer> => {
    const [key = ''] = (await redis?.keys(`${prefix}:e:*`)) ?? [];
    return (await redis?.getBuffer(key)) ?? Buffer.alloc(0);
  };
  return { port: await listen(app), entry, runs: () => runs, stored: (count = 1) => until(() => stores >= count) };
}

const accepting = (encoding?: string, headers: Record<string, string> = {}) => ({
  headers: { ...(encoding !== undefined && { 'Accept-Encoding': encoding }), ...headers },
});

/** What a client that understands it makes of an answer. */
function decoded({ headers, body }: Answer): string {
  return (headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString('latin1');
}

const KEPT: readonly (readonly [string, boolean, Record<string, string>, string?, number?])[] = [
  ['text', true, { 'Content-Type': 'text/plain' }],
  ['JSON of some vocabulary', true, { 'Content-Type': 'application/problem+json' }],
  ['SVG', true, { 'Content-Type': 'image/svg+xml' }],
  ['a picture', false, { 'Content-Type': 'image/png' }],
  ['what has no type', false, {}],
  ['little', false, { 'Content-Type': 'text/plain' }, text.slice(0, 1_023)],
  ['what cannot be compressed', false, { 'Content-Type': 'text/plain' }, noise],
  ['what is compressed already', false, { 'Content-Type': 'text/plain', 'Content-Encoding': 'br' }],
  ['what may not be transformed', false, { 'Content-Type': 'text/plain', 'Cache-Control': 'no-transform' }],
  ['an error', false, { 'Content-Type': 'text/plain', 'Cache-Control': 'max-age=60' }, text, 404],
  ...['Content-Digest', 'Repr-Digest', 'Digest', 'Content-MD5'].map(
    (name) => [`what has a ${name}`, false, { 'Content-Type': 'text/plain', [name]: 'sha-256=:AAAA:' }] as const,
  ),
];

describe('the option compress', () => {
  it.each(KEPT)('has %s kept compressed: %p', async (_name, isPacked, fields, content = text, status = 200) => {
    const { port, entry, stored } = await scene(
      'redis',
      (res) => res.writeHead(status, fields).end(content, 'latin1'),
      { ttl: '1m' },
    );
    const first = await ask(port, '/', accepting('gzip'));
    expect(first.body.toString('latin1')).toBe(content);
    await stored();
    const bytes = await entry();
    expect(bytes.includes(Buffer.from(content, 'latin1'))).toBe(!isPacked);
    const answers = [await ask(port, '/', accepting('gzip')), await ask(port, '/')];
    expect(answers.map(verdict)).toEqual([HIT, HIT]);
    const coding = isPacked ? 'gzip' : fields['Content-Encoding'];
    expect(answers.map(({ headers }) => headers['content-encoding'])).toEqual([coding, isPacked ? undefined : coding]);
    expect(answers.map(decoded)).toEqual([content, content]);
    // As it is kept, not compressed once more.
    expect(bytes.subarray(-(answers[0]?.body.length ?? 0))).toEqual(answers[0]?.body);
  });

  it.each([
    ['gzip', true],
    ['GZIP', true],
    ['x-gzip', true],
    ['br, gzip;q=0.5', true],
    ['*', true],
    ['identity;q=0.5, gzip', true],
    ['gzip, identity', true],
    ['gzip;q=0', false],
    ['gzip;q=0, *', false],
    ['br', false],
    ['gzip;q=0.5, identity', false],
    ['', false],
    ['gzip;q=x', false],
    [undefined, false],
  ])('answers who accepts %p with gzip: %p', async (encoding, isGzip) => {
    const { port, stored } = await scene('memory', (res) => res.type('text').set('ETag', '"v"').end(text), {
      ttl: '1m',
    });
    await ask(port, '/');
    await stored();
    const [answer, head] = [
      await ask(port, '/', accepting(encoding)),
      await ask(port, '/', { ...accepting(encoding), method: 'HEAD' }),
    ];
    for (const { headers } of [answer, head]) {
      expect(headers['content-encoding']).toBe(isGzip ? 'gzip' : undefined);
      expect(headers['content-length']).toBe(String(answer.body.length));
      // The two are the same only in meaning (RFC 9110 §8.8.1).
      expect(headers.etag).toBe(isGzip ? 'W/"v"' : '"v"');
      expect(headers.vary).toBe('Accept-Encoding');
    }
    expect(decoded(answer)).toBe(text);
    for (const tag of ['"v"', 'W/"v"']) {
      const unchanged = await ask(port, '/', accepting(encoding, { 'If-None-Match': tag }));
      expect(unchanged).toMatchObject({ status: 304, text: '' });
      expect(unchanged.headers).not.toHaveProperty('content-encoding');
      expect(unchanged.headers.vary).toBe('Accept-Encoding');
    }
  });

  it.each(PLACES)('has ranges cut from what the handler sent, on %s', async (place) => {
    const { port, stored } = await scene(place, (res) => res.type('text').set('ETag', '"v"').end(text), { ttl: '1m' });
    await ask(port, '/');
    await stored();
    for (const [headers, status] of [
      [{ Range: 'bytes=5-99' }, 206],
      [{ Range: 'bytes=5-99', 'If-Range': '"v"' }, 206],
      [{ Range: 'bytes=5-99', 'If-Range': 'W/"v"' }, 200],
    ] as const) {
      const answer = await ask(port, '/', accepting('gzip', headers));
      expect(answer.status).toBe(status);
      expect(answer.headers).not.toHaveProperty('content-encoding');
      expect(answer.text).toBe(status === 206 ? text.slice(5, 100) : text);
    }
  });

  it('counts what Redis holds damaged as not there', async () => {
    const redis = testRedis();
    const prefix = uniquePrefix();
    const suite = openSuite('memory', { redis, backend: 'redis', prefix, deadline: '2s' });
    const app = express();
    let runs = 0;
    app.get('/', suite.cache({ ttl: '1m', compress: '1kb' }), (_req, res) => res.type('text').send(`${++runs}${text}`));
    const stored = new Promise((resolve) => suite.events.on('cache:store', resolve));
    const port = await listen(app);
    await ask(port, '/');
    await stored;
    const [key = ''] = await redis.keys(`${prefix}:e:*`);
    await redis.setrange(key, (await redis.strlen(key)) - 20, 'x'.repeat(20));
    expect((await ask(port, '/')).text).toBe(`2${text}`);
  });
});

/** Ways in which something compressed comes to a client without having been looked up as such. */
const AGAIN: readonly (readonly [string, CacheOptions, Handler])[] = [
  [
    'validated by the handler',
    { policy: 'rfc9111' },
    (res, _req, run) => {
      res.set({ ETag: '"v"', 'Cache-Control': 'max-age=0' }).type('text');
      if (run === 1) res.end(text);
      else res.writeHead(304, 'Not Modified', { 'Content-Encoding': 'br', 'Content-Length': 9, Trailer: 'X-T' }).end();
    },
  ],
  [
    'served instead of an error',
    { ttl: '20ms', staleIfError: '1m', jitter: 0 },
    (res, _req, run) => (run === 1 ? res.type('text').set('ETag', '"v"').end(text) : res.status(503).send('down')),
  ],
];

describe.each(PLACES)('a compressed response on %s', (place) => {
  it.each(AGAIN)('that is %s reaches every client in its own form', async (_name, options, handler) => {
    const { port, stored } = await scene(place, handler, options);
    await ask(port, '/');
    await stored();
    await new Promise((resolve) => setTimeout(resolve, 25));
    for (const [coding, headers] of [
      ['gzip', {}],
      [undefined, {}],
      ['gzip', { Range: 'bytes=0-9' }],
      [undefined, {}],
      ['gzip', {}],
    ] as const) {
      const answer = await ask(port, '/', accepting(coding, headers));
      const isPart = 'Range' in headers;
      expect(answer).toMatchObject({ status: isPart ? 206 : 200, reason: isPart ? 'Partial Content' : 'OK' });
      expect(answer.headers['content-encoding']).toBe(isPart ? undefined : coding);
      expect(answer.headers['content-length']).toBe(String(answer.body.length));
      expect(answer.headers).not.toHaveProperty('trailer');
      expect(decoded(answer)).toBe(isPart ? text.slice(0, 10) : text);
      expect(answer.headers.etag).toBe(coding === 'gzip' && !isPart ? 'W/"v"' : '"v"');
      // Storing it again takes a moment, and the next request shall find it.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });

  it('that others have waited for reaches each in its own form', async () => {
    let open = (): void => undefined;
    const { port, stored } = await scene(
      place,
      (res, _req, run) => {
        res.set({ ETag: '"v"', 'Cache-Control': run === 1 ? 'max-age=0' : 'max-age=60' }).type('text');
        if (run === 1) res.end(text);
        else open = () => void res.status(304).end();
      },
      { policy: 'rfc9111' },
    );
    await ask(port, '/');
    await stored();
    const answers = ['gzip', undefined, 'gzip', undefined].map((coding) => ask(port, '/', accepting(coding)));
    const arrived = Promise.all(answers);
    await new Promise((resolve) => setTimeout(resolve, 50));
    open();
    for (const [i, answer] of (await arrived).entries()) {
      expect(answer.headers['content-encoding']).toBe(i % 2 === 0 ? 'gzip' : undefined);
      expect(decoded(answer)).toBe(text);
    }
  });

  it('that HEAD finds unchanged stays', async () => {
    const { port, runs, stored } = await scene(
      place,
      (res, req, run) => {
        res.set({ ETag: '"v"', 'Cache-Control': run === 2 ? 'max-age=60' : 'max-age=0' }).type('text');
        res.set('Content-Length', String(text.length));
        res.end(req.method === 'HEAD' ? undefined : text);
      },
      { policy: 'rfc9111' },
    );
    await ask(port, '/');
    await stored();
    await ask(port, '/', { method: 'HEAD' });
    await stored(2);
    const answers = [await ask(port, '/'), await ask(port, '/', accepting('gzip'))];
    expect(answers.map(verdict)).toEqual([HIT, HIT]);
    expect(answers.map(decoded)).toEqual([text, text]);
    expect(runs()).toBe(2);
  });
});
