import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import type { CacheOptions, Suite } from '../../src/index.ts';
import { passingOn } from '../support/express.ts';
import { ask, listen, openSuite, type Place, PLACES, verdict } from './support.ts';
import { gate, until } from '../support/waiting.ts';

interface Visit {
  readonly run: number;
  readonly req: Request;
  readonly res: Response;
  readonly next: (error?: unknown) => void;
}

type Handler = (visit: Visit) => unknown;

interface Scene {
  readonly suite: Suite;
  readonly port: number;
  /** What the application's error handler was given. */
  readonly errors: string[];
  runs(): number;
}

const LONG: CacheOptions = { ttl: '30ms', jitter: 0, staleIfError: '1m' };

/** A cached route that answers `good` at first; then as it is told. */
async function scene(place: Place, then: Handler, options: CacheOptions = LONG, first?: Handler): Promise<Scene> {
  const suite = openSuite(place);
  const app = express().set('env', 'test').set('etag', false);
  const errors: string[] = [];
  let runs = 0;
  const good: Handler = ({ res }) => res.set({ 'X-Good': 'yes', ETag: '"good"' }).send('good');
  const visited: RequestHandler = (req, res, next) => {
    const handler = ++runs > 1 ? then : (first ?? good);
    return handler({ run: runs, req, res, next });
  };
  app.get('/', suite.cache(options), passingOn(visited));
  const onError: ErrorRequestHandler = (error: Error, _req, res, next) => {
    errors.push(error.message);
    if (res.headersSent) next(error);
    else res.status(500).set('X-Error', 'yes').json({ error: error.message });
  };
  app.use(onError);
  return { suite, errors, port: await listen(app), runs: () => runs };
}

const fail = (): never => {
  throw new Error('broken');
};

/** Failures of a handler, and whether the application's error handler sees them. */
const FAILURES: readonly { readonly name: string; readonly fails: Handler; readonly isSeen?: boolean }[] = [
  ...[500, 502, 503, 504].map((status) => ({
    name: `answers ${status}`,
    fails: ({ res }: Visit) => res.status(status).set({ 'Retry-After': '7', ETag: '"e"' }).send('an error page'),
  })),
  { name: 'throws', fails: fail, isSeen: true },
  { name: 'rejects', fails: async () => sleep(1).then(fail), isSeen: true },
  { name: 'passes an error on', fails: ({ next }) => setImmediate(next, new Error('broken')), isSeen: true },
  {
    name: 'sets headers, a cookie and a reason before it throws',
    fails({ res }) {
      res.statusMessage = 'Fine So Far';
      res.set({ 'X-Draft': '1', 'Content-Encoding': 'br', 'Cache-Control': 'no-store' }).cookie('a', '1');
      return fail();
    },
    isSeen: true,
  },
  {
    name: 'writes an error in pieces',
    fails: ({ res }) => (res.writeHead(502, 'Oh', { 'X-Draft': '1' }), res.write('a'), res.end('b')),
  },
  {
    name: 'redirects its error into a stream that breaks off',
    fails: ({ res }) => (res.status(503).write('half'), res.end()),
  },
];

describe.each(PLACES)('on %s a stale response takes the place of an error when its handler', (place) => {
  it.each(FAILURES)('$name', async ({ fails, isSeen = false }) => {
    const there = await scene(place, fails);
    const good = await ask(there.port, '/');
    await sleep(45);
    const answer = await ask(there.port, '/');
    expect([answer.status, answer.reason, answer.text]).toEqual([200, 'OK', 'good']);
    expect(verdict(answer)).toMatch(/^fwd=stale; fwd-status=50\d/);
    expect(answer.headers.etag).toBe('"good"');
    expect(Object.keys(answer.headers).toSorted()).toEqual([...Object.keys(good.headers), 'age'].toSorted());
    expect(there.errors).toEqual(isSeen ? ['broken'] : []);
  });
});

describe('a stale response takes no error’s place', () => {
  it.each<{ readonly when: string; readonly fails: Handler; readonly options?: CacheOptions }>([
    { when: 'when it may not', fails: fail, options: { ttl: '30ms', jitter: 0 } },
    { when: 'past the window', fails: fail, options: { ttl: '20ms', jitter: 0, staleIfError: '5ms' } },
    { when: 'when the answer is 404', fails: ({ res }) => res.status(404).send('none') },
    { when: 'when the answer is 429', fails: ({ res }) => res.status(429).send('slow down') },
    { when: 'when the answer is 501', fails: ({ res }) => res.status(501).send('not here') },
    { when: 'when an error is the client’s own', fails: ({ res }) => res.status(400).send('you') },
  ])('$when', async ({ fails, options = LONG }) => {
    const there = await scene('memory', fails, options);
    await ask(there.port, '/');
    await sleep(45);
    const answer = await ask(there.port, '/');
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.text).not.toBe('good');
  });

  it('once another body has begun: it is broken off', async () => {
    const there = await scene('memory', ({ res }) => {
      res.write('another bo');
      return fail();
    });
    await ask(there.port, '/');
    await sleep(45);
    const answer = await ask(there.port, '/');
    expect([answer.isComplete, answer.text, there.errors]).toEqual([false, 'another bo', ['broken']]);
  });
});

