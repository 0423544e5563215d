import { randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { OutgoingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, pipeline, Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import compression from 'compression';
import express, { type RequestHandler, type Response } from 'express';
import { type Answer, ask, HIT, listen, openSuite, PLACES, STORED, verdict } from './support.ts';
import { runningTime } from '../support/running-time.ts';

const binary = randomBytes(70_000);
const folder = mkdtempSync(join(tmpdir(), 'handlers-'));
const file = join(folder, 'file.bin');
beforeAll(() => writeFileSync(file, binary));
afterAll(() => rmSync(folder, { recursive: true }));

interface Style {
  readonly name: string;
  readonly handler: (res: Response) => void;
}

const type = (value: string): OutgoingHttpHeaders => ({ 'Content-Type': value });

const STYLES: readonly Style[] = [
  { name: 'send a string', handler: (res) => void res.send('grüße 🌍') },
  { name: 'send a buffer', handler: (res) => void res.send(binary) },
  { name: 'send an object', handler: (res) => void res.send({ a: [1, null, 'ü'] }) },
  { name: 'send nothing', handler: (res) => void res.send() },
  { name: 'json', handler: (res) => void res.json({ a: 1 }) },
  { name: 'jsonp', handler: (res) => void res.jsonp({ a: 1 }) },
  { name: 'sendFile', handler: (res) => res.sendFile(file) },
  { name: 'a pipe', handler: (res) => void createReadStream(file).pipe(res) },
  {
    name: 'a pipeline',
    handler: (res) => void pipeline(createReadStream(file), new PassThrough(), res, () => undefined),
  },
  { name: 'a pipe of strings', handler: (res) => void Readable.from(['a', 'ü', 'b']).pipe(res) },
  {
    name: 'many writes',
    handler(res) {
      res.type('text/plain');
      for (let i = 0; i < 200; i++) res.write(`${i},`);
      res.end('end');
    },
  },
  {
    name: 'writes of every kind',
    handler(res) {
      const reused = Buffer.from('first');
      res.write('616263', 'hex');
      res.write('ÿ', 'latin1');
      res.write(new Uint8Array([0, 255, 10]));
      res.write('ä', () => undefined);
      res.write(reused, () => {
        reused.fill('X');
        res.end('YWJj', 'base64');
      });
    },
  },
  {
    name: 'writes over several turns',
    handler(res) {
      res.write('one');
      setTimeout(() => res.write('two'), 2);
      setTimeout(() => res.end(), 4);
    },
  },
  { name: 'end alone', handler: (res) => void res.end() },
  { name: 'end with a callback', handler: (res) => void res.end(() => undefined) },
  { name: 'end with a body and a callback', handler: (res) => void res.end('body', () => undefined) },
  { name: 'writeHead with an object', handler: (res) => void res.writeHead(200, type('text/x-one')).end('x') },
  {
    name: 'writeHead with a promised length',
    handler: (res) => void res.writeHead(200, { 'Content-Length': 3 }).end('abc'),
  },
  { name: 'writeHead with a flat list', handler: (res) => void res.writeHead(203, ['X-A', '1', 'X-B', '2']).end('x') },
  {
    name: 'writeHead after setHeader',
    handler: (res) => void res.set('X-A', '1').writeHead(200, { 'x-a': '2' }).end('x'),
  },
  {
    name: 'writeHead with no reason but headers',
    handler: (res) => void res.writeHead(200, undefined as unknown as string, type('text/x-one')).end('x'),
  },
  { name: 'lists in setHeader', handler: (res) => void res.setHeader('Link', ['<a>', '<b>']).end('x') },
  {
    name: 'names in their own case',
    handler: (res) => void res.setHeader('x-LOUD-Name', 'Yes').setHeader('etag', '"e"').end('x'),
  },
  {
    name: 'flushHeaders',
    handler(res) {
      res.set('X-A', '1').flushHeaders();
      setTimeout(() => res.end('late'), 5);
    },
  },
  { name: '204', handler: (res) => void res.status(204).end() },
  { name: '203', handler: (res) => void res.status(203).send('x') },
  { name: '301', handler: (res) => res.redirect(301, '/elsewhere') },
  { name: '308', handler: (res) => res.redirect(308, '/elsewhere') },
  { name: 'sendStatus', handler: (res) => void res.sendStatus(200) },
  {
    name: '410 with its own lifetime',
    handler: (res) => void res.status(410).set('Cache-Control', 'max-age=9').send('gone'),
  },
  { name: 'a header named like the prototype', handler: (res) => void res.setHeader('__proto__', 'x').end('y') },
  { name: 'a strong ETag', handler: (res) => void res.set('ETag', '"v1"').send('x') },
  { name: 'bytes above ASCII in a header', handler: (res) => void res.set('X-A', 'caf\u00e9').send('x') },
];

const PASSING = /^(?:Date|Connection|Keep-Alive|Age|Cache-Status|Transfer-Encoding|Content-Length): /i;

/** What has to be the same: all but the fields of one passage, and how the length is told. An ETag may be added. */
function essence(answer: Answer, ignoreEtag: boolean): unknown {
  const lines = answer.lines.filter((line) => !PASSING.test(line) && !(ignoreEtag && line.startsWith('ETag: ')));
  return { status: answer.status, lines: lines.toSorted(), body: answer.body.toString('base64') };
}

function route(
  place: (typeof PLACES)[number],
  handler: Style['handler'],
  before: RequestHandler[] = [],
  after: RequestHandler[] = [],
) {
  const app = express();
  let runs = 0;
  const cache = openSuite(place).cache({ ttl: '1m' });
  app.get('/plain', (_req, res) => handler(res));
  app.get('/cached', ...before, cache, ...after, (_req, res) => {
    runs++;
    handler(res);
  });
  return { app, runs: () => runs };
}

describe.each(PLACES)('handlers on %s', (place) => {
  it.each(STYLES)('that use $name are stored and sent exactly', async ({ handler }) => {
    const { app, runs } = route(place, handler);
    const port = await listen(app);
    const plain = await ask(port, '/plain');
    const miss = await ask(port, '/cached');
    const hit = await ask(port, '/cached');
    expect([verdict(miss), verdict(hit), runs()]).toEqual([STORED, HIT, 1]);
    expect(essence(miss, false)).toEqual(essence(plain, false));
    expect(essence(hit, plain.headers.etag === undefined)).toEqual(essence(plain, false));
    expect(hit.headers['content-length']).toBe(plain.status === 204 ? undefined : String(plain.body.length));
    expect(hit.headers.age).toMatch(/^[01]$/);
    const head = await ask(port, '/cached', { method: 'HEAD' });
    const isTimeless = (line: string): boolean => !/^(?:Date|Age|Cache-Status):/.test(line);
    expect(head.lines.filter(isTimeless)).toEqual(hit.lines.filter(isTimeless));
    expect(head.body).toHaveLength(0);
  });

  it.each<[string, unknown]>([
    [
      'array of pairs',
      [
        ['X-A', '1'],
        ['Link', '<a>'],
        ['Link', '<b>'],
      ],
    ],
    ['flat array', ['X-A', '1', 'Link', '<a>', 'link', '<b>']],
  ])('keep every line of an %s in writeHead', async (_name, headers) => {
    const { app } = route(place, (res) => void res.writeHead(200, headers as OutgoingHttpHeaders).end('x'));
    const port = await listen(app);
    for (const { headers: received } of [await ask(port, '/cached'), await ask(port, '/cached')]) {
      expect(received).toMatchObject({ 'x-a': '1', link: '<a>, <b>' });
    }
  });

  it('send their own reason phrase to everybody', async () => {
    const { app } = route(place, (res) => void res.writeHead(200, 'Fine', { 'X-A': '1' }).end('x'));
    const port = await listen(app);
    expect(await ask(port, '/cached')).toMatchObject({ status: 200, reason: 'Fine' });
    expect(await ask(port, '/cached')).toMatchObject({ status: 200, reason: 'Fine', text: 'x' });
  });

  it.each<[string, RequestHandler[], RequestHandler[]]>([
    ['before', [compression({ threshold: 0 })], []],
    ['after', [], [compression({ threshold: 0 })]],
    ['before and after', [compression({ threshold: 0 })], [compression({ threshold: 0 })]],
  ])('work with compression %s the cache, for gzip and identity clients in turn', async (_where, before, after) => {
    const text = 'compress me '.repeat(500);
    for (const style of [
      (res: Response) => void res.type('text').send(text),
      (res: Response) => {
        res.type('text').write(text.slice(0, 100));
        setTimeout(() => res.end(text.slice(100)), 2);
      },
    ]) {
      const { app, runs } = route(place, style, before, after);
      const port = await listen(app);
      for (let round = 0; round < 3; round++) {
        for (const encoding of ['gzip', 'identity', 'br']) {
          const response = await fetchText(port, encoding);
          expect(response.text).toBe(text);
          expect(response.encoding).toBe(encoding === 'identity' ? null : encoding);
        }
      }
      expect(runs()).toBe(after.length === 0 ? 1 : 3);
    }
  });
});

async function fetchText(port: number, encoding: string): Promise<{ text: string; encoding: string | null }> {
  const response = await fetch(`http://127.0.0.1:${port}/cached`, { headers: { 'Accept-Encoding': encoding } });
  return { text: await response.text(), encoding: response.headers.get('content-encoding') };
}

describe('middleware around the cache', () => {
  it('sets its own headers anew on every request', async () => {
    const app = express().disable('x-powered-by');
    let request = 0;
    app.use((_req, res, next) => {
      res.set('X-Request-Id', String(++request));
      next();
    });
    app.get('/', openSuite('memory').cache({ ttl: '1m' }), (_req, res) => res.send('x'));
    const port = await listen(app);
    expect((await ask(port, '/')).headers['x-request-id']).toBe('1');
    expect((await ask(port, '/')).headers['x-request-id']).toBe('2');
  });

  it('sees every header line of a hit without any header set before', async () => {
    const app = express().disable('x-powered-by');
    app.get(
      '/',
      openSuite('memory').cache({ ttl: '1m' }),
      (_req, res) => void res.setHeader('Link', ['<a>', '<b>']).end('x'),
    );
    const port = await listen(app);
    await ask(port, '/');
    expect((await ask(port, '/')).lines.filter((line) => line.startsWith('Link'))).toEqual(['Link: <a>', 'Link: <b>']);
  });

  it.each([
    ['the same', undefined],
    ['another', 'inner'],
  ])(
    'may cache again, under %s key: the inner cache decides, and nobody waits for oneself',
    async (_name, keyPrefix) => {
      const suite = openSuite('memory');
      const app = express();
      const router = express.Router();
      let runs = 0;
      router.use(suite.cache({ ttl: '1h' }));
      router.get('/x', suite.cache({ ttl: '1m', tags: ['x'], keyPrefix }), async (_req, res) => {
        runs++;
        await new Promise((resolve) => setTimeout(resolve, 20));
        res.send(`run ${runs}`);
      });
      app.use('/api', router);
      const port = await listen(app);
      const startedAt = runningTime();
      const answers = await Promise.all(Array.from({ length: 10 }, () => ask(port, '/api/x')));
      expect(runningTime() - startedAt).toBeLessThan(2_000);
      expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['run 1']));
      expect((await ask(port, '/api/x')).text).toBe('run 1');
      await suite.invalidate('x');
      expect((await ask(port, '/api/x')).text).toBe('run 2');
    },
  );

  it('may mount applications: the key is the whole path', async () => {
    const suite = openSuite('memory');
    const app = express();
    for (const name of ['one', 'two']) {
      const mounted = express();
      mounted.use(suite.cache({ ttl: '1m' }));
      mounted.get('/x', (_req, res) => res.send(name));
      mounted.get('/', (_req, res) => res.send(`${name} root`));
      app.use(`/${name}`, mounted);
    }
    const port = await listen(app);
    for (const path of ['/one/x', '/two/x', '/one', '/two', '/one/x', '/two', '/one?a=1', '/one?a=1']) {
      const expected = `${path.slice(1, 4)}${path.endsWith('/x') ? '' : ' root'}`;
      expect((await ask(port, path)).text).toBe(expected);
    }
    expect(suite.stats().cache).toMatchObject({ hits: 3, misses: 5, stores: 5 });
  });
});
