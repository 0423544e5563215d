import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import express, { type Request, type Response } from 'express';
import { Redis } from 'ioredis';
import type { CacheOptions } from '../../src/index.ts';
import { closedLater, uniquePrefix } from '../support/connections.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { type Ask, ask, HIT, listen, openSuite, PLACES, STORED, verdict } from './support.ts';
import { until } from '../support/waiting.ts';

let server: RedisProcess;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

const LARGE = 300_000;
const body = 'x'.repeat(LARGE);
type Handler = (res: Response, req: Request) => unknown;

/** One cached route on a server of its own, filled by one request. */
async function filled(handler: Handler, options: CacheOptions = {}) {
  const redis = closedLater(new Redis({ port: server.port }));
  const suite = openSuite('memory', { redis, backend: 'redis', prefix: uniquePrefix(), deadline: '2s' });
  const app = express();
  let stores = 0;
  suite.events.on('cache:store', () => stores++);
  app.get('/', suite.cache({ ttl: '1m', ...options }), (req, res) => handler(res, req));
  const port = await listen(app);
  expect(verdict(await ask(port, '/', { headers: { 'Accept-Language': 'de' } }))).toBe(STORED);
  await until(() => stores === 1);
  return port;
}

const READS = ['get', 'getrange', 'zrangebyscore'] as const;

/** What the server does for one request: how often it reads, and how many bytes it sends. */
async function costOf(port: number, question: Ask) {
  const admin = closedLater(new Redis({ port: server.port }));
  const sent = async (): Promise<number> =>
    Number(/total_net_output_bytes:(\d+)/.exec(await admin.info('stats'))?.[1] ?? 0);
  await admin.config('RESETSTAT');
  const before = await sent();
  const answer = await ask(port, '/', question);
  const bytes = (await sent()) - before;
  const stats = await admin.info('commandstats');
  const countOf = (name: string): number => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  return { answer, bytes, reads: Object.fromEntries(READS.map((name) => [name, countOf(name)])) };
}

const head: Ask = { method: 'HEAD' };
const unchanged: Ask = { headers: { 'If-None-Match': '"v"' } };
const send: Handler = (res) => res.type('text').set('ETag', '"v"').end(body);

describe('what is read from Redis for a large response', () => {
  it.each<[string, Ask, CacheOptions, Handler]>([
    ['HEAD', head, {}, send],
    ['304', unchanged, {}, send],
    ['304 by date', { headers: { 'If-Modified-Since': new Date(Date.now() + 1e6).toUTCString() } }, {}, send],
    ['304 of a compressed response', unchanged, { compress: '1kb' }, send],
    [
      '304 of a variant',
      { headers: { 'Accept-Language': 'de', 'If-None-Match': '"v"' } },
      {},
      (res, req) => send(res.vary('Accept-Language'), req),
    ],
  ])('is its head alone, in one round trip: %s', async (_name, question, options, handler) => {
    const { answer, bytes, reads } = await costOf(await filled(handler, options), question);
    expect(answer).toMatchObject({ status: question === head ? 200 : 304, text: '' });
    expect(verdict(answer)).toBe(HIT);
    expect(reads).toEqual({ get: 0, getrange: 1, zrangebyscore: 1 });
    expect(bytes).toBeLessThan(20_000);
  });

  it.each<[string, Ask, object]>([
    ['GET', {}, { get: 1, getrange: 0, zrangebyscore: 1 }],
    ['a range', { headers: { Range: 'bytes=1-2' } }, { get: 1, getrange: 0, zrangebyscore: 1 }],
    ['GET of who has another', { headers: { 'If-None-Match': '"u"' } }, { get: 1, getrange: 1, zrangebyscore: 2 }],
  ])('is all of it where it is sent: %s', async (_name, question, expected) => {
    const { answer, reads } = await costOf(await filled(send), question);
    expect([200, 206]).toContain(answer.status);
    expect(answer.text).toBe(answer.status === 206 ? 'xx' : body);
    expect(reads).toEqual(expected);
  });

  it('is all of it where its head is longer than what is read of one', async () => {
    const port = await filled((res, req) => send(res.set('X-Long', 'y'.repeat(6_000)), req));
    for (const question of [head, unchanged]) {
      const { answer, reads } = await costOf(port, question);
      expect(verdict(answer)).toBe(HIT);
      expect(answer.headers['x-long']).toHaveLength(6_000);
      expect(reads).toEqual({ get: 1, getrange: 1, zrangebyscore: 2 });
    }
    expect((await ask(port, '/')).text).toBe(body);
  });
});

/** Begins a request and resolves with the response at its head; nothing of the body is read yet. */
async function begin(port: number): Promise<IncomingMessage> {
  const request = http.get({ host: '127.0.0.1', port, path: '/', agent: false });
  request.on('error', () => undefined);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.on('error', () => undefined);
  return response;
}

const STREAMS: readonly (readonly [string, CacheOptions, (res: Response) => unknown])[] = [
  ['text/event-stream', {}, (res) => res.set('Content-Type', 'text/event-stream')],
  ['one above the cap that says so', { maxBytes: '1kb' }, (res) => res.set('Content-Length', String(2 ** 26))],
  ['one above the cap that does not say so', { maxBytes: '1kb' }, (res) => res],
  ['one that is private', {}, (res) => res.set('Cache-Control', 'private')],
];

describe.each(PLACES)('a stream on %s', (place) => {
  it.each(STREAMS)('flows at once and waits for its client: %s', async (_name, options, prepare) => {
    const app = express();
    let written = 0;
    let hasPaused = false;
    app.get('/', openSuite(place).cache({ ttl: '1m', ...options }), (_req, res) => {
      prepare(res);
      res.write('first');
      // Until its client reads nobody may take more of it than connections buffer.
      const piece = Buffer.alloc(65_536);
      const more = (): void => {
        while (written < 2 ** 26 && !hasPaused && !res.destroyed) {
          written += piece.length;
          hasPaused = !res.write(piece);
        }
      };
      res.on('drain', () => {
        hasPaused = false;
        more();
      });
      setTimeout(more, 20);
    });
    const response = await begin(await listen(app));
    const [first] = (await once(response, 'data')) as [Buffer];
    expect(first.toString()).toBe('first');
    response.pause();
    await until(() => hasPaused);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(written).toBeLessThan(2 ** 24);
    response.destroy();
  });
});

describe.each(PLACES)('the time of a response on %s', (place) => {
  it('is what its handler said, and Age goes on from there', async () => {
    const app = express();
    const made = new Date(Date.now() - 100_000).toUTCString();
    const fields: Record<string, Record<string, string>> = {
      date: { Date: made },
      age: { Age: '50' },
      both: { Date: made, Age: '500' },
      none: {},
    };
    app.get('/:what', openSuite(place).cache({ policy: 'rfc9111' }), (req, res) => {
      res.writeHead(200, { 'Cache-Control': 'max-age=3600', ...fields[String(req.params['what'])] }).end('x');
    });
    const port = await listen(app);
    for (const [what, age] of [
      ['date', 100],
      ['age', 50],
      ['both', 500],
      ['none', 0],
    ] as const) {
      const first = await ask(port, `/${what}`);
      const again = await ask(port, `/${what}`);
      expect(verdict(again)).toBe(HIT);
      expect(again.headers.date).toBe(first.headers.date);
      expect(Number(again.headers.age)).toBeGreaterThanOrEqual(age);
      expect(Number(again.headers.age)).toBeLessThan(age + 10);
    }
  });
});
