import { describe, expect, it } from '@jest/globals';
import express, { type Request, type Response } from 'express';
import type { CacheOptions } from '../../src/index.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { ask, EVERYWHERE, HIT, listen, MISS, openSuite, type Place, STORED, verdict } from './support.ts';
import { until } from '../support/waiting.ts';

interface Request_ {
  readonly headers: Readonly<Record<string, string>>;
  readonly expected: string;
  readonly text?: string;
}

async function application(place: Place, handler: (req: Request, res: Response, run: number) => void): Promise<number> {
  const app = express();
  let runs = 0;
  app.get('/', openSuite(place).cache({ ttl: '1m' }), (req, res) => handler(req, res, ++runs));
  return listen(app);
}

const accept = (value: string): Readonly<Record<string, string>> => ({ Accept: value });

const VARIED = 'fwd=vary-miss; stored';

const STORIES: readonly (readonly [string, (req: Request, res: Response, run: number) => void, readonly Request_[]])[] =
  [
    [
      'one header',
      (req, res) => void res.vary('Accept').send(req.get('Accept')),
      [
        { headers: accept('text/a'), expected: STORED, text: 'text/a' },
        { headers: accept('text/b'), expected: VARIED, text: 'text/b' },
        { headers: accept('text/a'), expected: HIT, text: 'text/a' },
        { headers: accept('text/b'), expected: HIT, text: 'text/b' },
        { headers: {}, expected: VARIED, text: '' },
        { headers: {}, expected: HIT, text: '' },
      ],
    ],
    [
      'several headers in any order and case',
      (req, res, run) => {
        res.setHeader('vary', run % 2 === 0 ? 'X-ONE,accept' : 'Accept, X-One, accept');
        res.send(`${req.get('Accept')} ${req.get('X-One')}`);
      },
      [
        { headers: { Accept: 'a', 'X-One': '1' }, expected: STORED, text: 'a 1' },
        { headers: { Accept: 'a', 'X-One': '2' }, expected: VARIED, text: 'a 2' },
        { headers: { Accept: 'b', 'X-One': '1' }, expected: VARIED, text: 'b 1' },
        { headers: { 'x-one': '1', accept: 'a' }, expected: HIT, text: 'a 1' },
        { headers: { Accept: 'a', 'X-One': '2' }, expected: HIT, text: 'a 2' },
        { headers: { Accept: '1', 'X-One': 'a' }, expected: VARIED, text: '1 a' },
      ],
    ],
    [
      'more headers as time goes by',
      (req, res, run) => {
        res
          .set('Vary', run === 1 ? 'Accept' : 'Accept, X-One')
          .send(`${req.get('Accept')} ${req.get('X-One')} run ${run}`);
      },
      [
        { headers: { Accept: 'a', 'X-One': '1' }, expected: STORED, text: 'a 1 run 1' },
        { headers: { Accept: 'b', 'X-One': '1' }, expected: VARIED, text: 'b 1 run 2' },
        { headers: { Accept: 'b', 'X-One': '2' }, expected: VARIED, text: 'b 2 run 3' },
        { headers: { Accept: 'b', 'X-One': '1' }, expected: HIT, text: 'b 1 run 2' },
        { headers: { Accept: 'a', 'X-One': '2' }, expected: VARIED, text: 'a 2 run 4' },
      ],
    ],
    [
      'another header as time goes by, with a value that the first had',
      (req, res, run) => {
        res.set('Vary', run === 1 ? 'Accept' : 'X-One').send(`${req.get('Accept')} ${req.get('X-One')} run ${run}`);
      },
      [
        { headers: accept('v'), expected: STORED, text: 'v undefined run 1' },
        { headers: { Accept: 'b', 'X-One': 'w' }, expected: VARIED, text: 'b w run 2' },
        { headers: { Accept: 'c', 'X-One': 'v' }, expected: VARIED, text: 'c v run 3' },
      ],
    ],
    [
      'nothing first and a header later',
      (req, res, run) => {
        if (run > 1) res.vary('Accept');
        if (run === 1) res.cache.ttl('250ms');
        res.send(`${req.get('Accept')} run ${run}`);
      },
      [
        { headers: accept('a'), expected: STORED, text: 'a run 1' },
        { headers: accept('b'), expected: HIT, text: 'a run 1' },
        { headers: { ...accept('b'), 'X-Sleep': '300' }, expected: STORED, text: 'b run 2' },
        { headers: accept('a'), expected: VARIED, text: 'a run 3' },
        { headers: accept('b'), expected: HIT, text: 'b run 2' },
      ],
    ],
    [
      'everything',
      (_req, res, run) => void res.vary('*').send(`run ${run}`),
      [
        { headers: {}, expected: MISS, text: 'run 1' },
        { headers: {}, expected: MISS, text: 'run 2' },
      ],
    ],
  ];

