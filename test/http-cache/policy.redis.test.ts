import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import express, { type Response } from 'express';
import type { CacheOptions } from '../../src/index.ts';
import { type Ask, ask, BYPASS, HIT, listen, MISS, openSuite, type Place, PLACES, STORED, verdict } from './support.ts';

type Headers = Readonly<Record<string, string | readonly string[]>>;

interface Row {
  readonly name: string;
  /** Default: a ttl of one minute. */
  readonly options?: CacheOptions;
  readonly ask?: Ask;
  readonly status?: number;
  readonly headers?: Headers;
  readonly handler?: (res: Response) => void;
}

const cc = (value: string): Headers => ({ 'Cache-Control': value });
const withHeaders = (headers: Headers): Ask => ({ headers });
const COOKIE = withHeaders({ Cookie: 'sid=1' });
const AUTHORIZATION = withHeaders({ Authorization: 'Bearer x' });
const NO_TTL: CacheOptions = {};
const BYPASSING: CacheOptions = { ttl: '1m', cookies: 'bypass' };
const inAMinute = (): string => new Date(Date.now() + 60_000).toUTCString();

const STORED_ROWS: readonly Row[] = [
  { name: 'client: no-cache', ask: withHeaders({ 'Cache-Control': 'no-cache' }) },
  { name: 'client: no-store', ask: withHeaders({ 'Cache-Control': 'no-store' }) },
  { name: 'client: max-age=0', ask: withHeaders({ 'Cache-Control': 'max-age=0' }) },
  { name: 'client: only-if-cached', ask: withHeaders({ 'Cache-Control': 'only-if-cached' }) },
  { name: 'client: max-stale', ask: withHeaders({ 'Cache-Control': 'max-stale=100' }) },
  { name: 'client: Pragma', ask: withHeaders({ Pragma: 'no-cache' }) },
  { name: 'client: an empty body', ask: withHeaders({ 'Content-Length': '0' }) },
  { name: 'a cookie, for a public response', ask: COOKIE, headers: cc('public') },
  { name: 'a cookie that is ignored', ask: COOKIE, options: { ttl: '1m', cookies: 'ignore' } },
  { name: 'a cookie that is declared', ask: COOKIE, options: { ttl: '1m', cookies: ['sid'] } },
  { name: 'a cookie of a known user', ask: COOKIE, options: { ttl: '1m', user: () => 'ann' } },
  {
    name: 'a declared Cookie header',
    ask: COOKIE,
    options: { ttl: '1m', vary: ['Cookie'] },
    headers: { Vary: 'Cookie' },
  },
  { name: 'Authorization, for a public response', ask: AUTHORIZATION, headers: cc('public') },
  { name: 'Authorization of a known user', ask: AUTHORIZATION, options: { ttl: '1m', user: () => 'ann' } },
  { name: 'a declared Authorization header', ask: AUTHORIZATION, options: { ttl: '1m', vary: ['authorization'] } },
  {
    name: 'Vary: Authorization of a known user',
    ask: AUTHORIZATION,
    options: { ttl: '1m', user: () => 'ann' },
    headers: { Vary: 'Authorization' },
  },
  {
    name: 'Vary: Cookie where cookies are declared',
    options: { ttl: '1m', cookies: ['sid'] },
    headers: { Vary: 'Cookie' },
  },
  { name: 'max-age without a ttl', options: NO_TTL, headers: cc('max-age=60') },
  { name: 's-maxage, which goes before max-age', options: NO_TTL, headers: cc('max-age=0, s-maxage=60') },
  { name: 'Expires without a ttl', options: NO_TTL, headers: { Expires: inAMinute() } },
  { name: 'a ttl, which goes before max-age=0', headers: cc('max-age=0') },
  { name: 'a ttl, which goes before Expires', headers: { Expires: '0' } },
  { name: 'a targeted field without a ttl', options: NO_TTL, headers: { 'CDN-Cache-Control': 'max-age=60' } },
  { name: 'a targeted field that says no lifetime, with a ttl', headers: { 'CDN-Cache-Control': 'public' } },
  {
    name: 'a targeted field, which goes before Cache-Control',
    headers: { 'CDN-Cache-Control': 'max-age=60', 'Cache-Control': 'no-store' },
  },
  {
    name: 'Cache-Control, where the targeted field cannot be read',
    options: NO_TTL,
    headers: { 'CDN-Cache-Control': 'max-age=60, private=???', 'Cache-Control': 'max-age=60' },
  },
  { name: '404 with its own lifetime', status: 404, headers: cc('max-age=60') },
  { name: '404 with a negative ttl', status: 404, options: { ttl: '1m', negativeTtl: '5s' } },
  { name: '410 with a negative ttl', status: 410, options: { negativeTtl: '5s' } },
  { name: '403 with its own lifetime', status: 403, headers: cc('max-age=60') },
  { name: '302 with its own lifetime', status: 302, headers: { ...cc('max-age=60'), Location: '/x' } },
  { name: 'must-revalidate', headers: cc('must-revalidate') },
  { name: 'a value that only looks like a prohibition', headers: cc('x="no-store, private", max-age=60') },
  { name: 'the ttl of the handler', options: NO_TTL, handler: (res) => void res.cache.ttl('1m') },
  { name: 'what meets the condition', options: { ttl: '1m', condition: (_req, res) => res.statusCode === 200 } },
  { name: 'a body of just the size', options: { ttl: '1m', maxBytes: 4 } },
];

