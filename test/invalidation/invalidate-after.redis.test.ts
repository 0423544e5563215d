import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import compression from 'compression';
import express, { type Response } from 'express';
import type { Invalidation, Suite } from '../../src/index.ts';
import { ask, EVERYWHERE, listen, openSuite, PLACES } from '../http-cache/support.ts';

const folder = mkdtempSync(join(tmpdir(), 'writers-'));
const file = join(folder, 'answer.txt');
const TEXT = 'written '.repeat(4_000);
beforeAll(() => writeFileSync(file, TEXT));
afterAll(() => rmSync(folder, { recursive: true }));

type Writer = readonly [name: string, answer: (res: Response) => void];

const WRITERS: readonly Writer[] = [
  ['json', (res) => void res.json({ done: true })],
  ['send', (res) => void res.send('done')],
  ['end alone', (res) => void res.end()],
  ['204', (res) => void res.status(204).end()],
  ['a redirect', (res) => res.redirect(303, '/value')],
  ['sendFile', (res) => res.sendFile(file)],
  ['a pipe', (res) => void createReadStream(file).pipe(res)],
  ['a pipeline', (res) => void pipeline(Readable.from(['a', 'b', 'c']), res, () => undefined)],
  [
    'a stream of a promised length',
    (res) => {
      res.set('Content-Length', '6').write('abc');
      setTimeout(() => res.end('def'), 50);
    },
  ],
  [
    'all of a promised length long before the end',
    (res) => {
      res.set('Content-Length', '6').write('abcdef');
      setTimeout(() => res.end(), 200);
    },
  ],
  [
    'writeHead, write and end',
    (res) => {
      res.writeHead(201, { 'Content-Length': '4', 'X-A': '1' });
      res.write('ab');
      res.end('cd');
    },
  ],
  ['flushHeaders first', (res) => (res.flushHeaders(), void setTimeout(() => res.end('x'), 20))],
];

/** One value that is read through the cache and written past it. */
async function bench(suite: Suite, answer: (res: Response) => void): Promise<number> {
  const app = express().set('env', 'test');
  let value = 1;
  app.get('/value', suite.cache({ ttl: '1m', tags: ['value'] }), (_req, res) => void res.send(`value ${value}`));
  app.post('/value', suite.invalidateAfter('value'), (_req, res) => {
    value++;
    answer(res);
  });
  return listen(app);
}

