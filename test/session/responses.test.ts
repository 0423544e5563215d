import { describe, expect, it } from '@jest/globals';
import { sign } from 'cookie-signature';
import type { Express, Request, Response } from 'express';
import { ConfigError, type SessionOptions, type Suite } from '../../src/index.ts';
import { listen, openSuite } from '../http-cache/support.ts';
import { appWith, type Browser, browser, SECRET } from './support.ts';

type Handler = (req: Request, res: Response) => unknown;

interface Application {
  readonly suite: Suite;
  readonly user: Browser;
}

async function start(
  handlers: Readonly<Record<string, Handler>>,
  options: SessionOptions = {},
  before: (app: Express, suite: Suite) => void = () => undefined,
): Promise<Application> {
  const suite = openSuite('memory', { session: { secret: SECRET, maxBytes: '1kb', ...options } });
  const app = appWith(
    (_req, _res, next) => next(),
    (app) => {
      before(app, suite);
      app.use(suite.session());
      for (const [path, handler] of Object.entries(handlers)) app.use(`/${path}`, handler);
    },
  );
  return { suite, user: browser(await listen(app)) };
}

const put: Handler = (req, res) => {
  req.session.value = 1;
  res.send('put');
};

const tooLarge: Handler = (req, res) => {
  req.session.value = 'x'.repeat(2_000);
  res.statusMessage = 'Kept';
  res.set({ 'X-Handler': 'yes', Date: 'never', Connection: 'close' }).cookie('other', '1').status(201).send('saved');
};

describe('a response with a session', () => {
  it.each<[string, unknown]>([
    ['an object', { 'Set-Cookie': 'other=1', 'Cache-Control': 'public, max-age=60', Vary: 'Accept' }],
    ['a list', ['Set-Cookie', 'other=1', 'Cache-Control', 'public, max-age=60', 'Vary', 'Accept']],
    [
      'pairs',
      [
        ['Set-Cookie', 'other=1'],
        ['Cache-Control', 'public, max-age=60'],
        ['Vary', 'Accept'],
      ],
    ],
  ])('keeps its cookie, and is private, when its handler writes its headers as %s', async (_form, headers) => {
    const { user } = await start({
      put: (req, res) => {
        req.session.value = 1;
        res.writeHead(201, 'Made', headers as never);
        res.end('put');
      },
    });
    const answer = await user.ask('/put');
    expect([answer.status, answer.reason, answer.text]).toEqual([201, 'Made', 'put']);
    expect(answer.headers['set-cookie']).toEqual(['other=1', expect.stringMatching(/^sid=/)]);
    expect([answer.headers['cache-control'], answer.headers.vary]).toEqual(['private, max-age=60', 'Accept, Cookie']);
  });

  it('never puts its cookie into a list of cookies that the application uses again', async () => {
    const cookies = ['theme=dark'];
    const { user } = await start({ put }, {}, (app) => {
      app.use((_req, res, next) => {
        res.setHeader('Set-Cookie', cookies);
        next();
      });
    });
    expect((await user.ask('/put')).headers['set-cookie']).toHaveLength(2);
    expect(cookies).toEqual(['theme=dark']);
  });

  it('leaves nothing of itself behind when its session cannot be saved', async () => {
    const { user } = await start({ 'too-large': tooLarge }, {}, (app) => {
      app.use((_req, res, next) => {
        res.setHeader('Set-Cookie', ['theme=dark']);
        next();
      });
    });
    const { status, reason, text, headers } = await user.ask('/too-large');
    expect([status, reason, text]).toEqual([500, 'Internal Server Error', 'ERR_SESSION_TOO_LARGE']);
    expect(headers['set-cookie']).toEqual(['theme=dark']);
    expect([headers['x-handler'], headers['cache-control']]).toEqual([undefined, 'private']);
    expect(Date.parse(String(headers.date))).toBeGreaterThan(0);
  });

  it('is public where it may be, though the application has two of the middleware, or asks nobody', async () => {
    const { user } = await start({ put, plain: (_req, res) => res.send('plain') }, {}, (app, suite) => {
      app.use(suite.session());
    });
    await user.ask('/put');
    const { headers } = await user.ask('/plain');
    expect([headers['cache-control'], headers.vary]).toEqual([undefined, undefined]);
  });

  it('says to caches of every kind that it is private when it sets the cookie', async () => {
    const { user } = await start({
      put: (req, res) => {
        req.session.value = 1;
        res.set({
          'Cache-Control': 'public, max-age=60',
          'CDN-Cache-Control': 'max-age=600',
          'Surrogate-Control': 'max-age=600',
        });
        res.send('put');
      },
    });
    const { headers } = await user.ask('/put');
    expect([headers['cdn-cache-control'], headers['surrogate-control']]).toEqual(['private', undefined]);
    const again = (await user.ask('/put')).headers;
    expect([again['cache-control'], again['cdn-cache-control']]).toEqual(['public, max-age=60', 'max-age=600']);
  });

  it('ends once, however often its handler ends it', async () => {
    const errors: unknown[] = [];
    const twice: Handler = (req, res) => {
      res.on('error', (error) => errors.push(error));
      req.session.value = req.path;
      res.end('once');
      res.end('twice');
    };
    const { user } = await start({
      twice: twice,
      again: twice,
      'too-large': (req, res) => {
        tooLarge(req, res);
        res.end('twice');
      },
    });
    for (const path of ['/twice', '/twice', '/again']) expect((await user.ask(path)).text).toBe('once');
    expect((await user.ask('/too-large')).text).toBe('ERR_SESSION_TOO_LARGE');
    expect(errors).toEqual([]);
  });

  it('is answered, without a session, when its handler has put something else in place of the id', async () => {
    const { user, suite } = await start({
      bogus: (req, res) => {
        (req as { sessionID: unknown }).sessionID = () => 1;
        req.session.value = 1;
        res.send('done');
      },
    });
    const answer = await user.ask('/bogus');
    expect([answer.text, answer.headers['set-cookie'], await suite.sessionStore().length()]).toEqual([
      'done',
      undefined,
      0,
    ]);
  });

  it('has a session below its cookie’s path as it was asked for, whatever else the address says', async () => {
    const { user } = await start(
      { '': (req, res) => res.json((req as { session?: unknown }).session === undefined) },
      { cookie: { path: '/app' } },
    );
    const answers = [];
    for (const path of ['/app/x', '/app', '//host/app/x', '//', '/x/../app', '/other']) {
      answers.push((await user.ask(path)).text);
    }
    expect(answers).toEqual(['false', 'false', 'true', 'true', 'true', 'true']);
  });

  it('tells what the application’s own functions throw, as it is', async () => {
    let mayFail = false;
    const { user } = await start(
      { put },
      {
        genid: () => {
          if (mayFail) throw new RangeError('no more ids');
          return `id-${Math.random()}`;
        },
      },
    );
    await user.ask('/put');
    mayFail = true;
    const unknown = `s:${sign('A'.repeat(32), SECRET)}`;
    user.cookies.set('sid', encodeURIComponent(unknown));
    expect(await user.ask('/put')).toMatchObject({ status: 500, text: 'RangeError' });
  });
});