/** What a response says, 100 s old and good for 60 s, and what then takes the place of an error. */
const WORDS: readonly { field: string; app: boolean; byTheBook: boolean; asked?: string }[] = [
  { field: 'max-age=60, stale-if-error=60', app: true, byTheBook: true },
  { field: 'max-age=60, stale-if-error=30', app: false, byTheBook: true },
  { field: 'max-age=60', app: false, byTheBook: true },
  { field: 's-maxage=60', app: false, byTheBook: false },
  { field: 's-maxage=60, stale-if-error=60', app: true, byTheBook: true },
  { field: 'max-age=60, must-revalidate, stale-if-error=60', app: false, byTheBook: false },
  { field: 'max-age=60, proxy-revalidate, stale-if-error=60', app: false, byTheBook: false },
  { field: 'max-age=60, no-cache, stale-if-error=60', app: false, byTheBook: false },
  { field: 'max-age=60, stale-if-error=60', app: true, byTheBook: false, asked: 'no-cache' },
];

describe.each(['app', 'rfc9111'] as const)('by policy %s, of an error', (policy) => {
  it.each(WORDS)(
    '"$field" may take the place: $app, by the book $byTheBook',
    async ({ field, app, byTheBook, asked }) => {
      const headers = { 'Cache-Control': field, Age: '100', ETag: '"a"' };
      const there = await scene('memory', fail, { policy, jitter: 0 }, ({ res }) => res.set(headers).send('good'));
      await ask(there.port, '/');
      const answer = await ask(there.port, '/', asked === undefined ? {} : { headers: { 'Cache-Control': asked } });
      const isReplaced = policy === 'app' ? app : byTheBook;
      expect([answer.status, there.errors]).toEqual([isReplaced ? 200 : 500, ['broken']]);
    },
  );
});

describe.each(PLACES)('a stale response in place of an error on %s', (place) => {
  it('is a 304 to whoever has it, and only a head to HEAD', async () => {
    const there = await scene(place, fail, LONG, ({ res }) => res.set('ETag', '"a"').send('good'));
    await ask(there.port, '/');
    await sleep(45);
    const unchanged = await ask(there.port, '/', { headers: { 'If-None-Match': '"a"' } });
    expect([unchanged.status, unchanged.text]).toEqual([304, '']);
    const head = await ask(there.port, '/', { method: 'HEAD' });
    expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '4']);
  });

  it('comes in a form that its client takes', async () => {
    const content = 'good '.repeat(200);
    const there = await scene(place, fail, { ...LONG, compress: 100 }, ({ res }) => res.send(content));
    await ask(there.port, '/');
    await until(() => there.suite.stats().cache.stores === 1);
    await sleep(45);
    const plain = await ask(there.port, '/');
    expect([plain.headers['content-encoding'], plain.text]).toEqual([undefined, content]);
    const packed = await ask(there.port, '/', { headers: { 'Accept-Encoding': 'gzip' } });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.body).toString()).toBe(content);
  });

  it('is what those get too who waited for the one that failed', async () => {
    const door = gate();
    const there = await scene(place, async () => door.passed.then(fail));
    await ask(there.port, '/');
    await sleep(45);
    const pending = Array.from({ length: 6 }, () => ask(there.port, '/'));
    await until(() => there.runs() === 2);
    await sleep(200); // All of them have come.
    door.open();
    const answers = await Promise.all(pending);
    expect(answers.map(({ status, text }) => [status, text])).toEqual(answers.map(() => [200, 'good']));
    expect(there.runs()).toBe(2);
    expect(there.errors).toEqual(['broken']);
  });

  it('follows a soft purge too', async () => {
    const options: CacheOptions = { ttl: '1m', jitter: 0, tags: ['t'] };
    const there = await scene(place, ({ res }) => res.status(503).send('down'), options);
    await ask(there.port, '/');
    await there.suite.invalidate({ tags: ['t'], mode: 'soft' });
    for (let i = 0; i < 3; i++) expect((await ask(there.port, '/')).text).toBe('good');
    await there.suite.invalidate({ tags: ['t'] });
    expect((await ask(there.port, '/')).text).toBe('down');
  });
});
