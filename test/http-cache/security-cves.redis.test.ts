import { describe, expect, it } from '@jest/globals';
import type { RequestHandler } from 'express';
import type { CacheOptions } from '../../src/index.ts';
import { type Ask, ask, listen, openSuite, PLACES, verdict } from './support.ts';
import express from 'express';
import { afterAttack, POLICIES, serving } from './security.ts';

type Headers = Readonly<Record<string, string | readonly string[]>>;

const USERS: readonly Ask[] = [
  { headers: { Authorization: 'Bearer ann', Cookie: 'sid=ann' } },
  { headers: { Authorization: 'Bearer bob', Cookie: 'sid=bob' } },
  {},
];

function personal(headers: Headers): RequestHandler {
  return (req, res) => {
    const name = /sid=(\w+)/.exec(req.headers.cookie ?? '')?.[1] ?? 'nobody';
    for (const [field, value] of Object.entries(headers)) res.setHeader(field, value);
    res.end(`account of ${name}`);
  };
}

/** Pages that came to others than their owners, alone and together. */
async function strays(options: CacheOptions, headers: Headers): Promise<string[]> {
  const found: string[] = [];
  const names = ['ann', 'bob', 'nobody'].map((name) => `account of ${name}`);
  const keep = (text: string, i: number): void => {
    if (text !== names[i]) found.push(`${names[i]} got ${text}`);
  };
  for (const place of PLACES.slice(0, headers['Vary'] === undefined ? 1 : 2)) {
    const port = await serving(personal(headers), options, place);
    for (const i of [0, 1, 2, 0, 1, 2]) keep((await ask(port, '/', USERS[i])).text, i);
    const together = await Promise.all(USERS.map((user) => ask(port, '/', user)));
    together.forEach(({ text }, i) => keep(text, i));
  }
  return found;
}

const LASTING = 'max-age=60';

