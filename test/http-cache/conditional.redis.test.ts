import { describe, expect, it } from '@jest/globals';
import express, { type Response } from 'express';
import { type Answer, ask, HIT, listen, MISS, openSuite, type Place, PLACES, STORED, verdict } from './support.ts';

const MODIFIED = 'Tue, 15 Nov 1994 12:45:26 GMT';

interface Case {
  readonly name: string;
  readonly etag?: string;
  readonly modified?: string;
  readonly ask: Readonly<Record<string, string>>;
  readonly status: 200 | 304;
}

const CASES: readonly Case[] = [
  { name: 'the same strong tag', etag: '"a"', ask: { 'If-None-Match': '"a"' }, status: 304 },
  { name: 'another tag', etag: '"a"', ask: { 'If-None-Match': '"b"' }, status: 200 },
  { name: 'a weak tag for a strong one', etag: '"a"', ask: { 'If-None-Match': 'W/"a"' }, status: 304 },
  { name: 'a strong tag for a weak one', etag: 'W/"a"', ask: { 'If-None-Match': '"a"' }, status: 304 },
  { name: 'a list with the tag', etag: '"a"', ask: { 'If-None-Match': '"x", W/"a" ,"y"' }, status: 304 },
  { name: 'a list without it', etag: '"a"', ask: { 'If-None-Match': '"x", "aa"' }, status: 200 },
  { name: 'a tag with a comma', etag: '"a,b"', ask: { 'If-None-Match': '"x", "a,b"' }, status: 304 },
  { name: 'part of a tag with a comma', etag: '"b"', ask: { 'If-None-Match': '"a,b"' }, status: 200 },
  { name: 'a tag in another case', etag: '"a"', ask: { 'If-None-Match': '"A"' }, status: 200 },
  { name: 'any tag', etag: '"a"', ask: { 'If-None-Match': '*' }, status: 304 },
  { name: 'an empty list', etag: '"a"', ask: { 'If-None-Match': '' }, status: 200 },
  { name: 'the same date', modified: MODIFIED, ask: { 'If-Modified-Since': MODIFIED }, status: 304 },
  {
    name: 'a later date',
    modified: MODIFIED,
    ask: { 'If-Modified-Since': 'Tue, 15 Nov 1994 12:45:27 GMT' },
    status: 304,
  },
  {
    name: 'an earlier date',
    modified: MODIFIED,
    ask: { 'If-Modified-Since': 'Tue, 15 Nov 1994 12:45:25 GMT' },
    status: 200,
  },
  {
    name: 'a date in the second form',
    modified: MODIFIED,
    ask: { 'If-Modified-Since': 'Tuesday, 15-Nov-94 12:45:26 GMT' },
    status: 304,
  },
  {
    name: 'a date in the third form',
    modified: MODIFIED,
    ask: { 'If-Modified-Since': 'Tue Nov 15 12:45:26 1994' },
    status: 304,
  },
  { name: 'a date in no form', modified: MODIFIED, ask: { 'If-Modified-Since': '2030-01-01' }, status: 200 },
  {
    name: 'another tag with the same date',
    etag: '"a"',
    modified: MODIFIED,
    ask: { 'If-None-Match': '"b"', 'If-Modified-Since': MODIFIED },
    status: 200,
  },
  {
    name: 'the same tag with an earlier date',
    etag: '"a"',
    modified: MODIFIED,
    ask: { 'If-None-Match': '"a"', 'If-Modified-Since': 'Tue, 15 Nov 1993 12:45:26 GMT' },
    status: 304,
  },
];

const ANSWERS: readonly (readonly [string, (res: Response) => void])[] = [
  ['send', (res) => void res.send('the whole body')],
  ['json with a length', (res) => void res.json({ the: 'whole body' })],
  [
    'a stream',
    (res) => {
      res.type('text').write('the whole ');
      setTimeout(() => res.end('body'), 1);
    },
  ],
  ['writeHead and a promised length', (res) => void res.writeHead(200, { 'Content-Length': 14 }).end('the whole body')],
];

async function application(place: Place, handler: (res: Response) => void): Promise<{ port: number; runs(): number }> {
  const app = express();
  let runs = 0;
  app.get('/', openSuite(place).cache({ ttl: '1m' }), (_req, res) => {
    runs++;
    handler(res);
  });
  return { port: await listen(app), runs: () => runs };
}

const OF_A_BODY = ['content-length', 'content-type', 'content-encoding', 'transfer-encoding'];

/** A 304 as it should be: no body, and nothing said about one. */
function isUnchanged({ status, headers, body }: Answer): boolean {
  return status === 304 && body.length === 0 && !OF_A_BODY.some((name) => Object.hasOwn(headers, name));
}

