import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import express, { type Express, type Response } from 'express';
import type { CacheOptions } from '../../src/index.ts';
import { openSuite } from './support.ts';
import { gate, until } from '../support/waiting.ts';

/** Express takes its requests and responses for those of HTTP/1. Here its own additions stand on those of HTTP/2. */
function expressOnHttp2(): Express {
  const app = express();
  for (const [name, base] of [
    ['request', http2.Http2ServerRequest.prototype],
    ['response', http2.Http2ServerResponse.prototype],
  ] as const) {
    const additions: object = Object.getPrototypeOf(app[name]);
    const proto: unknown = Object.create(base, Object.getOwnPropertyDescriptors(additions));
    Object.assign(app, { [name]: Object.create(proto as object, Object.getOwnPropertyDescriptors(app[name])) });
  }
  return app;
}

interface Http2Answer {
  readonly status: number | undefined;
  readonly fields: http2.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  readonly verdict: string;
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

type Handler = (res: Response, run: number) => unknown;

/** One cached route over HTTP/2. The handler learns which run it is, from 1. */
async function scene(handler: Handler, options: CacheOptions = { ttl: '1m' }) {
  const app = expressOnHttp2();
  let runs = 0;
  let stores = 0;
  const suite = openSuite('memory');
  suite.events.on('cache:store', () => stores++);
  app.get('/', suite.cache({ jitter: 0, ...options }), (_req, res) => handler(res, ++runs));
  app.put('/:name', suite.cache(), (req, res) => {
    res
      .location(`${req.protocol}://${String(req.headers[':authority'])}/`)
      .status(204)
      .end();
  });
  const broken: express.ErrorRequestHandler = (_error, _req, res, _next) => void res.status(500).end();
  app.use(broken);
  const server = http2.createServer(app as unknown as (req: http2.Http2ServerRequest) => void);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  closing.push(() => {
    session.destroy();
    server.close();
  });

  async function ask(fields: http2.OutgoingHttpHeaders = {}): Promise<Http2Answer> {
    const stream = session.request({ ':path': '/', ...fields });
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.end();
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders & { ':status'?: number }];
    if (!stream.closed) await once(stream, 'close');
    const body = Buffer.concat(chunks);
    const verdict = String(headers['cache-status'])
      .replace('express-redis-suite; ', '')
      .replace(/ttl=-?\d+/, 'ttl');
    return { status: headers[':status'], fields: headers, body, text: body.toString(), verdict };
  }
  return { ask, session, runs: () => runs, stored: (count = 1) => until(() => stores >= count) };
}

const HANDLERS: readonly (readonly [string, Handler])[] = [
  ['send', (res) => res.set('X-A', '1').send('body')],
  ['writeHead and end', (res) => res.writeHead(200, { 'X-A': '1' }).end('body')],
  [
    'several writes',
    (res) => {
      res.set('X-A', '1').write('bo');
      res.write('d');
      res.end('y');
    },
  ],
  [
    'headers that leave early',
    (res) => {
      res.set('X-A', '1').flushHeaders();
      setTimeout(() => res.end('body'), 2);
    },
  ],
];

/** Node warns once in a process, so this comes first. */
it('Node warns of nothing that the cache does over HTTP/2', async () => {
  const warnings: string[] = [];
  const note = ({ message }: Error): void => void warnings.push(message);
  process.on('warning', note);
  const { ask } = await scene((res) => res.set('ETag', '"v"').send('body'));
  for (const fields of [{ 'if-none-match': '"v"' }, {}, { range: 'bytes=0-1' }]) await ask(fields);
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  expect(warnings).toEqual([]);
});

