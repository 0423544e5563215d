import { describe, expect, it } from '@jest/globals';
import express, { type RequestHandler } from 'express';
import * as fc from 'fast-check';
import { type Ask, ask, EVERYWHERE, listen, openSuite } from './support.ts';
import { afterAttack, cacheOf, POLICIES, serving } from './security.ts';

const EVIL = 'evil.example';

/** A handler that lets a header into its page, and says so where that is asked of a stranger's origin. */
function reflecting(name: string, varies: boolean): RequestHandler {
  return (req, res) => {
    res.set('Cache-Control', 'max-age=60');
    if (varies) res.vary(name);
    res.send(`<script src="${String(req.headers[name.toLowerCase()] ?? 'good')}">`);
  };
}

describe.each(POLICIES)('attacks on the key, policy %s', (policy, options) => {
  describe('unkeyed input: a header that one client sends does not get into the page of another', () => {
    it.each([
      'X-Forwarded-Host',
      'X-Forwarded-Proto',
      'X-Forwarded-Scheme',
      'X-Forwarded-Port',
      'X-Forwarded-Prefix',
      'X-Forwarded-For',
      'X-Host',
      'X-Original-URL',
      'X-Rewrite-URL',
      'X-HTTP-Method-Override',
      'X-Unheard-Of',
      'Forwarded',
      'Origin',
      'Referer',
      'Cookie',
    ])('%s', async (name) => {
      const port = await serving(reflecting(name, policy === 'rfc9111'), options);
      const answers = await afterAttack(port, ['/', { headers: { [name]: EVIL } }], ['/']);
      for (const { text } of answers) expect(text).toBe('<script src="good">');
    });

    it.each(['hostname', 'host', 'protocol', 'secure'] as const)('through req.%s', async (name) => {
      for (const trust of [false, true]) {
        const app = express().set('trust proxy', trust);
        app.use(cacheOf(options), (req, res) => {
          res.set('Cache-Control', 'max-age=60').send(String(req[name]));
        });
        const port = await listen(app);
        const headers = { Host: 'good.example', 'X-Forwarded-Host': EVIL, 'X-Forwarded-Proto': 'https' };
        await ask(port, '/', { headers });
        const { text } = await ask(port, '/', { headers: { Host: 'good.example' } });
        expect(['good.example', 'http', 'false']).toContain(text);
      }
    });
  });

  describe('fat GET: the body of one request is no part of the answer to another', () => {
    it.each<[string, Ask]>([
      ['with a length', { body: EVIL, headers: { 'Content-Length': String(EVIL.length) } }],
      ['in chunks', { body: EVIL, headers: { 'Transfer-Encoding': 'chunked' } }],
      ['of HEAD', { method: 'HEAD', body: EVIL, headers: { 'Content-Length': String(EVIL.length) } }],
    ])('%s', async (_name, attack) => {
      const port = await serving(async (req, res) => {
        let text = '';
        for await (const chunk of req) text += String(chunk);
        res.set('Cache-Control', 'max-age=60').send(`searched for ${text}`);
      }, options);
      for (const { text } of await afterAttack(port, ['/', attack], ['/'])) expect(text).toBe('searched for ');
    });
  });

  it('parameter cloaking: whatever is made of the query, nobody gets the page of another parameter', async () => {
    const piece = fc.constantFrom(
      'page=1',
      'page=2',
      'page[]=3',
      'page[a]=4',
      'p%61ge=5',
      'PAGE=6',
      'utm=x',
      ';',
      'page',
      '[page]=7',
      '&',
      '=',
      '%26page=8',
      '%3Bpage=9',
      '+page=10',
      '__proto__[page]=11',
      'page%00=12',
      '#page=13',
      '?page=14',
      '%',
    );
    const query = fc
      .array(piece, { maxLength: 4 })
      .chain((pieces) => fc.constantFrom('&', ';', '').map((by) => pieces.join(by)));
    const port = await serving(
      (req, res) => void res.set('Cache-Control', 'max-age=60').json(req.query['page'] ?? null),
      { ...options, query: ['page'] },
    );
    const plain = await serving((req, res) => void res.json(req.query['page'] ?? null), { skip: () => true });
    await fc.assert(
      fc.asyncProperty(query, fc.constantFrom('', 'page=1', 'page=2', 'utm=x&page=2'), async (attack, honest) => {
        await ask(port, `/?${attack}`).catch(() => undefined);
        expect((await ask(port, `/?${honest}`)).text).toBe((await ask(plain, `/?${honest}`)).text);
      }),
      { numRuns: 100 },
    );
  });

  it('key delimiters and hash tags: no host, path, user or cookie can be spelled so that it is another', async () => {
    const part = fc.string({
      unit: fc.constantFrom('|', '~', '{', '}', ':', 'u', 'k', 'h', '/', '0', ',', '"'),
      maxLength: 6,
    });
    const person = fc.record({ host: part, path: part, user: part, lang: part });
    for (const place of EVERYWHERE) {
      const app = express();
      const user = (req: { headers: object }): string | undefined =>
        (req.headers as Record<string, string | undefined>)['x-user'];
      app.use(cacheOf({ ...options, user, vary: ['X-Lang'] }, place), (req, res) => {
        const { host, 'x-user': name, 'x-lang': lang } = req.headers;
        res.set('Cache-Control', 'public, max-age=60').json([host, req.url, name, lang]);
      });
      const port = await listen(app);
      await fc.assert(
        fc.asyncProperty(fc.array(person, { minLength: 2, maxLength: 4 }), async (people) => {
          for (const { host, path, user, lang } of people) {
            const headers = { Host: `a${host}`, 'X-User': `a${user}`, 'X-Lang': `a${lang}` };
            const { status, text } = await ask(port, `/${path}`, { headers });
            const own = JSON.stringify([headers.Host, `/${path}`, `a${user}`, `a${lang}`]);
            expect(status === 200 ? text : own).toBe(own);
          }
        }),
        { numRuns: place === 'memory' ? 40 : 10 },
      );
    }
  });

  describe('unique-key flooding', () => {
    it('by parameters: those that are not declared make no entries', async () => {
      const suite = openSuite('memory');
      const app = express();
      app.use(suite.cache({ ...options, query: ['page'] }), (_req, res) => {
        res.set('Cache-Control', 'max-age=60').send('x');
      });
      const port = await listen(app);
      for (let i = 0; i < 30; i++) await ask(port, `/?page=1&${i}=${i}`);
      expect(suite.stats().cache.stores).toBe(1);
    });

    it('by header values: there are no more variants than the route allows', async () => {
      const suite = openSuite('memory');
      const app = express();
      app.use(suite.cache({ ...options, maxVariants: 5 }), (_req, res) => {
        res.set({ 'Cache-Control': 'max-age=60', Vary: 'X-Any' }).send('x');
      });
      const port = await listen(app);
      for (let i = 0; i < 30; i++) await ask(port, '/', { headers: { 'X-Any': String(i) } });
      expect(suite.stats().cache.stores).toBe(5);
    });
  });

  it.each([
    ['/__proto__', {}],
    ['/?__proto__=polluted&constructor=polluted', {}],
    ['/', { headers: { Cookie: '__proto__=polluted; constructor=polluted' } }],
    ['/', { headers: { ['__proto__' as string]: 'polluted', constructor: 'polluted' } }],
    ['/', { headers: { Host: '__proto__' } }],
  ])('__proto__ in a request is a name like any other: %s %j', async (path, attack: Ask) => {
    const port = await serving((req, res) => {
      res.set({ 'Cache-Control': 'max-age=60', Vary: '__proto__, constructor' });
      res.json([req.get('constructor') ?? null, req.get('__proto__') ?? null, req.url]);
    }, options);
    const victim = path === '/' ? '/' : '/other';
    const [first, second] = await afterAttack(port, [path, attack], [victim]);
    expect([first?.text, second?.text].join()).not.toContain('polluted');
    expect([first?.status, second?.status]).toEqual([200, 200]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});
