import { describe, expect, it } from '@jest/globals';
import type { Request, RequestHandler } from 'express';
import request from 'supertest';
import { combine, ConfigError, cookie, header, ip, type RequestKey, user } from '../../src/index.ts';
import { appOf, suiteOf } from './support.ts';

/** What middleware before the limiter puts on a request. */
type Before = Partial<Record<'user' | 'cookies' | 'signedCookies', unknown>>;

interface Asked {
  readonly before?: Before;
  readonly headers?: Record<string, string>;
}

/** The key of a request behind one trusted proxy; of one that is refused its status and message. */
async function keyOf(key: RequestKey, { before = {}, headers = {} }: Asked = {}): Promise<string> {
  const prepare: RequestHandler = (req, _res, next) => next(void Object.assign(req, before));
  const tell: RequestHandler = (req, res, next) => {
    Promise.resolve(key(req)).then((text) => res.send(text), next);
  };
  const app = appOf(prepare, tell);
  app.set('trust proxy', 1);
  const { status, text } = await request(app)
    .get('/')
    .set({ 'X-Forwarded-For': '10.0.0.1', ...headers });
  return status === 200 ? text : `${status} ${text}`;
}

/** The key `ip()` gives an address. */
function keyFrom(address: string, options?: Parameters<typeof ip>[0]): Promise<string> {
  return keyOf(async (req) => ip(options)(req), { headers: { 'X-Forwarded-For': address } });
}

describe('ip()', () => {
  it.each([
    ['2001:db8:1:2ff::1', '2001:db8:1:201::9'],
    ['2001:DB8::1', '2001:db8::2'],
    ['2001:db8:0:0:0:0:0:1', '2001:db8::1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::ffff:a00:1', '10.0.0.1'],
    ['0:0:0:0:0:ffff:a00:1', '10.0.0.1'],
    ['::FFFF:10.0.0.1', '10.0.0.1'],
    ['64:ff9b::10.0.0.1', '10.0.0.1'],
    ['64:ff9b::a00:1', '10.0.0.1'],
    ['64:FF9B:0:0:0:0:a00:1', '10.0.0.1'],
    ['64:ff9b::a00:1%eth0', '10.0.0.1'],
    ['fe80::1%eth0', 'fe80::1%eth1'],
    ['fe80::1%25', 'fe80::1'],
  ])('takes %s and %s for one client', async (a, b) => {
    expect(await keyFrom(a)).toBe(await keyFrom(b));
    expect(await keyFrom(a)).not.toMatch(/^\d{3} /);
  });

  it.each([
    ['2001:db8:1:200::1', '2001:db8:1:300::1'],
    ['64:ff9b::10.0.0.1', '64:ff9b::10.0.0.2'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.2'],
    ['64:ff9b:1::a00:1', '10.0.0.1'], // Not the well-known prefix: RFC 8215.
    ['10.0.0.1', '10.0.0.2'],
  ])('takes %s and %s for two', async (a, b) => {
    expect(await keyFrom(a)).not.toBe(await keyFrom(b));
  });

  it('draws the line where it is told to', async () => {
    const [a, b] = ['2001:db8:1:2ff::1', '2001:db8:1:201::1'];
    expect(await keyFrom(a, { subnet: 64 })).not.toBe(await keyFrom(b, { subnet: 64 }));
    expect(await keyFrom(a, { subnet: 48 })).toBe(await keyFrom('2001:db8:1:ffff::1', { subnet: 48 }));
    expect(await keyFrom('10.0.0.1', { subnet: 32 })).toBe('10.0.0.1');
  });

  it.each([31, 129, 56.5, '56'])('refuses a subnet of %s', (subnet) => {
    expect(() => ip({ subnet: subnet as number })).toThrow(ConfigError);
  });

  it('answers 400 where the proxy tells what is no address', async () => {
    expect(await keyFrom('unknown')).toBe("400 The client's address is not an IP address.");
  });
});

describe('user()', () => {
  it('is the id of who has logged in, text or number, and the address of others', async () => {
    expect(await keyOf(user(), { before: { user: { id: 'ada' } } })).toBe('user:ada');
    expect(await keyOf(user(), { before: { user: { id: 0 } } })).toBe('user:0');
    expect(await keyOf(user(), { before: { user: {} } })).toBe('anonymous:10.0.0.1');
    expect(await keyOf(user())).toBe('anonymous:10.0.0.1');
  });

  it('asks functions of its own, for users and for others', async () => {
    const tenant = (req: Request): string | undefined => req.get('x-tenant');
    const key = user(tenant, async () => 'everybody');
    expect(await keyOf(key, { headers: { 'x-tenant': 't1' } })).toBe('user:t1');
    expect(await keyOf(key)).toBe('anonymous:everybody');
  });

  it('has no user who is called like somebody without a name', async () => {
    const called = await keyOf(user(), { before: { user: { id: 'anonymous:10.0.0.1' } } });
    expect(called).not.toBe(await keyOf(user()));
  });

  it.each([[{ a: 1 }], [['a']], [''], [null], [Number.NaN], [true]])('answers 400 to the id %j', async (id) => {
    expect(await keyOf(user(), { before: { user: { id } } })).toMatch(/^400 user: /);
  });
});

describe('header()', () => {
  it('is the header, and the address where there is none or an empty one', async () => {
    const key = header('X-Api-Key');
    expect(await keyOf(key, { headers: { 'x-api-key': 'k1' } })).toBe('header:k1');
    expect(await keyOf(key, { headers: { 'x-api-key': '' } })).toBe('none:10.0.0.1');
    expect(await keyOf(key)).toBe('none:10.0.0.1');
    expect(await keyOf(header('x-api-key', () => 'nobody'))).toBe('none:nobody');
  });

  it('has no value that reads like none', async () => {
    const key = header('x-api-key');
    expect(await keyOf(key, { headers: { 'x-api-key': 'none:10.0.0.1' } })).not.toBe(await keyOf(key));
  });
});

describe('cookie()', () => {
  const key = cookie('device');

  it('is the cookie, the signed one first, and the address where there is none', async () => {
    expect(await keyOf(key, { before: { cookies: { device: 'd1' } } })).toBe('cookie:d1');
    const both = { cookies: { device: 'forged' }, signedCookies: { device: 'd1' } };
    expect(await keyOf(key, { before: both })).toBe('cookie:d1');
    expect(await keyOf(key, { before: { cookies: {}, signedCookies: {} } })).toBe('none:10.0.0.1');
    expect(await keyOf(key, { before: { cookies: { device: '' } } })).toBe('none:10.0.0.1');
    expect(await keyOf(key)).toBe('none:10.0.0.1');
    expect(await keyOf(cookie('device', () => 'nobody'))).toBe('none:nobody');
  });

  it('does not believe a cookie whose signature is wrong, nor an unsigned one in its place', async () => {
    const tampered = { cookies: { device: 'd1' }, signedCookies: { device: false } };
    expect(await keyOf(key, { before: tampered })).toBe('none:10.0.0.1');
  });

  it('takes nothing that objects have anyway for a cookie', async () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      expect(await keyOf(cookie(name), { before: { cookies: {}, signedCookies: {} } })).toBe('none:10.0.0.1');
    }
  });

  it('answers 400 to a cookie that was read as an object', async () => {
    expect(await keyOf(key, { before: { cookies: { device: { a: 1 } } } })).toMatch(/^400 cookie device: /);
  });
});

