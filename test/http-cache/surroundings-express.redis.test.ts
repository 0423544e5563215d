import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import express, { type RequestHandler } from 'express';
import { isExpress4 } from '../support/express.ts';
import { type Ask, ask, HIT, listen, openSuite, PLACES, STORED, verdict } from './support.ts';
import { gate, until } from '../support/waiting.ts';

const folder = mkdtempSync(join(tmpdir(), 'surroundings-'));
const file = join(folder, 'report.txt');
const content = Array.from({ length: 20_000 }, (_, i) => i % 10).join('');
beforeAll(() => writeFileSync(file, content));
afterAll(() => rmSync(folder, { recursive: true }));

interface Row {
  readonly name: string;
  readonly handler: RequestHandler;
  /** Requests, each made cold, on an application of its own, and warm. */
  readonly asks: readonly (readonly [path: string, ask?: Ask])[];
  /** What else has to be in the answer to the first. */
  readonly fields?: Readonly<Record<string, string>>;
}

const accepting = (type: string): Ask => ({ headers: { Accept: type } });
const ranged = (range: string): Ask => ({ headers: { Range: range } });

const ROWS: readonly Row[] = [
  {
    name: 'sendFile',
    handler: (_req, res) => res.sendFile(file),
    asks: [
      ['/'],
      ['/', ranged('bytes=3-9')],
      ['/', ranged('bytes=-5')],
      ['/', ranged('bytes=99999-')],
      ['/', { method: 'HEAD' }],
    ],
  },
  {
    name: 'download',
    handler: (_req, res) => res.download(file, 'grüße.txt'),
    asks: [['/'], ['/', ranged('bytes=0-0')], ['/', { method: 'HEAD' }]],
    fields: {
      'content-disposition': `attachment; filename=${isExpress4 ? '"grüße.txt"' : '"gr??e.txt"; filename*=UTF-8\'\'gr%C3%BC%C3%9Fe.txt'}`,
    },
  },
  {
    name: 'redirect',
    handler: (_req, res) => res.redirect(308, '/there'),
    asks: [['/'], ['/', { method: 'HEAD' }]],
    fields: { location: '/there' },
  },
  {
    name: 'jsonp',
    handler: (_req, res) => void res.jsonp({ a: 1 }),
    asks: [['/?callback=one'], ['/?callback=two'], ['/']],
    fields: { 'x-content-type-options': 'nosniff' },
  },
  {
    name: 'format',
    handler: (_req, res) => void res.format({ text: () => res.send('text'), json: () => res.send({ json: 1 }) }),
    asks: [
      ['/', accepting('text/plain')],
      ['/', accepting('application/json')],
      ['/', accepting('application/*')],
    ],
    fields: { vary: 'Accept' },
  },
  {
    name: 'render',
    handler: (_req, res) => res.render('page.view', { name: 'you' }),
    asks: [['/'], ['/', { method: 'HEAD' }]],
  },
  {
    name: 'a reason',
    handler: (_req, res) => void res.writeHead(200, 'Quite Fine', { 'X-A': '1' }).end('x'),
    asks: [['/'], ['/', { method: 'HEAD' }]],
  },
  {
    name: 'a locale in the URL',
    handler: (req, res) => void res.append('Link', '<a>').append('Link', '<b>').send(req.originalUrl),
    asks: [['/%C3%BC?q=%20'], ['/ü?q=%20'.replace('ü', '%c3%bc')]],
  },
];

async function site(place: (typeof PLACES)[number], { handler }: Row): Promise<number> {
  const app = express().set('views', folder);
  app.engine('view', (_path, options, done) => done(null, `hello ${(options as { name?: string }).name}`));
  writeFileSync(join(folder, 'page.view'), '');
  app.use(openSuite(place).cache({ ttl: '1m' }), handler);
  return listen(app);
}

const OF_ONE_PASSAGE = new Set([
  'date',
  'age',
  'cache-status',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'accept-ranges',
  'cache-control',
]);

