import { describe, expect, it, jest } from '@jest/globals';
import express, { type RequestHandler } from 'express';
import request, { type Response } from 'supertest';
import { ConfigError, rateLimit, type RateLimitOptions, type Suite } from '../../src/index.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { eventually } from '../support/outages.ts';
import { appOf, statusesOf, suiteOf, visit } from './support.ts';

const redis = testRedis();
const places: readonly (readonly [string, () => Suite])[] = [
  ['Redis', () => suiteOf({ redis })],
  ['memory', () => suiteOf()],
];

describe.each(places)('a limited route on %s', (_place, open) => {
  it('serves the limit, refuses the rest with a problem document, and serves again when told', async () => {
    const app = appOf(open().rateLimit({ limit: 2, window: '1s' }));
    const [first, second, third] = await visit(app, 3);
    expect([first?.status, second?.status, third?.status]).toEqual([200, 200, 429]);
    expect(first?.headers['ratelimit-policy']).toBe('"default";q=2;w=1');
    expect(first?.headers['ratelimit']).toBe('"default";r=1;t=1');
    expect(third?.headers['ratelimit']).toMatch(/^"default";r=0;t=[01]$/);
    expect(third?.headers['retry-after']).toBe('1');
    expect(third?.type).toBe('application/problem+json');
    expect(third?.body).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Request cannot be satisfied as assigned quota has been exceeded',
      status: 429,
      'violated-policies': ['default'],
    });
    await eventually('room', async () => ((await request(app).get('/')).status === 200 ? true : undefined));
  });

  it('tells the limits of several limiters apart', async () => {
    const suite = suiteOf();
    const limits = [
      suite.rateLimit({ limit: 9, window: '1m', name: 'all' }),
      suite.rateLimit({ limit: 5, window: '1h', name: 'login' }),
    ];
    const [answer] = await visit(appOf(...limits), 1);
    expect(answer?.headers['ratelimit-policy']).toBe('"all";q=9;w=60, "login";q=5;w=3600');
    expect(answer?.headers['ratelimit']).toBe('"all";r=8;t=60, "login";r=4;t=3600');
  });

  it('decides several policies together, and names those that refused', async () => {
    const policies = [
      { name: 'burst', limit: 2, window: '1s' } as const,
      { name: 'daily', limit: 5, window: '1d' } as const,
    ];
    const handler = open().rateLimit({ policies });
    const responses = await visit(appOf(handler), 4);
    expect(statusesOf(responses)).toEqual([200, 200, 429, 429]);
    expect(responses[2]?.body['violated-policies']).toEqual(['burst']);
    expect(responses[1]?.headers['ratelimit']).toBe('"burst";r=0;t=1, "daily";r=3;t=86400');
    expect(responses[3]?.headers['ratelimit']).toContain('"daily";r=3'); // What was refused used nothing.
  });

  it('takes limit and cost from the request', async () => {
    const app = appOf(
      open().rateLimit({
        limit: (req) => (req.query['tier'] === 'pro' ? 10 : 2),
        cost: (req) => Number(req.query['cost'] ?? 1),
        key: (req) => (req.query['tier'] === 'pro' ? 'pro' : 'free'),
      }),
    );
    const status = async (query: string): Promise<number> => (await request(app).get(`/?${query}`)).status;
    expect([await status('tier=free&cost=3'), await status('tier=free&cost=2')]).toEqual([429, 200]);
    expect([await status('tier=pro&cost=9'), await status('tier=pro&cost=2')]).toEqual([200, 429]);
    expect([await status('tier=pro'), await status('tier=pro&cost=1.5')]).toEqual([200, 500]);
  });

  it('gives back what failed requests used, slow ones and those whose client has left too', async () => {
    const suite = open();
    let mode = 'fail';
    const ends: (() => void)[] = [];
    const handler = suite.rateLimit({ limit: 1, window: '1h', skipFailedRequests: true });
    const end: RequestHandler = (_req, res) => {
      if (mode === 'fail') res.sendStatus(500);
      else ends.push(() => res.sendStatus(200));
    };
    const app = appOf(handler, end);
    expect(statusesOf(await visit(app, 1))).toEqual([500]);
    const isFree = async () => ((await handler.limiter.peek('127.0.0.1')).allowed ? true : undefined);
    await eventually('the refund', isFree);
    mode = 'hang';
    await expect(request(app).get('/').timeout(100)).rejects.toThrow('Timeout');
    await eventually('the refund', isFree);
    ends.splice(0).forEach((end) => end());
    const slow = request(app)
      .get('/')
      .then((response) => response.status);
    await eventually('the request', () => ends[0]);
    expect((await handler.limiter.peek('127.0.0.1')).allowed).toBe(false);
    ends[0]?.();
    expect(await slow).toBe(200);
    expect((await handler.limiter.peek('127.0.0.1')).allowed).toBe(false);
  });

  it('refunds a slow success, as for counting failed logins', async () => {
    const handler = open().rateLimit({ limit: 1, window: '1h', skipSuccessfulRequests: true });
    const slow: RequestHandler = (_req, _res, next) => void setTimeout(next, 50);
    const app = appOf(handler, slow);
    for (let i = 0; i < 3; i++) {
      expect((await request(app).get('/')).status).toBe(200);
      await eventually('the refund', async () =>
        (await handler.limiter.peek('127.0.0.1')).allowed ? true : undefined,
      );
    }
  });

  it('lets a handler charge what its work turned out to cost, and refund', async () => {
    const handler = open().rateLimit({ limit: 10, window: '1h' });
    const app = appOf(handler, async (req, res, next) => {
      if (req.query['refund'] === '1') await res.rateLimit?.refund();
      else await res.rateLimit?.charge(9);
      next();
    });
    await request(app).get('/?refund=1');
    expect((await handler.limiter.peek('127.0.0.1')).remaining).toBe(10);
    expect(statusesOf(await visit(app, 2))).toEqual([200, 429]);
    expect((await handler.limiter.peek('127.0.0.1')).remaining).toBe(0);
  });

  it('serves so many at a time, and the next when one has ended or its client has left', async () => {
    const app = express();
    const ends: (() => void)[] = [];
    const handler = open().rateLimit({ concurrent: 2 });
    app.get('/', handler, (_req, res) => void ends.push(() => res.send('ok')));
    const first = request(app)
      .get('/')
      .then((response) => response.status);
    const second = request(app)
      .get('/')
      .timeout(300)
      .then(
        () => 'answered',
        () => 'left',
      );
    await eventually('two requests', () => ends[1]);
    const third = await request(app).get('/');
    expect([third.status, third.headers['retry-after']]).toEqual([429, '1']);
    expect(third.headers['ratelimit-policy']).toBe('"concurrency";q=2;qu="concurrent-requests"');
    expect(await second).toBe('left');
    await eventually('a lease', async () =>
      (await handler.limiter.peek('127.0.0.1')).remaining === 1 ? true : undefined,
    );
    ends.forEach((end) => end());
    expect(await first).toBe(200);
    await eventually('both', async () =>
      (await handler.limiter.peek('127.0.0.1')).remaining === 2 ? true : undefined,
    );
  });

  it('in shadow mode refuses nothing and tells what it would have refused', async () => {
    const suite = open();
    const told: unknown[] = [];
    suite.events.on('limit:shadowed', (event) => told.push(event));
    const app = appOf(suite.rateLimit({ limit: 1, window: '1h', shadow: true, name: 'api' }));
    expect(statusesOf(await visit(app, 2))).toEqual([200, 200]);
    expect(told).toEqual([expect.objectContaining({ limiter: 'api', key: '127.0.0.1', policies: ['api'] })]);
    expect(suite.stats().limits['api']).toMatchObject({ admitted: 1, shadowed: 1, refused: 0 });
  });

  it('refuses the same way each time, also who is known to be refused, and HEAD without the body', async () => {
    const app = appOf(open().rateLimit({ limit: 0, window: '1h', legacyHeaders: true }));
    const told = ({ headers: { date: _date, 'x-ratelimit-reset': _reset, ...fields } }: Response): unknown => fields;
    const [first, second] = await visit(app, 2);
    const head = await request(app).head('/');
    expect([first?.status, second?.status, head.status]).toEqual([429, 429, 429]);
    expect(told(second as Response)).toEqual(told(first as Response));
    expect(told(head)).toEqual(told(first as Response));
    expect(second?.text).toBe(first?.text);
    expect(first?.headers).toMatchObject({
      'content-type': 'application/problem+json; charset=utf-8',
      'content-length': String(first?.text.length),
      'ratelimit-policy': '"default";q=0;w=3600',
      'x-ratelimit-limit': '0',
    });
  });

  it('tells the handler of who is known to be refused what it told at first', async () => {
    const seen: unknown[] = [];
    const handler: RateLimitOptions['handler'] = (req, res) => {
      const { retryAfterMs, ...told } = req.rateLimit ?? {};
      seen.push({ ...told, resetAt: undefined, resetTime: undefined, policies: undefined, refund: undefined });
      res.sendStatus(Number(retryAfterMs) > 3_500_000 ? 429 : 500);
    };
    const app = appOf(open().rateLimit({ limit: 1, window: '1h', handler }));
    expect(statusesOf(await visit(app, 4))).toEqual([200, 429, 429, 429]);
    expect(seen[0]).toMatchObject({
      key: '127.0.0.1',
      allowed: false,
      reason: 'limit',
      limit: 1,
      used: 1,
      remaining: 0,
    });
    expect(seen.slice(1)).toEqual([seen[0], seen[0]]);
  });

  it('tells of refusals and counts them', async () => {
    const suite = open();
    const told: unknown[] = [];
    suite.events.on('limit:refused', (event) => told.push(event));
    await visit(appOf(suite.rateLimit({ limit: 1, window: '1h', name: 'api' })), 3);
    expect(told).toHaveLength(2);
    expect(suite.stats().limits['api']).toMatchObject({ admitted: 1, refused: 2, policies: { api: 2 } });
  });
});