describe('over HTTP/2', () => {
  it.each(HANDLERS)('an answer by %s is stored whole and sent again', async (_name, handler) => {
    const { ask, runs } = await scene(handler);
    for (const verdict of ['fwd=uri-miss; stored', 'hit; ttl', 'hit; ttl']) {
      const answer = await ask();
      expect(answer).toMatchObject({ status: 200, text: 'body', verdict });
      expect(answer.fields['x-a']).toBe('1');
    }
    expect(runs()).toBe(1);
  });

  it('the authority is part of the key', async () => {
    const { ask } = await scene((res, run) => res.send(`run ${run}`));
    expect((await ask({ ':authority': 'a.example' })).text).toBe('run 1');
    expect((await ask({ ':authority': 'b.example' })).text).toBe('run 2');
    expect((await ask({ ':authority': 'a.example' })).text).toBe('run 1');
  });

  it('HEAD, conditions and ranges are answered from what is stored', async () => {
    const { ask, runs } = await scene((res) => res.set('ETag', '"v"').send('0123456789'));
    await ask();
    expect(await ask({ ':method': 'HEAD' })).toMatchObject({ status: 200, text: '', verdict: 'hit; ttl' });
    expect(await ask({ 'if-none-match': '"v"' })).toMatchObject({ status: 304, text: '', verdict: 'hit; ttl' });
    expect(await ask({ range: 'bytes=3-5' })).toMatchObject({ status: 206, text: '345', verdict: 'hit; ttl' });
    expect(await ask({ range: 'bytes=99-' })).toMatchObject({ status: 416, text: '' });
    expect(runs()).toBe(1);
  });

  it('a first client that has it gets 304, and the next the whole', async () => {
    const { ask } = await scene((res) => res.set('ETag', '"v"').send('body'));
    expect(await ask({ 'if-none-match': '"v"' })).toMatchObject({ status: 304, text: '' });
    expect(await ask()).toMatchObject({ status: 200, text: 'body', verdict: 'hit; ttl' });
  });

  it('a compressed response reaches every client in its own form', async () => {
    const text = 'worth compressing '.repeat(200);
    const { ask, stored } = await scene((res) => res.type('text').send(text), { ttl: '1m', compress: '1kb' });
    await ask();
    await stored();
    expect((await ask()).text).toBe(text);
    const packed = await ask({ 'accept-encoding': 'gzip' });
    expect(packed.fields['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.body).toString()).toBe(text);
  });

  it('the handler is asked whether a stored response is still good', async () => {
    const { ask } = await scene(
      (res, run) => {
        res.set({ ETag: '"v"', 'Cache-Control': 'max-age=0' });
        if (run === 1) res.send('body');
        else res.status(304).end();
      },
      { policy: 'rfc9111' },
    );
    await ask();
    expect(await ask()).toMatchObject({ status: 200, text: 'body', verdict: 'fwd=stale; fwd-status=304; stored' });
  });

  it.each(['answers 503', 'throws'])('a stale response takes the place of a handler’s error: it %s', async (how) => {
    const { ask } = await scene(
      (res, run) => {
        if (run === 1) return res.send('good');
        if (how === 'throws') throw new Error('down');
        return res.status(503).send('down');
      },
      { ttl: '20ms', staleIfError: '1m' },
    );
    await ask();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await ask()).toMatchObject({ status: 200, text: 'good' });
  });

  it('a stale response is made anew while its client waits: behind its back no such request can be made', async () => {
    const { ask } = await scene((res, run) => res.send(`run ${run}`), { ttl: '20ms', staleWhileRevalidate: '1m' });
    await ask();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await ask()).toMatchObject({ status: 200, text: 'run 2', verdict: 'fwd=stale; stored' });
  });

  it('an unsafe request renews what its Location names', async () => {
    const { ask } = await scene((res, run) => res.send(`run ${run}`));
    await ask();
    expect(await ask({ ':method': 'PUT', ':path': '/other' })).toMatchObject({ status: 204 });
    expect((await ask()).text).toBe('run 2');
  });

  it('requests of one connection wait for one handler run, and one that is given up harms no other', async () => {
    const slow = gate();
    const { ask, session, runs } = await scene(async (res) => {
      await slow.passed;
      res.send('body');
    });
    const leader = session.request({ ':path': '/' });
    leader.on('error', () => undefined);
    await until(() => runs() === 1);
    const waiting = Promise.all([ask(), ask(), ask()]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    slow.open();
    for (const answer of await waiting) expect(answer).toMatchObject({ status: 200, text: 'body' });
    expect(runs()).toBe(1);
    leader.close(http2.constants.NGHTTP2_CANCEL);
    expect((await ask()).verdict).toBe('hit; ttl');
  });
});