describe.each(PLACES)('on %s', (place) => {
  it.each(ROWS)('$name is answered alike cold and warm', async (row) => {
    const warm = await site(place, row);
    for (const [path] of row.asks) await ask(warm, path, row.asks[0]?.[1]);
    for (const [i, [path, question]] of row.asks.entries()) {
      const cold = await ask(await site(place, row), path, question);
      await ask(warm, path, question);
      const again = await ask(warm, path, question);
      expect(verdict(again)).toBe(HIT);
      expect([again.status, again.reason]).toEqual([cold.status, cold.reason]);
      const isError = cold.status >= 400;
      expect(again.text).toBe(isError ? '' : cold.text);
      const essence = ({ headers }: typeof cold): unknown =>
        Object.entries(headers)
          .filter(([name]) => !OF_ONE_PASSAGE.has(name) && name !== 'etag' && name !== 'content-length')
          .toSorted(([a], [b]) => (a < b ? -1 : 1));
      expect(essence(again)).toEqual(essence(isError ? again : cold));
      expect(again.headers).toMatchObject((i === 0 && row.fields) || {});
    }
  });

  it('interim responses reach the client and are not stored', async () => {
    const app = express();
    app.get('/', openSuite(place).cache({ ttl: '1m' }), (_req, res) => {
      res.writeProcessing();
      res.writeEarlyHints({ link: '</style.css>; rel=preload' });
      res.send('final');
    });
    const port = await listen(app);
    const heads = async (): Promise<string[]> => [...(await raw(port, GET)).matchAll(/HTTP\/1\.1 \d+/g)].map(String);
    expect(await heads()).toEqual(['HTTP/1.1 102', 'HTTP/1.1 103', 'HTTP/1.1 200']);
    expect(await heads()).toEqual(['HTTP/1.1 200']);
    expect((await ask(port, '/')).headers).not.toHaveProperty('link');
  });

  it('trailers reach the client of the handler, and the response is not stored without them', async () => {
    const app = express();
    let runs = 0;
    app.get('/', openSuite(place).cache({ ttl: '1m' }), (_req, res) => {
      res.writeHead(200, { Trailer: 'X-Sum' });
      res.write(`run ${++runs}`);
      res.addTrailers({ 'X-Sum': String(runs) });
      res.end();
    });
    const port = await listen(app);
    for (const run of [1, 2]) expect(await raw(port, GET)).toMatch(new RegExp(`run ${run}\r\n0\r\nX-Sum: ${run}\r\n`));
  });

  it('requests of one connection, sent at once, are answered in their order', async () => {
    const app = express();
    const slow = gate();
    app.get('/:name', openSuite(place).cache({ ttl: '1m' }), async (req, res) => {
      if (req.params['name'] === 'a') await slow.passed;
      res.set('ETag', '"v"').send(req.params['name']);
    });
    const port = await listen(app);
    await raw(port, requestOf('GET /b|Connection: close'));
    setTimeout(slow.open, 20);
    const lines = [
      'GET /a',
      'GET /b',
      'HEAD /b',
      'GET /b|If-None-Match: "v"',
      'GET /b|Range: bytes=5-',
      'GET /a|Connection: close',
    ];
    const wire = await raw(port, lines.map((line) => requestOf(line)).join(''));
    const answers = wire.split(/(?=HTTP\/1\.1 )/).map((answer) => answer.split('\r\n\r\n'));
    expect(answers.map(([head = '', body]) => head.slice(9, 12) + body)).toEqual([
      '200a',
      '200b',
      '200',
      '304',
      '416',
      '200a',
    ]);
  });

  it.each<[string, RequestHandler]>([
    ['sends it in pieces', (_req, res) => void Readable.from(['a', 'b', 'c']).pipe(res.set('Content-Length', '3'))],
    ['sends it late', (_req, res) => void setTimeout(() => res.send('abc'), 30)],
  ])('a client that leaves takes nothing from those to come: the handler %s', async (_name, handler) => {
    const app = express();
    let runs = 0;
    const suite = openSuite(place);
    let stores = 0;
    suite.events.on('cache:store', () => stores++);
    app.get('/', suite.cache({ ttl: '1m' }), (req, res, next) => {
      runs++;
      req.socket.destroy();
      return handler(req, res, next);
    });
    const port = await listen(app);
    await ask(port, '/').catch(() => undefined);
    await until(() => stores === 1);
    expect(await ask(port, '/')).toMatchObject({ status: 200, text: 'abc' });
    expect(runs).toBe(1);
  });

  it('a client that leaves before a hit, a 304 or a stale answer harms nobody', async () => {
    const app = express();
    let isDown = false;
    app.get('/', openSuite(place).cache({ ttl: '20ms', jitter: 0, staleIfError: '1m' }), (_req, res) => {
      if (isDown) res.status(503).end();
      else res.set('ETag', '"v"').send(content);
    });
    const port = await listen(app);
    expect(verdict(await ask(port, '/'))).toBe(STORED);
    isDown = true;
    for (let i = 0; i < 30; i++) {
      const client = connect(port, '127.0.0.1').on('error', () => undefined);
      client.write(requestOf(i % 2 === 0 ? 'GET /' : 'GET /|If-None-Match: "v"'));
      setTimeout(() => client.destroy(), i % 5);
    }
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(await ask(port, '/')).toMatchObject({ status: 200, text: content });
  });
});

function requestOf(line: string): string {
  const [start = '', ...fields] = line.split('|');
  return [`${start} HTTP/1.1`, 'Host: h', ...fields, '', ''].join('\r\n');
}

const GET = requestOf('GET /|Connection: close');

/** Everything that comes back until the connection is closed. */
async function raw(port: number, requests: string): Promise<string> {
  const client = connect(port, '127.0.0.1');
  let wire = '';
  client.setEncoding('latin1').on('data', (text: string) => (wire += text));
  client.write(requests);
  await once(client, 'close');
  return wire;
}