describe('the cookie of a session', () => {
  it('is found beside others of its name that nobody has signed', async () => {
    const { user } = await start({ put, show: (req, res) => res.json(req.session.value ?? null) });
    await user.ask('/put');
    const sid = user.cookies.get('sid');
    for (const cookie of [`sid=evil; sid=${sid}`, `sid=s%3Aevil.x; a=b; sid=${sid}`, `sid="s:x.y";sid=${sid}; sid=z`]) {
      user.cookies.clear();
      expect((await user.ask('/show', { headers: { cookie } })).text).toBe('1');
    }
  });

  it('is signed with bytes as well as with text', async () => {
    const bytes = Buffer.alloc(32, 7);
    const { user } = await start({ put, show: (req, res) => res.json(req.session.value ?? null) }, { secret: [bytes] });
    await user.ask('/put');
    expect((await user.ask('/show')).text).toBe('1');
    expect(() => openSuite('memory').session({ secret: Buffer.alloc(31) })).toThrow(ConfigError);
  });

  it('lasts as long as the browser is open when its maxAge is null, as in express-session', async () => {
    const { user } = await start({ put }, { cookie: { maxAge: null } as never });
    expect((await user.ask('/put')).headers['set-cookie']?.[0]).not.toContain('Expires');
  });
});

describe('saving by hand', () => {
  it('and not waiting for it is no conflict with the end of the response', async () => {
    const { user } = await start(
      {
        put: (req, res) => {
          req.session.views = (req.session.views ?? 0) + 1;
          req.session.save();
          req.session.value = req.session.views;
          res.send('put');
        },
        show: (req, res) => res.json([req.session.views, req.session.value]),
      },
      { onConflict: 'reject' },
    );
    for (const views of [1, 2, 3]) {
      expect((await user.ask('/put')).text).toBe('put');
      expect((await user.ask('/show')).text).toBe(JSON.stringify([views, views]));
    }
  });

  it('of a request without a session says what is missing', async () => {
    const messages: string[] = [];
    const { user, suite } = await start({
      none: async (req, res) => {
        (req as { session: unknown }).session = null;
        for (const step of [() => suite.sessions.login(req, 'ada'), () => suite.sessions.logoutOthers(req)]) {
          await step().catch((error: Error) => messages.push(error.message));
        }
        res.end();
      },
    });
    await user.ask('/none');
    expect(messages).toEqual([expect.stringContaining('no session'), expect.stringContaining('no session')]);
  });
});
