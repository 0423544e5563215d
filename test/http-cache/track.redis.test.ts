import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from '@jest/globals';
import type { Request, RequestHandler } from 'express';
import { ask, HIT, listen, MISS, PLACES, STORED, verdict } from './support.ts';
import { answering, type Known, nameIn, type Read, site, type Visitor, VISITORS } from './visitors.ts';

const own = ({ rawHeaders }: { rawHeaders: readonly string[] }): string =>
  rawHeaders.filter((_, i) => /cookie|auth|key/i.test(rawHeaders[i - (i % 2)] ?? '')).join();
const named = (headers: object): string =>
  JSON.stringify(Object.entries(headers).filter(([name]) => /cookie|auth|key/.test(name)));

/** Ways to learn who is asking. */
const READS: Readonly<Record<string, Read>> = {
  'req.session': (req) => req.session?.user,
  'a destructured req.session': ({ session }) => session?.user,
  'req.user': (req) => req.user?.name,
  'values of the request': (req) => Object.entries(req).find(([name]) => name === 'account')?.[1] as unknown,
  'req.isAuthenticated()': (req) => req.isAuthenticated?.(),
  'a function that knows': (req) => req.whoAsks?.(),
  'an accessor, as of cookie-session': (req) => req.account,
  'a property with an underscore': (req) => req['_identity'],
  'a body that middleware made': (req) => (req.body as { user?: string } | undefined)?.user,
  'req.cookies': (req) => (req.cookies as { sid?: string }).sid,
  'req.signedCookies': (req) => (req.signedCookies as { sid?: string }).sid,
  'res.locals': (_req, res) => res.locals['user'],
  'res.locals of the request': (req) => req.res?.locals['user'],
  'all of res.locals': (_req, res) => JSON.stringify(res.locals),
  'a copy of the request': (req) => ({ ...req }).user?.name,
  'an heir of the request': (req) => (Object.create(req) as Known).user?.name,
  'req.get': (req) => [req.get('Cookie'), req.get('Authorization'), req.get('X-Api-Key')],
  'req.header': (req) => [req.header('cookie'), req.header('authorization'), req.header('x-api-key')],
  'destructured headers': ({ headers: { cookie, authorization, 'x-api-key': key } }) => [cookie, authorization, key],
  'headers that are spread': (req) => named({ ...req.headers }),
  'entries of the headers': (req) => named(req.headers),
  'headers as JSON': (req) => named(JSON.parse(JSON.stringify(req.headers)) as object),
  'headers in a loop': (req) => {
    const found: string[] = [];
    for (const name in req.headers) if (/cookie|auth|key/.test(name)) found.push(String(req.headers[name]));
    return found;
  },
  'descriptors of the headers': (req) => Object.getOwnPropertyDescriptor(req.headers, 'cookie')?.value as unknown,
  'whether there is a header': (req) => ['cookie', 'authorization', 'x-api-key'].map((name) => name in req.headers),
  'whether the headers have their own': (req) =>
    ['cookie', 'authorization', 'x-api-key'].map((name) => Object.hasOwn(req.headers, name)),
  'names of headers': (req) => Reflect.ownKeys(req.headers).includes('cookie'),
  'inspected headers': (req) => /cookie.*|auth.*|key.*/.exec(inspect(req.headers, { breakLength: Infinity }))?.[0],
  'raw headers': (req) => own(req),
  'distinct headers': (req) => named(req.headersDistinct),
  'headers that were replaced': (req) => {
    req.headers = { ...req.headers, extra: '1' };
    return named(req.headers);
  },
  'req.ip': (req) => req.ip,
  'req.ips': (req) => req.ips,
  'a forwarded address': (req) => req.get('X-Forwarded-For'),
};

const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Moments at which handlers read. */
const MOMENTS: Readonly<Record<string, (read: Read) => RequestHandler>> = {
  'at once': answering,
  'after a while': (read) => async (req, res) => {
    await later();
    answering(read)(req, res, () => undefined);
  },
  'after the headers': (read) => async (req, res) => {
    res.type('text');
    res.write('it is ');
    await later();
    res.end(String(read(req as Known, res)));
  },
};

async function asked(port: number, path: string, headers: Visitor): Promise<string> {
  return (await ask(port, path, { headers })).text;
}

describe.each(PLACES)('nobody sees the page of another, on %s,', (place) => {
  // What is read is found out alike everywhere: all ways at one moment, and some at others and on the server.
  const moments = Object.entries(MOMENTS).slice(0, place === 'memory' ? 3 : 1);
  describe.each(moments)('where the handler reads %s', (moment, reading) => {
    const isWhole = place === 'memory' && moment === 'at once';
    it.each(Object.entries(READS).filter((_, i) => isWhole || i % 4 === 0))('%s', async (_name, read) => {
      const port = await listen(site(place, reading(read)));
      const expected = await Promise.all(VISITORS.map((visitor) => asked(port, '/plain', visitor)));
      for (const i of [...VISITORS.keys(), ...[...VISITORS.keys()].toReversed()]) {
        expect([i, await asked(port, '/cached', VISITORS[i] ?? {})]).toEqual([i, expected[i]]);
      }
      expect(await Promise.all(VISITORS.map((visitor) => asked(port, '/cached', visitor)))).toEqual(expected);
    });
  });
});