describe('a limited route', () => {
  it.each([
    ['draft-8', { 'ratelimit-policy': '"default";q=5;w=60', ratelimit: '"default";r=4;t=60' }],
    ['draft-7', { 'ratelimit-policy': '5;w=60', ratelimit: 'limit=5, remaining=4, reset=60' }],
    [
      'draft-6',
      { 'ratelimit-policy': '5;w=60', 'ratelimit-limit': '5', 'ratelimit-remaining': '4', 'ratelimit-reset': '60' },
    ],
    [true, { 'ratelimit-limit': '5' }],
  ] as const)('sends the fields of %s', async (standardHeaders, fields) => {
    const app = appOf(suiteOf().rateLimit({ limit: 5, standardHeaders }));
    expect((await request(app).get('/')).headers).toMatchObject(fields);
  });

  it('sends no fields, or the old ones, when told so', async () => {
    const app = appOf(suiteOf().rateLimit({ limit: 5, standardHeaders: false, legacyHeaders: true }));
    const { headers } = await request(app).get('/');
    expect(Object.keys(headers).filter((name) => name.startsWith('ratelimit'))).toEqual([]);
    expect(headers).toMatchObject({ 'x-ratelimit-limit': '5', 'x-ratelimit-remaining': '4' });
    expect(Number(headers['x-ratelimit-reset']) - Date.now() / 1_000).toBeGreaterThan(55);
  });

  it('adds to the fields of a limiter before it', async () => {
    const suite = suiteOf();
    const app = appOf(
      suite.rateLimit({ limit: 5, identifier: 'all' }),
      suite.rateLimit({ name: 'b', limit: 3, identifier: 'this' }),
    );
    expect((await request(app).get('/')).headers['ratelimit-policy']).toBe('"all";q=5;w=60, "this";q=3;w=60');
  });

  it('answers with message and statusCode, or leaves it to the handler', async () => {
    const options: RateLimitOptions[] = [
      { limit: 0, message: 'slow down', statusCode: 420 },
      { limit: 0, message: () => ({ wait: true }) },
      { limit: 0, handler: (_req, res, _next, result) => res.status(418).send(result.reason) },
      { limit: 0, handler: (_req, _res, next) => next() },
    ];
    const answers = [];
    for (const each of options) {
      const { status, text } = await request(appOf(suiteOf().rateLimit(each))).get('/');
      answers.push([status, text]);
    }
    expect(answers).toEqual([
      [420, 'slow down'],
      [429, '{"wait":true}'],
      [418, 'limit'],
      [200, 'ok'],
    ]);
  });

  it('answers with the message, but by the list, where that refuses', async () => {
    const { status, text } = await request(
      appOf(suiteOf().rateLimit({ limit: 5, deny: ['127.0.0.1'], message: 'no' })),
    ).get('/');
    expect([status, text]).toEqual([403, 'no']);
  });

  it('leaves a request alone that was answered meanwhile', async () => {
    const handler = suiteOf({ redis }).rateLimit({ limit: 0 });
    const errors: unknown[] = [];
    const app = appOf((req, res) => {
      handler(req, res, (error?: unknown) => void errors.push(error));
      res.status(503).send('late');
    });
    expect((await request(app).get('/')).status).toBe(503);
    await handler.limiter.peek('any'); // Answered after the decision.
    expect(errors).toEqual([]);
  });

  it('sends no body with a status that has none', async () => {
    const { status, text, headers } = await request(appOf(suiteOf().rateLimit({ limit: 0, statusCode: 204 }))).get('/');
    expect([status, text, headers['content-type'], headers['content-length']]).toEqual([204, '', undefined, undefined]);
    expect(headers['ratelimit-policy']).toBe('"default";q=0;w=60');
  });

  it('skips, allows and denies by list', async () => {
    const skip: RateLimitOptions = { limit: 0, skip: () => true };
    const allow: RateLimitOptions = { limit: 0, allow: ['127.0.0.0/8'] };
    const deny: RateLimitOptions = { limit: 5, deny: ['127.0.0.1'], allow: ['127.0.0.0/8'] };
    const statuses = [];
    for (const options of [skip, allow, deny]) {
      statuses.push((await request(appOf(suiteOf().rateLimit(options))).get('/')).status);
    }
    expect(statuses).toEqual([200, 200, 403]);
  });

  it('tells the handler what was decided', async () => {
    const seen: unknown[] = [];
    const app = appOf(suiteOf().rateLimit({ limit: 5, requestPropertyName: 'quota' }), (req, _res, next) => {
      seen.push((req as unknown as { quota: unknown }).quota);
      next();
    });
    await request(app).get('/');
    const told = { key: '127.0.0.1', limit: 5, used: 1, remaining: 4, allowed: true, policy: 'default' };
    expect(seen).toEqual([expect.objectContaining({ ...told, resetTime: expect.any(Date) })]);
  });

  it.each([
    ['an array', ['a', 'b'], 400],
    ['an object', { a: 1 }, 400],
    ['nothing', undefined, 400],
    ['the empty text', '', 400],
  ])('refuses a key that is %s', async (_what, key, status) => {
    const app = appOf(suiteOf().rateLimit({ limit: 5, key: () => key as string }));
    expect((await request(app).get('/')).status).toBe(status);
  });

  it('passes errors of key, cost and limit functions on', async () => {
    const fail = (): never => {
      throw new Error('mine');
    };
    for (const options of [{ limit: 5, key: fail }, { limit: 5, cost: fail }, { limit: fail }]) {
      const { status, text } = await request(appOf(suiteOf().rateLimit(options))).get('/');
      expect([status, text]).toEqual([500, 'mine']);
    }
  });

  it('warns once of a proxy that nobody told it to trust', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const app = appOf(suiteOf().rateLimit({ limit: 5 }));
    await request(app).get('/');
    for (let i = 0; i < 2; i++) await request(app).get('/').set('X-Forwarded-For', '1.2.3.4');
    const warnings = warn.mock.calls.map(([text]) => String(text));
    warn.mockRestore();
    expect(warnings).toEqual([expect.stringContaining("app.set('trust proxy', 1)")]);
  });
});