const REFUSED_ROWS: readonly Row[] = [
  { name: 'no lifetime at all', options: NO_TTL },
  { name: 'Last-Modified alone', options: NO_TTL, headers: { 'Last-Modified': new Date(0).toUTCString() } },
  { name: 'Expires in the past', options: NO_TTL, headers: { Expires: new Date(0).toUTCString() } },
  { name: 'Expires that is no date', options: NO_TTL, headers: { Expires: '0' } },
  {
    name: 'Expires in another form',
    options: NO_TTL,
    headers: { Expires: new Date(Date.now() + 60_000).toISOString() },
  },
  { name: 'max-age that is no number', options: NO_TTL, headers: { ...cc('max-age=1h'), Expires: inAMinute() } },
  { name: 'Set-Cookie', headers: { 'Set-Cookie': 'a=1' } },
  { name: 'Set-Cookie in a public response', headers: { 'Set-Cookie': ['a=1', 'b=2'], ...cc('public, max-age=60') } },
  { name: 'Clear-Site-Data', headers: { 'Clear-Site-Data': '"cache"' } },
  { name: 'private', headers: cc('private') },
  { name: 'Private, in another case', headers: cc('PRIVATE, max-age=60') },
  { name: 'private with fields', headers: cc('private="X-Name"') },
  { name: 'private with no fields', headers: cc('private=""') },
  { name: 'private twice', headers: cc('private, private="x"') },
  { name: 'private in a second line', headers: { 'Cache-Control': ['max-age=60', 'private'] } },
  { name: 'private behind a semicolon', headers: cc('max-age=60;private') },
  { name: 'private behind a quote that is not closed', headers: cc('x="a, private') },
  { name: 'no-store', headers: cc('no-store') },
  { name: 'no-cache', headers: cc('no-cache') },
  { name: 'no-store behind public', headers: cc('public, max-age=60, No-Store') },
  { name: 'a targeted no-store', headers: { 'CDN-Cache-Control': 'no-store', ...cc('public, max-age=60') } },
  { name: 'a targeted lifetime of 0', headers: { 'CDN-Cache-Control': 'max-age=0' } },
  { name: 'a cookie', ask: COOKIE, options: BYPASSING },
  { name: 'a cookie and a lifetime', ask: COOKIE, options: BYPASSING, headers: cc('max-age=60') },
  { name: 'Authorization', ask: AUTHORIZATION, options: BYPASSING },
  { name: 'Authorization with s-maxage', ask: AUTHORIZATION, options: BYPASSING, headers: cc('s-maxage=60') },
  { name: 'Authorization where cookies are ignored', ask: AUTHORIZATION, options: { ttl: '1m', cookies: 'ignore' } },
  {
    name: 'public that is stale at once, for a cookie',
    ask: COOKIE,
    options: BYPASSING,
    headers: cc('public, max-age=0'),
  },
  {
    name: 'public that is stale at once, for Authorization',
    ask: AUTHORIZATION,
    options: BYPASSING,
    headers: cc('public, max-age=0'),
  },
  { name: 'Vary: *', headers: { Vary: '*' } },
  { name: 'Vary: * among others', headers: { Vary: 'Accept, *' } },
  { name: 'Vary: Cookie', headers: { Vary: 'Cookie' } },
  { name: 'vary: cookie, in another case', headers: { vary: 'accept,COOKIE' } },
  { name: 'Vary: Authorization', headers: { Vary: 'Authorization' } },
  { name: '302 under a ttl', status: 302, headers: { Location: '/x' } },
  { name: '206', status: 206, headers: { 'Content-Range': 'bytes 0-3/9', ...cc('max-age=60') } },
  { name: '200 with Content-Range', headers: { 'Content-Range': 'bytes 0-3/9' } },
  { name: '304 of the handler', status: 304, headers: cc('max-age=60') },
  { name: 'events', headers: { 'Content-Type': 'Text/Event-Stream; charset=utf-8' } },
  { name: 'what the handler wants skipped', handler: (res) => void res.cache.skip() },
  { name: 'what does not meet the condition', options: { ttl: '1m', condition: () => false } },
  { name: 'a condition without answer', options: { ttl: '1m', condition: () => undefined as unknown as boolean } },
  { name: 'a condition that is asynchronous', options: { ttl: '1m', condition: (async () => false) as never } },
  { name: 'a body over the size', options: { ttl: '1m', maxBytes: 3 }, headers: { 'Content-Length': '4' } },
  { name: 'more tags than an entry holds', options: { ttl: '1m', tags: () => tagsUpTo(1_001) } },
  { name: 'more tags of the handler than an entry holds', handler: (res) => void res.cache.tag(...tagsUpTo(1_001)) },
  {
    name: 'very many tags, one by one',
    handler(res) {
      for (const tag of tagsUpTo(70_000)) res.cache.tag(tag);
    },
  },
  ...[400, 401, 403, 404, 405, 406, 408, 413, 414, 429, 431].map((status) => ({
    name: `${status} under a ttl`,
    status,
  })),
  ...[401, 407, 408, 416, 421, 425, 429, 431, 500, 501, 502, 503, 504].map((status) => ({
    name: `${status}, whatever lifetime it has`,
    status,
    headers: cc('public, max-age=60'),
  })),
  { name: '500 with a ttl of the handler', status: 500, handler: (res) => void res.cache.ttl('1m') },
  { name: '400 under a negative ttl', status: 400, options: { ttl: '1m', negativeTtl: '5s' } },
];