describe('combine()', () => {
  const text =
    (value: string): RequestKey =>
    () =>
      value;

  it('makes every combination a client, wherever its parts come from', async () => {
    const key = combine(ip(), user(), async () => 'late');
    expect(await keyOf(key, { before: { user: { id: 'ada' } } })).toBe('10.0.0.1|user%3Aada|late');
  });

  it('has no part that reaches into the next', async () => {
    const pairs = [
      ['a|b', 'c'],
      ['a', 'b|c'],
      ['a%7Cb', 'c'],
      ['a|b|c', '|'],
    ] as const;
    const keys = await Promise.all(pairs.map(([a, b]) => keyOf(combine(text(a), text(b)))));
    expect(new Set(keys).size).toBe(4);
  });

  it('takes text that is no Unicode', async () => {
    const app = appOf(suiteOf().rateLimit({ limit: 5, key: combine(ip(), () => '\ud800') }));
    expect((await request(app).get('/')).status).toBe(200);
  });

  it('answers 400 to a part that is not text, and is not made of nothing', async () => {
    for (const part of ['', undefined, { a: 1 }, ['a']]) {
      expect(await keyOf(combine(ip(), text(part as string)))).toMatch(/^400 combine: /);
    }
    expect(() => combine()).toThrow(ConfigError);
  });

  it('passes on what a part throws', async () => {
    const fail = async (): Promise<string> => {
      throw new Error('mine');
    };
    expect(await keyOf(combine(ip(), fail))).toBe('500 mine');
  });
});

describe('a limit by user', () => {
  it('is one for each, from wherever they come, and one per address for those who have not logged in', async () => {
    const login: RequestHandler = (req, _res, next) => {
      const id = req.get('x-user');
      if (id !== undefined) Object.assign(req, { user: { id } });
      next();
    };
    const app = appOf(login, suiteOf().rateLimit({ limit: 1, key: user() }));
    app.set('trust proxy', 1);
    const statusOf = async (address: string, name?: string): Promise<number> => {
      const sent = request(app).get('/').set('X-Forwarded-For', address);
      return (await (name === undefined ? sent : sent.set('x-user', name))).status;
    };
    expect([await statusOf('1.1.1.1', 'ada'), await statusOf('2.2.2.2', 'ada')]).toEqual([200, 429]);
    expect([await statusOf('1.1.1.1', 'bob'), await statusOf('1.1.1.1')]).toEqual([200, 200]);
    expect([await statusOf('1.1.1.1'), await statusOf('2.2.2.2')]).toEqual([429, 200]);
  });
});
