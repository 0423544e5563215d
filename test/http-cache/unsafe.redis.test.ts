import { describe, expect, it, jest } from '@jest/globals';
import express, { type Response } from 'express';
import { ask, EVERYWHERE, HIT, listen, openSuite, PLACES, STORED, verdict } from './support.ts';

const PATHS = ['/items', '/items/1', '/items?page=2', '/other'];

/** A router that is cached as a whole. Which paths are asked anew after an unsafe request? */
async function renewedBy(
  place: (typeof EVERYWHERE)[number],
  method: string,
  answer: (res: Response) => void,
): Promise<string[]> {
  const app = express();
  app.use(openSuite(place).cache({ ttl: '1m' }));
  app.get(/.*/, (_req, res) => void res.send('x'));
  app.all(/.*/, (_req, res) => answer(res));
  const port = await listen(app);
  for (const path of PATHS) await ask(port, path);
  await ask(port, '/items', { method });
  const verdicts = await Promise.all(PATHS.map(async (path) => verdict(await ask(port, path))));
  return PATHS.filter((_path, i) => verdicts[i] !== HIT);
}

describe.each(EVERYWHERE)('an unsafe method through a cached router on %s', (place) => {
  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('renews its own URL: %s', async (method) => {
    expect(await renewedBy(place, method, (res) => void res.send('done'))).toEqual(['/items']);
  });

  it('renews what Location and Content-Location name', async () => {
    const answer = (res: Response): void =>
      void res.status(201).set({ Location: '/items/1', 'Content-Location': '?page=2' }).end();
    expect(await renewedBy(place, 'POST', answer)).toEqual(['/items', '/items/1', '/items?page=2']);
  });
});

describe('an unsafe method through a cached router', () => {
  it('does not renew what Location names on another host', async () => {
    const answer = (res: Response): void => void res.status(201).location('http://elsewhere.example/items/1').end();
    expect(await renewedBy('memory', 'POST', answer)).toEqual(['/items']);
  });

  it.each([400, 404, 500])('renews nothing when it is answered %i', async (status) => {
    expect(await renewedBy('memory', 'POST', (res) => void res.status(status).end())).toEqual([]);
  });

  it.each(['OPTIONS', 'TRACE', 'PROPFIND', 'REPORT'])('renews nothing by a method that is safe: %s', async (method) => {
    expect(await renewedBy('memory', method, (res) => void res.send('x'))).toEqual([]);
  });
});

describe.each(PLACES)('a route with a key of its own on %s', (place) => {
  it('heeds a purge of every URL it answers, not only of the one it stored', async () => {
    const suite = openSuite(place);
    const app = express();
    let run = 0;
    app.get(/.*/, suite.cache({ ttl: '1m', key: () => 'all' }), (_req, res) => void res.send(`run ${++run}`));
    const port = await listen(app);
    expect((await ask(port, '/a')).text).toBe('run 1');
    expect((await ask(port, '/b')).text).toBe('run 1');
    await suite.invalidate({ urls: ['/b'] });
    expect((await ask(port, '/b')).text).toBe('run 2');
    await suite.invalidate({ keys: ['all'] });
    expect((await ask(port, '/a')).text).toBe('run 3');
  });
});

describe('a function of a route that throws', () => {
  it.each(['tags', 'condition'] as const)(
    'does not break the response, is reported, and keeps it unstored: %s',
    async (name) => {
      const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
      const suite = openSuite('memory');
      const errors: string[] = [];
      suite.events.on('cache:error', ({ error }) => errors.push(error.message));
      const app = express();
      const fail = (): never => {
        throw new Error('mistaken');
      };
      app.get('/', suite.cache({ ttl: '1m', [name]: fail }), (_req, res) => void setTimeout(() => res.send('x'), 1));
      const port = await listen(app);
      for (let i = 0; i < 2; i++) expect(await ask(port, '/')).toMatchObject({ status: 200, text: 'x' });
      expect([errors, suite.stats().cache.stores]).toEqual([['mistaken', 'mistaken'], 0]);
      expect(warn).toHaveBeenCalledTimes(2);
      warn.mockRestore();
    },
  );

  it.each(['key', 'user', 'skip'] as const)(
    'that is asked before the handler is an error of the request: %s',
    async (name) => {
      const app = express().set('env', 'test');
      const fail = (): never => {
        throw new Error('mistaken');
      };
      app.get('/', openSuite('memory').cache({ ttl: '1m', [name]: fail }), (_req, res) => void res.send('x'));
      expect((await ask(await listen(app), '/')).status).toBe(500);
    },
  );

  it('leaves a route without it as it is', async () => {
    const app = express();
    app.get('/', openSuite('memory').cache({ ttl: '1m', condition: () => true }), (_req, res) => void res.send('x'));
    const port = await listen(app);
    expect([verdict(await ask(port, '/')), verdict(await ask(port, '/'))]).toEqual([STORED, HIT]);
  });
});