describe('rateLimit', () => {
  it('names both policies of a limiter that is called as one of them would be', async () => {
    const { limiter } = suiteOf().rateLimit({ name: 'concurrency', limit: 5, concurrent: 2 });
    expect((await limiter.peek('k')).policies.map(({ name }) => name)).toEqual(['concurrency', 'concurrent']);
  });

  it.each([
    ['no limit', {}, 'limit'],
    ['a limit that is no number', { limit: '5' }, 'whole number'],
    ['a window that is no duration', { limit: 5, window: 'soon' }, 'window'],
    ['both spellings of the window', { limit: 5, window: '1s', windowMs: 1_000 }, 'windowMs'],
    ['an unknown option', { limit: 5, limt: 6 }, 'limt'],
    ['policies beside a limit', { limit: 5, policies: [{ limit: 6 }] }, 'policies'],
    ['two policies of one name', { policies: [{ limit: 5 }, { limit: 6 }] }, 'two are called "default"'],
    ['an unknown algorithm', { limit: 5, algorithm: 'leaky' }, 'algorithm'],
    ['a burst without a bucket', { limit: 5, burst: 6 }, 'burst'],
    ['a name with a brace', { limit: 5, name: 'a}b' }, 'name'],
    ['a range that is none', { limit: 5, deny: ['10.0.0.0/33'] }, 'deny'],
    ['a range of another kind', { limit: 5, deny: ['10.0.0.0/2001:db8::'] }, 'deny'],
    ['an address with too much', { limit: 5, deny: ['10.0.0.256'] }, 'deny'],
    ['a range with too little', { limit: 5, allow: ['10.0.0/8'] }, 'allow'],
    ['a range of colons', { limit: 5, deny: ['2001:db8:::/32'] }, 'deny'],
    ['a range of a length that is none', { limit: 5, deny: ['2001:db8::/32x'] }, 'deny'],
    ['an unknown failure policy', { limit: 5, onRedisError: 'retry' }, 'onRedisError'],
    ['two keys', { limit: 5, key: () => '', keyGenerator: () => '' }, 'keyGenerator'],
  ])('refuses %s', (_what, options, message) => {
    const create = (): unknown => suiteOf().rateLimit(options as RateLimitOptions);
    expect(create).toThrow(ConfigError);
    expect(create).toThrow(message);
  });

  it.each([
    '2001:db8::12345',
    'fe80::1::2',
    ':::1',
    '2001:db8::1::/64',
    '::ffff:1.2.3.400',
    'fe80::1::2%eth0',
    '2001:db8:0:0:0:0:0:12345',
    '2001:db8:0:0:0:0:1',
    '1:2:3:4:5:6:7:8:9',
    ' 10.0.0.1',
    '2001:db8::1 ',
  ])('refuses %j in a list: it is a mistyped address', (address) => {
    for (const option of ['allow', 'deny']) {
      const create = (): unknown => suiteOf().rateLimit({ limit: 5, [option]: [address] });
      expect(create).toThrow(ConfigError);
      expect(create).toThrow(`${option}: ${JSON.stringify(address)}`);
    }
  });

  it.each([
    '12345',
    'v1.2',
    'user:7',
    'a:b:c',
    'team/7',
    '1.x/8',
    'cafe:1',
    'ip:1.2.3.4',
    'a:1.2.3.4',
    'tenant::7',
    '00:1a:2b:3c:4d:5e',
    `${'ab:'.repeat(19)}cd`,
    'a:b:c:d:e:f',
    ':',
    '1:',
  ])('takes %j in a list for a key', async (key) => {
    const app = suiteOf().rateLimiter({ limit: 5, deny: [key] });
    expect((await app.take(key)).allowed).toBe(false);
    expect((await app.take(`${key}0`)).allowed).toBe(true);
  });

  it('refuses a second limiter without a name, until the suite is closed', async () => {
    const prefix = uniquePrefix();
    const suite = suiteOf({ redis, prefix });
    suite.rateLimit({ limit: 1 });
    suite.rateLimit({ limit: 1, name: 'other' });
    expect(() => suite.rateLimit({ limit: 1 })).toThrow(ConfigError);
    expect(() => suite.rateLimiter({ limit: 1 })).toThrow('name');
    expect(() => rateLimit({ redis, prefix, limit: 1 })).toThrow('name');
    await suite.close();
    expect(() => suiteOf({ redis, prefix }).rateLimit({ limit: 1 })).not.toThrow();
  });

  it('has no default limiter whose options were refused', () => {
    const prefix = uniquePrefix();
    expect(() => rateLimit({ redis, prefix, limit: -1 })).toThrow('limit');
    expect(() => rateLimit({ redis, prefix, limit: 1 })).not.toThrow();
  });

  it('standing alone shares its counts with the suite on the same connection and prefix', async () => {
    const prefix = uniquePrefix();
    const suite = suiteOf({ redis, prefix });
    const told: unknown[] = [];
    suite.events.on('limit:refused', (event) => told.push(event));
    const alone = appOf(rateLimit({ redis, prefix, name: 'api', limit: 1 }));
    const inSuite = appOf(suite.rateLimit({ name: 'api', limit: 1 }));
    expect(statusesOf([...(await visit(inSuite, 1)), ...(await visit(alone, 1))])).toEqual([200, 429]);
    expect(told).toHaveLength(1);
  });
});
