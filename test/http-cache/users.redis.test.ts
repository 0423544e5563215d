import { describe, expect, it } from '@jest/globals';
import express, { type Request } from 'express';
import * as fc from 'fast-check';
import type { CacheOptions } from '../../src/index.ts';
import { ask, listen, openSuite, PLACES } from './support.ts';

/** Who may ask, and what a request of theirs carries. */
const VISITORS: readonly Readonly<Record<string, string>>[] = [
  {},
  { Authorization: 'Bearer ann' },
  { Authorization: 'Bearer bob' },
  { Cookie: 'sid=ann' },
  { Cookie: 'sid=bob' },
  { Authorization: 'Bearer ann', Cookie: 'sid=ann' },
  { Authorization: 'Bearer bob', Cookie: 'sid=bob' },
  { Authorization: 'Bearer ann', Cookie: 'sid=bob' },
  { Authorization: '' },
  { Cookie: '' },
];

function identityOf(req: Request): string {
  return nameOf({ Authorization: req.get('Authorization'), Cookie: req.get('Cookie') });
}

function nameOf(headers: Readonly<Record<string, string | undefined>>): string {
  return `${headers['Authorization'] || 'nobody'} and ${headers['Cookie'] || 'nobody'}`;
}

/** The user's identity by both: what a careful application would declare. */
const declaredUser = (req: Request): string | undefined =>
  req.get('Authorization') === undefined && req.get('Cookie') === undefined ? undefined : identityOf(req);

const OPTIONS: readonly (readonly [string, CacheOptions])[] = [
  ['by default', {}],
  ['with a user', { user: declaredUser }],
  [
    'with a user of only some requests',
    { user: (req) => (req.get('Authorization') === undefined ? undefined : identityOf(req)) },
  ],
  ['with both headers declared', { vary: ['Authorization', 'Cookie'] }],
  ['with one header declared', { vary: ['Authorization'] }],
  ['with the cookie declared', { cookies: ['sid'] }],
  ['with a key', { key: (req) => req.path }],
];

/** What responses say of themselves that must not be shared between those visitors. */
const RESPONSES = [undefined, 'max-age=60', 'public, max-age=0', 's-maxage=60', 'private', 'no-cache'];

describe.each(PLACES)('two users and anonymous visitors on %s', (place) => {
  it.each(OPTIONS)('never see what was made for another, %s', async (_name, options) => {
    for (const cacheControl of place === 'memory' ? RESPONSES : RESPONSES.slice(0, 3)) {
      const app = express();
      app.get('/', openSuite(place).cache({ ttl: '1m', ...options }), (req, res) => {
        if (cacheControl !== undefined) res.set('Cache-Control', cacheControl);
        res.send(identityOf(req));
      });
      const port = await listen(app);
      const order = [...VISITORS, ...VISITORS.toReversed()];
      for (const headers of order) {
        const expected = nameOf(headers);
        expect((await ask(port, '/', { headers })).text).toBe(expected);
      }
      const together = await Promise.all(VISITORS.map((headers) => ask(port, '/', { headers })));
      expect(together.map(({ text }) => text)).toEqual(VISITORS.map((headers) => nameOf(headers)));
    }
  });

  it('share what is public', async () => {
    const app = express();
    let runs = 0;
    app.get(
      '/',
      openSuite(place).cache({ ttl: '1m' }),
      (_req, res) => void res.set('Cache-Control', 'public').send(`run ${++runs}`),
    );
    const port = await listen(app);
    for (const headers of VISITORS) expect((await ask(port, '/', { headers })).text).toBe('run 1');
  });

  it('do not share what was stored for the anonymous without a word', async () => {
    const app = express();
    let runs = 0;
    app.get(
      '/',
      openSuite(place).cache({ ttl: '1m', cookies: 'bypass' }),
      (_req, res) => void res.send(`run ${++runs}`),
    );
    const port = await listen(app);
    for (const [i, headers] of VISITORS.entries())
      expect((await ask(port, '/', { headers })).text).toBe(`run ${i + 1}`);
    expect((await ask(port, '/')).text).toBe('run 1');
  });
});

type Step =
  | { readonly kind: 'ask'; readonly visitor: number; readonly path: number }
  | { readonly kind: 'write'; readonly path: number }
  | { readonly kind: 'invalidate'; readonly path: number; readonly by: 'tags' | 'urls' | 'keys' };

interface Page {
  version: number;
  readonly cacheControl: string | undefined;
  readonly isPersonal: boolean;
}

const PAGES: readonly Omit<Page, 'version'>[] = [
  { cacheControl: undefined, isPersonal: true },
  { cacheControl: undefined, isPersonal: false },
  { cacheControl: 'public, max-age=60', isPersonal: false },
  { cacheControl: 'private', isPersonal: true },
  { cacheControl: 'public, max-age=0', isPersonal: true },
  { cacheControl: 'no-store', isPersonal: true },
];

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      visitor: fc.nat(VISITORS.length - 1),
      path: fc.nat(PAGES.length - 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('write' as const), path: fc.nat(PAGES.length - 1) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('invalidate' as const),
      path: fc.nat(PAGES.length - 1),
      by: fc.constantFrom('tags' as const, 'urls' as const, 'keys' as const),
    }),
  },
);

describe('any history of requests, writes and invalidations', () => {
  it.each(PLACES)(
    'shows nobody the page of another, nor a version from before an invalidation, on %s',
    async (place) => {
      const suite = openSuite(place);
      const pages: Page[] = PAGES.map(({ cacheControl, isPersonal }) => ({ cacheControl, isPersonal, version: 1 }));
      const app = express();
      app.get(
        '/:path',
        suite.cache({ ttl: '1m', tags: (req) => [`page:${String(req.params['path'])}`] }),
        (req, res) => {
          const page = pages[Number(req.params['path'])];
          if (page?.cacheControl !== undefined) res.set('Cache-Control', page.cacheControl);
          res.json({ version: page?.version, owner: page?.isPersonal === true ? identityOf(req) : 'all' });
        },
      );
      app.post(
        '/:path',
        suite.invalidateAfter((req) => [`page:${String(req.params['path'])}`]),
        (req, res) => {
          const page = pages[Number(req.params['path'])];
          if (page !== undefined) page.version++;
          res.status(204).end();
        },
      );
      const port = await listen(app);

      async function take(action: Step): Promise<void> {
        const url = `/${action.path}`;
        if (action.kind === 'write') return void (await ask(port, url, { method: 'POST' }));
        if (action.kind === 'invalidate') {
          const what = { tags: [`page:${action.path}`], urls: [url], keys: [`GET:${url}`] };
          return suite.invalidate({ [action.by]: what[action.by] });
        }
        const headers = VISITORS[action.visitor] ?? {};
        const page = pages[action.path];
        const seen = JSON.parse((await ask(port, url, { headers })).text) as { version: number; owner: string };
        const identity = nameOf(headers);
        expect(seen).toEqual({ version: page?.version, owner: page?.isPersonal === true ? identity : 'all' });
      }

      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
          for (const action of steps) await take(action);
        }),
        { numRuns: place === 'memory' ? 30 : 10 },
      );
    },
  );
});