describe.each(EVERYWHERE)('responses on %s that vary by', (place) => {
  it.each(STORIES)('%s', async (_name, handler, requests) => {
    const port = await application(place, handler);
    for (const { headers, expected, text } of requests) {
      const { 'X-Sleep': ms, ...sent } = headers as Record<string, string>;
      if (ms !== undefined) await new Promise((resolve) => setTimeout(resolve, Number(ms)));
      const answer = await ask(port, '/', { headers: sent });
      expect([verdict(answer), answer.text]).toEqual([expected, text]);
    }
  });

  it('different headers are all purged together', async () => {
    const suite = openSuite(place);
    const app = express();
    let run = 0;
    app.get('/', suite.cache({ ttl: '1m' }), (_req, res) => void res.vary('Accept').send(`run ${++run}`));
    const port = await listen(app);
    for (const [value, text] of [
      ['a', 'run 1'],
      ['b', 'run 2'],
      ['a', 'run 1'],
    ] as const) {
      expect((await ask(port, '/', { headers: accept(value) })).text).toBe(text);
    }
    await suite.invalidate({ urls: ['/'] });
    expect((await ask(port, '/', { headers: accept('a') })).text).toBe('run 3');
    expect((await ask(port, '/', { headers: accept('b') })).text).toBe('run 4');
  });
});

describe('declared headers', () => {
  it('are told to caches further on, beside those of the handler', async () => {
    const app = express();
    const cache = openSuite('memory').cache({ ttl: '1m', vary: ['X-Tenant', 'Accept'] });
    app.get('/', cache, (_req, res) => void res.vary('Accept').send('x'));
    const port = await listen(app);
    for (const expected of [STORED, HIT]) {
      const answer = await ask(port, '/');
      expect(verdict(answer)).toBe(expected);
      expect(answer.headers.vary).toBe('Accept, x-tenant');
    }
  });
});

describe('credentials', () => {
  it('are in no key in Redis, whether declared or found in Vary', async () => {
    const client = testRedis();
    const prefix = uniquePrefix();
    const suite = openSuite('memory', { redis: client, backend: 'redis', prefix });
    const app = express();
    const options: CacheOptions = {
      ttl: '1m',
      vary: ['Authorization'],
      cookies: ['sid'],
      user: (req) => req.get('X-User'),
    };
    app.get('/', suite.cache(options), (_req, res) => void res.vary('X-Api-Key').send('x'));
    const headers = { Authorization: 'secret1', Cookie: 'sid=secret2', 'X-User': 'secret3', 'X-Api-Key': 'secret4' };
    const port = await listen(app);
    await ask(port, '/', { headers });
    await until(() => suite.stats().cache.stores === 1);
    const [, keys] = await client.scan(0, 'MATCH', `${prefix}:e:*`, 'COUNT', 100_000);
    expect(keys.length).toBe(2);
    expect(keys.join()).not.toContain('secret');
  });
});