/** What a reader gets who asks as soon as the writer's response has begun to arrive. */
async function readAtOnce(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/value`, { method: 'POST', redirect: 'manual' });
  const next = ask(port, '/value');
  await response.arrayBuffer();
  return (await next).text;
}

describe.each(EVERYWHERE)('a writer on %s', (place) => {
  it.each(WRITERS)(
    'that answers by %s reads what it wrote, from the first byte of its response',
    async (_name, answer) => {
      const port = await bench(openSuite(place), answer);
      expect((await ask(port, '/value')).text).toBe('value 1');
      for (let round = 2; round <= 4; round++) expect(await readAtOnce(port)).toBe(`value ${round}`);
    },
  );
});

const squeeze = compression({ threshold: 0 });

describe.each(PLACES)('on %s', (place) => {
  it.each(WRITERS.filter(([name]) => !['204', 'end alone'].includes(name)))(
    'the answer by %s is the same held as not held, with compression inside, outside or nowhere',
    async (_name, answer) => {
      const app = express();
      const suite = openSuite(place);
      app.post('/plain', (_req, res) => answer(res));
      app.post('/held', suite.invalidateAfter('x'), (_req, res) => answer(res));
      app.post('/inside', suite.invalidateAfter('x'), squeeze, (_req, res) => answer(res));
      app.post('/outside', squeeze, suite.invalidateAfter('x'), (_req, res) => answer(res));
      app.post('/squeezed', squeeze, (_req, res) => answer(res));
      const port = await listen(app);
      const plain = await ask(port, '/plain', { method: 'POST' });
      const held = await ask(port, '/held', { method: 'POST' });
      const lines = (from: readonly string[]): string[] => from.filter((line) => !line.startsWith('Date'));
      expect([held.status, lines(held.lines), held.text]).toEqual([plain.status, lines(plain.lines), plain.text]);
      const headers = { 'Accept-Encoding': 'gzip' };
      const squeezed = await fetch(`http://127.0.0.1:${port}/squeezed`, {
        method: 'POST',
        headers,
        redirect: 'manual',
      });
      const encoding = squeezed.headers.get('content-encoding');
      for (const path of ['inside', 'outside']) {
        const response = await fetch(`http://127.0.0.1:${port}/${path}`, {
          method: 'POST',
          headers,
          redirect: 'manual',
        });
        expect([response.status, await response.text()]).toEqual([plain.status, plain.text]);
        expect(response.headers.get('content-encoding')).toBe(encoding);
      }
    },
  );

  it.each([400, 401, 404, 409, 422, 500, 503])('a writer that answers %i invalidates nothing', async (status) => {
    const port = await bench(openSuite(place), (res) => void res.status(status).send('no'));
    await ask(port, '/value');
    expect((await ask(port, '/value', { method: 'POST' })).status).toBe(status);
    expect((await ask(port, '/value')).text).toBe('value 1');
  });

  it.each([200, 201, 202, 204, 302, 303])('a writer that answers %i invalidates', async (status) => {
    const port = await bench(openSuite(place), (res) => void res.writeHead(status).end());
    await ask(port, '/value');
    await ask(port, '/value', { method: 'POST' });
    expect((await ask(port, '/value')).text).toBe('value 2');
  });

  it.each<[string, Invalidation, readonly string[]]>([
    ['a tag', 'a', ['/a', '/ab']],
    ['several tags', ['a', 'b'], ['/a', '/b', '/ab']],
    ['any of several tags', { tags: ['a', 'b'] }, ['/a', '/b', '/ab']],
    ['all of several tags', { tags: ['a', 'b'], match: 'all' }, ['/ab']],
    ['urls', { urls: ['/a', 'http://elsewhere.example/b'] }, ['/a', '/b']],
    ['urls with parameters in any order', { urls: ['/q?y=2&x=1'] }, ['/q?x=1&y=2']],
    ['keys', { keys: ['api:GET:/a'] }, ['/a']],
    ['a prefix', { prefix: 'api:GET:/a' }, ['/a', '/ab']],
    ['a pattern', { pattern: 'api:GET:/a?' }, ['/ab']],
    ['a pattern that begins with a star', { pattern: '*/b' }, ['/b']],
    ['everything', { all: true }, ['/a', '/b', '/ab', '/q?x=1&y=2']],
    ['an empty list', [], []],
    ['several fields', { tags: ['b'], urls: ['/a'] }, ['/a', '/b', '/ab']],
  ])('%s takes what it names and leaves the rest', async (_name, what, gone) => {
    const suite = openSuite(place);
    const app = express();
    let run = 0;
    const tags: Record<string, string[]> = { '/a': ['a'], '/b': ['b'], '/ab': ['a', 'b'] };
    app.get(/.*/, suite.cache({ ttl: '1m', keyPrefix: 'api', tags: (req) => tags[req.path] ?? [] }), (_req, res) => {
      res.send(`run ${++run}`);
    });
    app.post(
      '/',
      suite.invalidateAfter(() => what),
      (_req, res) => res.json({}),
    );
    const port = await listen(app);
    const paths = ['/a', '/b', '/ab', '/q?x=1&y=2'];
    const before = await Promise.all(paths.map(async (path) => (await ask(port, path)).text));
    expect((await ask(port, '/', { method: 'POST' })).status).toBe(200);
    const after = await Promise.all(paths.map(async (path) => (await ask(port, path)).text));
    expect(paths.filter((_path, i) => before[i] !== after[i])).toEqual(gone);
  });

  it('a function is asked when the response begins, with what is known then', async () => {
    const suite = openSuite(place);
    const app = express();
    app.get('/x', suite.cache({ ttl: '1m', tags: ['item:7'] }), (_req, res) => res.send(String(Math.random())));
    app.post(
      '/x/:id',
      suite.invalidateAfter((req, res) => [`item:${String(req.params['id'])}`, `status:${res.statusCode}`]),
      (_req, res) => void res.status(201).end(),
    );
    const port = await listen(app);
    const first = (await ask(port, '/x')).text;
    await ask(port, '/x/8', { method: 'POST' });
    expect((await ask(port, '/x')).text).toBe(first);
    await ask(port, '/x/7', { method: 'POST' });
    expect((await ask(port, '/x')).text).not.toBe(first);
  });
});