const BYPASSED_ROWS: readonly Row[] = [
  { name: 'a body', ask: { body: '{"a":1}', headers: { 'Content-Length': '7' } } },
  { name: 'a body in chunks', ask: { body: 'abc', headers: { 'Transfer-Encoding': 'chunked' } } },
  { name: 'If-Match', ask: withHeaders({ 'If-Match': '*' }) },
  { name: 'If-Unmodified-Since', ask: withHeaders({ 'If-Unmodified-Since': inAMinute() }) },
  { name: 'skip', options: { ttl: '1m', skip: () => true } },
  { name: 'skip that says something', options: { ttl: '1m', skip: () => 1 as unknown as boolean } },
  { name: 'Authorization of nobody', ask: AUTHORIZATION, options: { ttl: '1m', user: () => undefined } },
];

function tagsUpTo(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `t${i}`);
}

/** Verdicts of three equal requests, and how often the handler ran. */
async function outcome(place: Place, row: Row): Promise<{ verdicts: string[]; runs: number }> {
  let runs = 0;
  const app = express();
  app.get('/', openSuite(place).cache(row.options ?? { ttl: '1m' }), (_req, res) => {
    runs++;
    row.handler?.(res);
    for (const [name, value] of Object.entries(row.headers ?? {})) res.setHeader(name, value);
    res.status(row.status ?? 200).end('body');
  });
  const port = await listen(app);
  const verdicts: string[] = [];
  for (let i = 0; i < 3; i++) {
    const answer = await ask(port, '/', row.ask);
    verdicts.push(verdict(answer));
    const isBodiless = row.status === 304;
    expect([answer.status, answer.text]).toEqual([row.status ?? 200, isBodiless ? '' : 'body']);
  }
  return { verdicts, runs };
}