describe.each(PLACES)('conditional requests on %s', (place) => {
  it.each(CASES)('are answered alike cold and warm: $name', async ({ etag, modified, ask: headers, status }) => {
    const { port, runs } = await application(place, (res) => {
      if (etag !== undefined) res.set('ETag', etag);
      if (modified !== undefined) res.set('Last-Modified', modified);
      res.type('text').end('the whole body');
    });
    for (const method of ['GET', 'GET', 'HEAD']) {
      const answer = await ask(port, '/', { method, headers });
      const body = status === 200 && method === 'GET' ? 'the whole body' : '';
      expect([answer.status, answer.text]).toEqual([status, body]);
      expect(status === 200 || isUnchanged(answer)).toBe(true);
      expect(answer.headers.etag).toBe(etag ?? answer.headers.etag);
    }
    const whole = await ask(port, '/');
    expect([verdict(whole), whole.text, runs()]).toEqual([HIT, 'the whole body', 1]);
  });

  it.each(ANSWERS)('on a cold entry store the whole 200 of %s', async (_name, handler) => {
    const { port, runs } = await application(place, (res) => {
      res.set('ETag', '"a"');
      handler(res);
    });
    const cold = await ask(port, '/', { headers: { 'If-None-Match': '"a"' } });
    expect(isUnchanged(cold)).toBe(true);
    expect(verdict(cold)).toBe('fwd=uri-miss; fwd-status=200; stored');
    const warm = await ask(port, '/');
    expect([warm.status, verdict(warm), runs()]).toEqual([200, HIT, 1]);
    expect(warm.text).toMatch(/whole.*body/);
    expect(isUnchanged(await ask(port, '/', { headers: { 'If-None-Match': '"a"' } }))).toBe(true);
  });

  it('give a response without ETag one of its own', async () => {
    const { port } = await application(place, (res) => void res.end('the whole body'));
    expect((await ask(port, '/')).headers.etag).toBeUndefined();
    const { etag = '' } = (await ask(port, '/')).headers;
    expect(etag).toMatch(/^W\/".+"$/);
    expect(isUnchanged(await ask(port, '/', { headers: { 'If-None-Match': etag } }))).toBe(true);
  });

  it('on a cold HEAD are answered 304 and store nothing', async () => {
    const { port, runs } = await application(place, (res) => void res.set('ETag', '"a"').send('body'));
    const headers = { 'If-None-Match': '"a"' };
    expect(isUnchanged(await ask(port, '/', { method: 'HEAD', headers }))).toBe(true);
    expect((await ask(port, '/')).text).toBe('body');
    expect(runs()).toBe(2);
  });

  it('poison nothing by HEAD: a GET after a cold HEAD has its body', async () => {
    const { port } = await application(place, (res) => void res.send('body'));
    const head = await ask(port, '/', { method: 'HEAD' });
    expect([head.headers['content-length'], head.body.length]).toEqual(['4', 0]);
    const get = await ask(port, '/');
    expect([verdict(get), get.text]).toEqual([STORED, 'body']);
  });

  it('poison nothing by a range: the part is neither stored nor cut from what is', async () => {
    const app = express();
    app.get('/', openSuite(place).cache({ ttl: '1m' }), (req, res) => {
      if (req.get('Range') === undefined) res.send('whole');
      else res.status(206).set({ 'Content-Range': 'bytes 0-1/5', 'Cache-Control': 'public, max-age=60' }).send('wh');
    });
    const port = await listen(app);
    for (let round = 0; round < 2; round++) {
      const part = await ask(port, '/', { headers: { Range: 'bytes=0-1' } });
      expect([part.status, part.text]).toEqual([206, 'wh']);
      expect(verdict(part)).toBe(round === 0 ? MISS : HIT);
      expect((await ask(port, '/')).text).toBe('whole');
    }
  });
});

describe('errors', () => {
  it('are never turned into 304', async () => {
    const { port } = await application('memory', (res) => void res.status(404).set('ETag', '"a"').send('gone'));
    expect((await ask(port, '/', { headers: { 'If-None-Match': '"a"' } })).status).toBe(404);
  });

  it('keep the conditions of a request visible after the handler', async () => {
    const app = express();
    let seen: string | undefined;
    app.get('/', openSuite('memory').cache({ ttl: '1m' }), (req, res) => {
      res.on('finish', () => (seen = req.get('If-None-Match')));
      res.send('x');
    });
    await ask(await listen(app), '/', { headers: { 'If-None-Match': '"a"' } });
    expect(seen).toBe('"a"');
  });
});