describe('a view', () => {
  const folder = mkdtempSync(join(tmpdir(), 'views-'));
  writeFileSync(join(folder, 'hello.page'), '');
  afterAll(() => rmSync(folder, { recursive: true }));

  it('shows everybody their own name, and those without one the same page', async () => {
    const app = site('memory', (_req, res) => res.render('hello')).set('views', folder);
    app.set('view engine', 'page');
    const port = await listen(app);
    const expected = await Promise.all(VISITORS.map((visitor) => asked(port, '/plain', visitor)));
    for (let round = 0; round < 2; round++) {
      for (const [i, visitor] of VISITORS.entries()) expect(await asked(port, '/cached', visitor)).toBe(expected[i]);
    }
    expect(expected.slice(0, 3)).toEqual(['hello nobody', 'hello ann', 'hello bob']);
  });
});

describe('a page that reads nothing of its visitor', () => {
  const NEUTRAL: Readonly<Record<string, Read>> = {
    nothing: () => 'the same',
    'path, query and parameters': (req) => [req.path, JSON.stringify(req.query), req.url, req.originalUrl],
    'host and scheme': (req) => [req.hostname, req.protocol, req.secure, req.subdomains.length],
    'what the handler puts there itself': (req, res) => {
      Object.assign(req, { product: 7 });
      res.locals['title'] = 'Products';
      return [(req as { product?: number }).product, res.locals['title']];
    },
    'what Express asks for by itself': (req) => [req.fresh, req.stale, req.is('json')],
  };

  it.each(Object.entries(NEUTRAL))('is shared with everybody: %s', async (_name, read) => {
    for (const place of PLACES) {
      let runs = 0;
      const port = await listen(
        site(
          place,
          answering((req, res) => [++runs, read(req, res)]),
        ),
      );
      // The first with a user: what it could have read, the others have at most.
      const first = await asked(port, '/cached', { Cookie: 'sid=ann' });
      for (const headers of VISITORS) {
        const answer = await ask(port, '/cached', { headers });
        expect([answer.text, verdict(answer)]).toEqual([first, HIT]);
      }
    }
  });

  it('is made once more for the first who has a user, whom it might have looked for', async () => {
    let runs = 0;
    const port = await listen(
      site(
        'memory',
        answering(() => ++runs),
      ),
    );
    for (const headers of [...VISITORS, ...VISITORS]) await ask(port, '/cached', { headers });
    expect(runs).toBe(2);
  });

  it('is shared by those who have an API key, each their own where the handler reads it', async () => {
    let runs = 0;
    const port = await listen(
      site(
        'memory',
        answering((req) => [++runs, req.get('X-Api-Key')]),
      ),
    );
    const keys = ['ann', 'bob', 'ann', 'bob'].map((key) => ({ 'X-Api-Key': key }));
    const texts: string[] = [];
    for (const key of keys) texts.push(await asked(port, '/cached', key));
    expect(texts).toEqual(['it is 1,ann', 'it is 2,bob', 'it is 1,ann', 'it is 2,bob']);
  });
});

describe('a page that depends on its visitor', () => {
  it('is stored for those who are nobody, and for no other', async () => {
    const port = await listen(
      site(
        'memory',
        answering((req) => nameIn(req as unknown as Request)),
      ),
    );
    const verdicts: string[] = [];
    for (const headers of [{}, {}, { Cookie: 'sid=ann' }, { Cookie: 'sid=ann' }, {}]) {
      verdicts.push(verdict(await ask(port, '/cached', { headers })));
    }
    expect([verdicts[0], verdicts[1], verdicts[4]]).toEqual([expect.stringContaining('stored'), HIT, HIT]);
    expect(verdicts.slice(2, 4).every((told) => !told.includes('stored') && told.startsWith('fwd='))).toBe(true);
  });

  it('keeps those who are somebody from queueing up behind one another', async () => {
    let under = 0;
    let most = 0;
    const handler: RequestHandler = async (req, res) => {
      const name = (req as unknown as Known).user?.name;
      most = Math.max(most, ++under);
      for (let i = 0; i < 20; i++) await later();
      under--;
      res.send(`it is ${String(name)}`);
    };
    const port = await listen(site('memory', handler));
    const users = ['ann', 'bob', 'cid', 'dan'].map((name) => ({ Cookie: `sid=${name}` }));
    await asked(port, '/cached', { Cookie: 'sid=eve' });
    await Promise.all(users.map((user) => asked(port, '/cached', user)));
    expect(most).toBe(users.length);
  });

  it('is never stored where the handler says so, for what cannot be seen', async () => {
    const handler: RequestHandler = (_req, res) => {
      res.cache.private();
      res.send('of whoever the storage says');
    };
    const port = await listen(site('memory', handler));
    for (let i = 0; i < 2; i++) {
      const answer = await ask(port, '/cached');
      expect([verdict(answer), answer.headers['cache-control']]).toEqual([MISS, 'private']);
    }
  });
});

it('tags and conditions may look at who is asking: the page does not depend on it', async () => {
  const options = {
    tags: (req: { user?: { name: string } }) => [`seen:${req.user?.name ?? 'nobody'}`],
    condition: (req: { session?: object | null }) => req.session !== null,
  };
  const port = await listen(
    site(
      'memory',
      answering(() => 'the same'),
      options as object,
    ),
  );
  const verdicts: string[] = [];
  for (const headers of [{ Cookie: 'sid=ann' }, {}, { Cookie: 'sid=bob' }]) {
    verdicts.push(verdict(await ask(port, '/cached', { headers })));
  }
  expect(verdicts).toEqual([STORED, HIT, HIT]);
});