describe.each(PLACES)('on %s', (place) => {
  it.each(STORED_ROWS)('stores and shares: $name', async (row) => {
    expect(await outcome(place, row)).toEqual({ verdicts: [STORED, HIT, HIT], runs: 1 });
  });

  it.each(REFUSED_ROWS)('does not store: $name', async (row) => {
    expect(await outcome(place, row)).toEqual({ verdicts: [MISS, MISS, MISS], runs: 3 });
  });

  it.each(BYPASSED_ROWS)('stays out of it: $name', async (row) => {
    expect(await outcome(place, row)).toEqual({ verdicts: [BYPASS, BYPASS, BYPASS], runs: 3 });
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('leaves %s alone', async (method) => {
    const app = express();
    app.use(openSuite(place).cache({ ttl: '1m' }), (req, res) => void res.send(req.method));
    const port = await listen(app);
    const answer = await ask(port, '/', { method });
    expect([answer.text, verdict(answer)]).toEqual([method, 'fwd=method']);
    expect((await ask(port, '/')).text).toBe('GET');
    expect((await ask(port, '/', { method })).text).toBe(method);
  });
});

describe('what is never replayed', () => {
  const NEVER: Headers = {
    'X-Cache': 'HIT',
    Age: '100',
    Date: new Date(0).toUTCString(),
    'Cache-Status': 'origin; hit',
    'RateLimit-Limit': '10',
    'X-RateLimit-Remaining': '3',
    RateLimit: '"default";r=3',
    'RateLimit-Policy': '"default";q=10',
    'Keep-Alive': 'timeout=1',
    'Proxy-Authenticate': 'Basic',
    'X-Hop': 'listed in Connection',
    Connection: 'X-Hop, close',
    TE: 'trailers',
  };

  it('are fields of one passage, and those this cache writes', async () => {
    const app = express();
    app.get('/', openSuite('memory').cache({ ttl: '1m' }), (_req, res) => void res.set(NEVER as never).send('x'));
    const port = await listen(app);
    await ask(port, '/');
    const hit = await ask(port, '/');
    expect(verdict(hit)).toBe(HIT);
    expect(Number(hit.headers.age)).toBeGreaterThanOrEqual(77); // As old as it was when it came.
    const names = Object.keys(hit.headers);
    const written = new Set(['age', 'date', 'cache-status', 'connection', 'keep-alive']);
    const never = Object.keys(NEVER).map((name) => name.toLowerCase());
    expect(never.filter((name) => !written.has(name) && names.includes(name))).toEqual([]);
  });
});

describe('a cookie that is set when the headers leave', () => {
  it.each([
    ['send', (res: Response) => void res.send('personal')],
    ['write and end', (res: Response) => void (res.write('personal'), res.end())],
    ['end', (res: Response) => void res.end('personal')],
  ])('keeps a response by %s out of the cache, as sessions do around it', async (_name, answer) => {
    const app = express();
    app.use((_req, res, next) => {
      const { writeHead } = res;
      res.writeHead = function late(this: Response, ...args: Parameters<typeof writeHead>) {
        this.setHeader('Set-Cookie', 'sid=1');
        return writeHead.apply(this, args);
      } as typeof writeHead;
      next();
    });
    let runs = 0;
    app.get('/', openSuite('memory').cache({ ttl: '1m' }), (_req, res) => {
      runs++;
      answer(res);
    });
    const port = await listen(app);
    expect((await ask(port, '/')).headers['set-cookie']).toEqual(['sid=1']);
    await ask(port, '/');
    expect(runs).toBe(2);
  });
});

describe('sendFile, which writes "public, max-age=0" by itself', () => {
  const folder = mkdtempSync(join(tmpdir(), 'invoices-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('gives no user the file of another', async () => {
    for (const name of ['ann', 'bob']) writeFileSync(join(folder, name), `invoice of ${name}`);
    const app = express();
    app.get('/invoice', openSuite('memory').cache({ ttl: '1m' }), (req, res) => {
      res.sendFile(join(folder, req.get('Authorization') ?? 'nobody'));
    });
    const port = await listen(app);
    for (const name of ['ann', 'bob', 'ann']) {
      expect((await ask(port, '/invoice', withHeaders({ Authorization: name }))).text).toBe(`invoice of ${name}`);
    }
  });
});

describe('an error after the headers were prepared', () => {
  it.each([
    ['end', (res: Response) => res.end(12_345 as never)],
    ['write', (res: Response) => res.write({})],
    ['writeHead', (res: Response) => res.writeHead(200, 'no\nreason')],
  ])('in %s is not stored as the 200 that was meant', async (_name, fail) => {
    let runs = 0;
    const app = express().set('env', 'test');
    app.get('/', openSuite('memory').cache({ ttl: '1m' }), (_req, res) => {
      runs++;
      fail(res);
    });
    const port = await listen(app);
    expect((await ask(port, '/')).status).toBe(500);
    expect((await ask(port, '/')).status).toBe(500);
    expect(runs).toBe(2);
  });
});