describe('a writer whose description of what it wrote is wrong', () => {
  it.each<[string, () => unknown]>([
    ['throws', () => JSON.parse('no JSON')],
    ['rejects', () => Promise.reject(new Error('no such field'))],
    ['names nothing', () => ({})],
    ['is no text', () => [7]],
  ])('has its answer all the same, and the mistake is reported: it %s', async (_name, what) => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const suite = openSuite('memory');
    const errors: string[] = [];
    suite.events.on('cache:error', ({ operation }) => errors.push(operation));
    const app = express();
    app.post('/', suite.invalidateAfter(what as () => Invalidation), (_req, res) => void res.json({ done: true }));
    const port = await listen(app);
    expect(await ask(port, '/', { method: 'POST' })).toMatchObject({ status: 200, text: '{"done":true}' });
    expect(errors).toEqual(['invalidateAfter']);
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
  });

  it('may take its time: the answer waits', async () => {
    const suite = openSuite('memory');
    const app = express();
    let run = 0;
    app.get('/x', suite.cache({ ttl: '1m', tags: ['x'] }), (_req, res) => void res.send(`run ${++run}`));
    const later = async (): Promise<Invalidation> => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return ['x'];
    };
    app.post('/x', suite.invalidateAfter(later), (_req, res) => void res.send('done'));
    const port = await listen(app);
    await ask(port, '/x');
    await ask(port, '/x', { method: 'POST' });
    expect((await ask(port, '/x')).text).toBe('run 2');
  });

  it('hears of it at once where it is fixed', () => {
    expect(() => openSuite('memory').invalidateAfter({} as Invalidation)).toThrow(TypeError);
    expect(() => openSuite('memory').invalidateAfter({ tag: 'x' } as unknown as Invalidation)).toThrow(
      /no field "tag"/,
    );
  });
});

describe('an error after the headers', () => {
  it('loses neither the invalidation nor the server', async () => {
    const suite = openSuite('redis');
    const port = await bench(suite, (res) => {
      res.writeHead(200);
      res.write('begun');
      throw new Error('too late');
    });
    await ask(port, '/value');
    await ask(port, '/value', { method: 'POST' }).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await ask(port, '/value')).text).toBe('value 2');
  });

  it('answering twice is an error held as not held', async () => {
    const app = express().set('env', 'test');
    const errors: unknown[] = [];
    app.post('/', openSuite('redis').invalidateAfter('x'), (_req, res) => {
      res.json({ first: true });
      try {
        res.json({ second: 'and longer' });
      } catch (error) {
        errors.push((error as { code?: string }).code);
      }
    });
    const port = await listen(app);
    expect((await ask(port, '/', { method: 'POST' })).text).toBe('{"first":true}');
    expect(errors).toEqual(['ERR_HTTP_HEADERS_SENT']);
  });

  it('changing the status of an answer that is under way changes nothing', async () => {
    const app = express();
    app.post('/', openSuite('redis').invalidateAfter('x'), (_req, res) => {
      res.send('fine');
      res.status(500);
    });
    expect(await ask(await listen(app), '/', { method: 'POST' })).toMatchObject({ status: 200, text: 'fine' });
  });
});