describe.each(POLICIES)('named vulnerabilities of other caches, policy %s', (policy, options) => {
  describe('undici CVE-2026-13697: a malformed `private` is shared with others, or ends the process', () => {
    it.each([
      'private=""',
      'private=',
      'private=,',
      'private="',
      'private, private="x-name"',
      'private="x-name", private',
      'private="x-name, @"',
      'PRIVATE=""',
      'private=" "',
      'private=","',
    ])('%s', async (value) => {
      expect(await strays(options, { 'Cache-Control': `${LASTING}, ${value}` })).toEqual([]);
      expect(await strays(options, { 'Cache-Control': [value, LASTING] })).toEqual([]);
    });
  });

  describe('Hono CVE-2026-44457: `Vary: Authorization` and `Vary: Cookie` are passed over, and users see each other', () => {
    it.each(['Authorization, Cookie', 'cookie', 'COOKIE', 'Accept, Cookie', ' Cookie '])('Vary: %s', async (vary) => {
      expect(await strays(options, { 'Cache-Control': LASTING, Vary: vary })).toEqual([]);
    });

    it('Vary: Authorization', async () => {
      const users = ['ann', 'bob'].map((name) => ({ headers: { Authorization: name } }));
      const port = await serving((req, res) => {
        res.set({ 'Cache-Control': `${LASTING}, must-revalidate`, Vary: 'Authorization' });
        res.send(String(req.headers.authorization));
      }, options);
      for (const { headers } of [...users, ...users]) {
        expect((await ask(port, '/', { headers })).text).toBe(headers.Authorization);
      }
    });
  });

  describe('Hono GHSA-6wqw-2p9w-4vw4: `private` and `no-store` of the response are ignored (web cache deception)', () => {
    it.each(['private', 'no-store', 'private, max-age=60', 'max-age=60, no-store', 's-maxage=60, private', 'No-Store'])(
      '%s',
      async (value) => {
        expect(await strays(options, { 'Cache-Control': value })).toEqual([]);
      },
    );
  });

  describe('Django CVE-2026-35193: responses to requests with Authorization are stored without `public`', () => {
    it.each([LASTING, 'max-age=60, immutable', 'stale-while-revalidate=60, max-age=60'])('%s', async (value) => {
      const port = await serving(
        (_req, res) => {
          res.set('Cache-Control', value).send(`run ${Math.random()}`);
        },
        {
          ...options,
          cookies: 'bypass',
        },
      );
      const answers = [];
      for (const user of [USERS[0], USERS[1], {}]) answers.push((await ask(port, '/', user)).text);
      expect(new Set(answers).size).toBe(3);
    });

    it('nor without a word of `Vary` from a handler that reads it', async () => {
      const users = ['ann', 'bob', 'ann'];
      const port = await serving((req, res) => {
        res.set('Cache-Control', LASTING).send(String(req.get('Authorization')));
      }, options);
      for (const name of users) {
        expect((await ask(port, '/', { headers: { Authorization: name } })).text).toBe(name);
      }
    });
  });

  describe('Django CVE-2026-6907, CVE-2026-48587, CVE-2026-8404: `Vary: *`, blanks around it, directives in capitals', () => {
    it.each<[string, Headers]>([
      ['Vary: *', { Vary: '*', 'Cache-Control': LASTING }],
      ['Vary with blanks', { Vary: ' *  ', 'Cache-Control': LASTING }],
      ['Vary with a list', { Vary: ['Accept', '*'], 'Cache-Control': LASTING }],
      ['PRIVATE', { 'Cache-Control': 'MAX-AGE=60, PRIVATE' }],
    ])('%s', async (_name, headers) => {
      expect(await strays(options, headers)).toEqual([]);
    });
  });

  describe('Next.js CVE-2024-46982: a crafted request makes a page cacheable that is not', () => {
    const FORGED: readonly (readonly [string, Ask])[] = [
      ['Cache-Control', { headers: { 'Cache-Control': 's-maxage=1, stale-while-revalidate, public' } }],
      ['CDN-Cache-Control', { headers: { 'CDN-Cache-Control': 'max-age=600' } }],
      ['Surrogate-Control', { headers: { 'Surrogate-Control': 'max-age=600' } }],
      ['Expires', { headers: { Expires: new Date(Date.now() + 60_000).toUTCString() } }],
      ['x-now-route-matches', { headers: { 'x-now-route-matches': '1' } }],
      ['a data request', { headers: { 'x-nextjs-data': '1' } }],
    ];
    it.each(FORGED)('%s', async (_name, attack) => {
      for (const value of ['private, no-cache, no-store, max-age=0, must-revalidate', undefined]) {
        const lifeless = policy === 'app' ? { jitter: 0 } : options;
        let runs = 0;
        const port = await serving((_req, res) => {
          if (value !== undefined) res.set('Cache-Control', value);
          res.end(`run ${++runs}`);
        }, lifeless);
        const [first, second] = await afterAttack(port, ['/?__nextDataReq=1', attack], ['/?__nextDataReq=1']);
        expect([first?.text, second?.text]).toEqual(['run 3', 'run 4']);
      }
    });
  });

  /** A page that a header turns into another: said in `Vary` only where that is a stranger's duty. */
  function turned(name: string, turn: (res: Parameters<RequestHandler>[1]) => void): RequestHandler {
    return (req, res) => {
      res.set('Cache-Control', LASTING);
      if (policy === 'rfc9111') res.vary(name);
      if (req.get(name) === '1') turn(res);
      else res.redirect(302, '/page');
    };
  }

  it('Next.js CVE-2025-49826: an empty 204 to one odd request is stored in the place of the page', async () => {
    const port = await serving(
      turned('x-odd', (res) => void res.status(204).end()),
      options,
    );
    const answers = await afterAttack(port, ['/', { headers: { 'x-odd': '1' } }], ['/']);
    expect(answers.map(({ status }) => status)).toEqual([302, 302]);
    const together = await Promise.all([{ 'x-odd': '1' }, {}, {}].map((headers) => ask(port, '/new', { headers })));
    expect(together.map(({ status }) => status)).toEqual([204, 302, 302]);
  });

  it('Next.js CVE-2025-49826: a race for the page gives nobody the 204 that a HEAD or an aborted request got', async () => {
    let runs = 0;
    const port = await serving(async (req, res) => {
      const isFirst = ++runs === 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
      res.set('Cache-Control', LASTING);
      if (isFirst && req.method === 'HEAD') res.status(204).end();
      else res.send('page');
    }, options);
    const asked = [ask(port, '/', { method: 'HEAD' }), ask(port, '/'), ask(port, '/')];
    const [, ...pages] = await Promise.all(asked);
    expect(pages.map(({ status, text }) => [status, text])).toEqual([
      [200, 'page'],
      [200, 'page'],
    ]);
    expect((await ask(port, '/')).text).toBe('page');
  });

  it('Next.js CVE-2025-49005: without `Vary` a component payload is served in the place of the HTML', async () => {
    const port = await serving(
      turned('RSC', (res) => void res.type('text/x-component').send('0:payload')),
      options,
    );
    for (const { headers } of await afterAttack(port, ['/', { headers: { RSC: '1' } }], ['/'])) {
      expect(headers['content-type']).not.toContain('x-component');
    }
    expect((await ask(port, '/', { headers: { RSC: '1' } })).text).toBe('0:payload');
  });

  it('Next.js CVE-2026-44572: a redirect without Location, made by a header, is stored for all', async () => {
    const port = await serving(
      turned('x-nextjs-data', (res) => void res.status(307).set('x-nextjs-redirect', '/page').end()),
      options,
    );
    for (const { status, headers } of await afterAttack(port, ['/', { headers: { 'x-nextjs-data': '1' } }], ['/'])) {
      expect([status, headers.location]).toEqual([302, '/page']);
    }
  });
});

it('Next.js CVE-2024-46982: a header of the client names no tags, groups or lifetime', async () => {
  const suite = openSuite('memory');
  const app = express();
  app.use(suite.cache({ ttl: '1m' }), (_req, res) => void res.send('x'));
  const port = await listen(app);
  const headers = {
    'Surrogate-Key': 'evil',
    'Cache-Tag': 'evil',
    'Cache-Groups': '"evil"',
    'Cache-Group-Invalidation': '"all"',
  };
  await ask(port, '/', { headers });
  await suite.invalidate(['evil']);
  expect(verdict(await ask(port, '/'))).toContain('hit');
});
