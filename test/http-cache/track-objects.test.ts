import { spawnSync } from 'node:child_process';
import http2 from 'node:http2';
import { Agent, get, IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import { programFile } from '../support/programs.ts';
import { ask, HIT, listen, MISS, verdict } from './support.ts';
import { gate, until } from '../support/waiting.ts';
import { cacheOf } from './security.ts';
import { identify, type Known } from './visitors.ts';

/** V8's own word on whether the properties of an object are where its hidden class says. */
function isFast(object: object): boolean {
  setFlagsFromString('--allow-natives-syntax');
  const ask = runInThisContext('(object) => %HasFastProperties(object)') as (object: object) => boolean;
  return ask(object);
}

/** What a handler could notice of a request and its response. */
function appearance(req: Known, res: Response): unknown {
  const isKept = (name: string): boolean => name !== 'route'; // Which path was asked for.
  const inherited = ['get', 'ip', 'ips', 'protocol', 'hostname', 'headers', 'rawHeaders', 'nothing'];
  return {
    keys: Object.keys(req).filter(isKept),
    names: Object.getOwnPropertyNames(req).filter((name) => isKept(name) && !inherited.includes(name)).length > 10,
    locals: [Object.keys(res.locals), JSON.stringify(res.locals), Object.getPrototypeOf(res.locals)],
    isRequest: [req instanceof IncomingMessage, req.res === res, res.req === (req as unknown)],
    has: inherited.map((name) => name in req),
    values: [req.ip, req.ips, req.protocol, req.hostname, JSON.stringify(req.session), req.user, req.account],
    headers: [JSON.stringify(req.headers), Object.keys(req.headers), req.headers === req.headers, { ...req.headers }],
    own: ['cookie', 'toString', 'x'].map((name) => [name in req.headers, Object.hasOwn(req.headers, name)]),
    kinds: [typeof req.headers, Array.isArray(req.rawHeaders), req.headers instanceof Object],
    symbols: Object.getOwnPropertySymbols(req.headers).length,
    types: [
      Object.prototype.toString.call(req.headers),
      typeof req.session,
      req.socket === res.socket,
      req.socket.remoteAddress,
    ],
  };
}

/** What a handler could do to them. */
function manners(req: Known, res: Response): unknown {
  const done: unknown[] = [];
  const attempt = (call: () => unknown): void => {
    try {
      done.push(call());
    } catch (error) {
      done.push((error as Error).name);
    }
  };
  const session = { cookie: {}, user: 'new' };
  attempt(() => ((req.session = session), req.session === session));
  attempt(() => (delete req.session, 'session' in req));
  attempt(() => ((req.session = session), Object.keys(req).includes('session')));
  attempt(() => (Object.assign(req, { ip: 'x' }), req.ip));
  attempt(() => ((req as { rawHeaders: string[] }).rawHeaders = ['a', 'b'])[0]);
  attempt(() => ((req.headers['x-new'] = '1'), req.get('X-New')));
  attempt(() => (delete req.headers['x-new'], req.get('X-New')));
  attempt(() => ((req.headers = { host: 'other' }), req.get('Host')));
  attempt(() => Object.isFrozen(Object.freeze({ ...req.headers })));
  attempt(() => ((res.locals['user'] = 'other'), JSON.stringify(res.locals)));
  attempt(() => ((res.locals = { a: 1 }), res.locals['a']));
  attempt(() => {
    const heir = Object.create(req) as Known;
    heir.user = { name: 'heir' };
    return [heir.user.name, req.user?.name];
  });
  attempt(() => ((req.account = 'ignored'), req.account));
  return done;
}

function twice(look: (req: Known, res: Response) => unknown): { app: Express; seen: unknown[] } {
  const seen: unknown[] = [];
  const handler: RequestHandler = (req, res) => {
    seen.push(look(req as Known, res));
    res.end();
  };
  const app = express();
  app.use(identify);
  app.get('/plain', handler);
  app.get('/cached', cacheOf(), handler);
  return { app, seen };
}

describe('a request that is watched', () => {
  it.each([
    ['looks', appearance],
    ['behaves', manners],
  ])('%s like one that is not', async (_name, look) => {
    for (const headers of [{}, { Cookie: 'sid=ann', 'X-A': ['1', '2'] }]) {
      const { app, seen } = twice(look);
      const port = await listen(app);
      for (const path of ['/plain', '/cached']) await ask(port, path, { headers });
      expect(seen).toHaveLength(2);
      expect(seen[1]).toEqual(seen[0]);
    }
  });

  it('is itself, and a hit is not watched at all', async () => {
    const app = express();
    const { passed, open } = gate();
    const watched: boolean[] = [];
    const isWatched = (req: Request): boolean => Object.hasOwn(req, 'headers') || Object.hasOwn(req, 'ip');
    app.use((req, res, next) => {
      res.on('close', () => {
        watched.push(isWatched(req));
        open();
      });
      watched.push(isWatched(req));
      next();
    });
    app.get('/', cacheOf(), (_req, res) => res.send('x'));
    const port = await listen(app);
    await ask(port, '/');
    await passed;
    expect(verdict(await ask(port, '/'))).toBe(HIT);
    await until(() => watched.length === 4);
    expect([watched[0], ...watched.slice(2)]).toEqual([false, false, false]);
  });

  it('leaves its connection as fast as it was: V8 does not keep it as a dictionary', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const connections: { socket: Socket; isFast: boolean }[] = [];
    const app = express();
    app.use((req, _res, next) => {
      connections.push({ socket: req.socket, isFast: isFast(req.socket) });
      next();
    });
    app.get('/:id', cacheOf(), (req, res) => res.send(`for ${String(req.ip)}`));
    const port = await listen(app);
    for (const path of ['/1', '/2', '/1']) {
      await new Promise<void>((resolve, reject) => {
        get({ port, path, agent }, (response) => response.resume().once('end', resolve)).once('error', reject);
      });
    }
    agent.destroy();
    expect(new Set(connections.map(({ socket }) => socket)).size).toBe(1);
    expect(connections.map(({ isFast }) => isFast)).toEqual([true, true, true]);
  });

  it('has what another put on its connection watched as well, and what is put there later left alone', async () => {
    const app = express();
    const seen: unknown[] = [];
    app.use((req, _res, next) => {
      Object.defineProperty(req.socket, 'remoteAddress', { value: 'told by a proxy', configurable: true });
      next();
    });
    let runs = 0;
    app.get('/', cacheOf(), (req, res) => {
      seen.push(req.socket.remoteAddress);
      res.send(String(++runs));
    });
    const port = await listen(app);
    for (let i = 0; i < 2; i++) await ask(port, '/');
    expect(seen).toEqual(['told by a proxy', 'told by a proxy']);
  });
});

describe('a request through two caches', () => {
  it('is watched by both where something was put around what the first one watches', async () => {
    const app = express();
    app.use(identify);
    app.get('/', cacheOf(), around, cacheOf(), (req, res) => void res.send(`for ${String((req as Known).user?.name)}`));
    const port = await listen(app);
    for (const name of ['ann', 'bob']) {
      const response = await ask(port, '/', { headers: { Cookie: `sid=${name}` } });
      expect(response.text).toBe(`for ${name}`);
      expect(verdict(response)).toBe(`${MISS}, ${MISS}`);
    }
  });

  const around: RequestHandler = (req, _res, next) => {
    const { get } = Object.getOwnPropertyDescriptor(req, 'user') ?? {};
    const user = (req as Known).user;
    Object.defineProperty(req, 'user', {
      configurable: true,
      get: () => (get === undefined ? user : (get.call(req) as unknown)),
    });
    next();
  };
});

describe('a request of a request', () => {
  /** What a handler reads through an object that inherits from its request, behind a cache of its own. */
  it.each<[string, (req: Known) => unknown]>([
    ['a property', (req) => req.user?.name],
    ['a header', (req) => req.headers.cookie],
    ['all headers', (req) => JSON.stringify(req.rawHeaders)],
    ['the session', (req) => req.session?.user],
  ])('tells of its readings as well, through two caches: %s', async (_name, read) => {
    const inner = cacheOf();
    const app = express();
    app.use(identify);
    app.get('/', cacheOf(), (req, res, next) => {
      const heir = Object.create(req) as Request;
      inner(heir, res, (error: unknown) => {
        if (error !== undefined) return next(error);
        res.send(`${heir.protocol} ${heir.hostname} ${String(heir.headers.host)} ${String(read(heir as Known))}`);
      });
    });
    const port = await listen(app);
    for (const name of ['ann', 'bob', 'ann']) {
      const response = await ask(port, '/', { headers: { Cookie: `sid=${name}` } });
      expect(response.text).toMatch(/^http 127\.0\.0\.1 127\.0\.0\.1:\d+ /);
      expect(response.text).toContain(name);
      expect(verdict(response)).not.toBe(HIT);
    }
  });

  it('finds what was stored for those who bring no more', async () => {
    const inner = cacheOf();
    let runs = 0;
    const app = express();
    app.use(identify);
    app.get('/', (req, res, next) => {
      inner(Object.create(req) as Request, res, (error: unknown) =>
        error === undefined ? res.send(String(++runs)) : next(error),
      );
    });
    const port = await listen(app);
    const texts: string[] = [];
    for (let i = 0; i < 2; i++) texts.push((await ask(port, '/')).text);
    expect(texts).toEqual(['1', '1']);
  });
});

/** How two users who share nothing but a cache are answered. */
async function forTwo(handler: RequestHandler, before: RequestHandler): Promise<string[]> {
  const app = express();
  app.use(before);
  app.get('/', cacheOf(), handler);
  const port = await listen(app);
  const texts: string[] = [];
  for (const name of ['ann', 'bob']) texts.push((await ask(port, '/', { headers: { 'X-Who': name } })).text);
  return texts;
}

describe('what cannot be watched counts as read', () => {
  const who = (req: Request): string => String(req.headers['x-who']);

  it.each<[string, (req: Request, res: Response) => void, (req: Known, res: Response) => unknown]>([
    [
      'a property',
      (req) => void Object.defineProperty(req, 'oidc', { value: who(req) }),
      (req) => (req as never)['oidc'],
    ],
    [
      'a local',
      (req, res) => void Object.assign(res, { locals: Object.freeze({ user: who(req) }) }),
      (_req, res) => res.locals['user'],
    ],
    [
      'the headers',
      (req) => void Object.defineProperty(req, 'headers', { value: { ...req.headers, cookie: who(req) } }),
      (req) => req.headers.cookie,
    ],
    ['frozen headers', (req) => void Object.freeze(req.headers), (req) => req.headers['x-who']],
  ])('%s', async (_name, prepare, read) => {
    const answers = await forTwo(
      (req, res) => void res.send(String(read(req as Known, res))),
      (req, res, next) => {
        prepare(req, res);
        next();
      },
    );
    expect(answers).toEqual(['ann', 'bob']);
  });
});

it('the address of the connection counts as much as req.ip', async () => {
  const app = express();
  let runs = 0;
  app.get('/', cacheOf(), (req, res) => {
    res.send(`${++runs} for ${req.socket.remoteAddress}`);
  });
  const port = await listen(app);
  for (const run of [1, 2]) {
    const answer = await ask(port, '/');
    expect([answer.text, verdict(answer)]).toEqual([`${run} for 127.0.0.1`, MISS]);
  }
});

it('a user who is found behind the cache is seen as well', async () => {
  const app = express();
  const authenticate: RequestHandler = (req, res, next) => {
    if (req.headers.authorization === undefined) return void res.status(401).end();
    Object.assign(req, { user: { name: req.headers.authorization } });
    return next();
  };
  const inner = express.Router();
  inner.get('/page', authenticate, (req, res) => void res.send((req as unknown as Known).user?.name));
  const parent = express();
  parent.use('/sub', inner);
  app.use(cacheOf(), parent);
  const port = await listen(app);
  const texts: string[] = [];
  for (const name of ['ann', 'bob', 'ann']) {
    texts.push((await ask(port, '/sub/page', { headers: { Authorization: name } })).text);
  }
  expect([...texts, (await ask(port, '/sub/page')).status]).toEqual(['ann', 'bob', 'ann', 401]);
});

describe('over HTTP/2', () => {
  /** Express knows HTTP/1 requests only: its own methods, on those of HTTP/2. */
  function bridged(app: Express): Express {
    for (const [ours, theirs] of [
      [app.request, http2.Http2ServerRequest.prototype],
      [app.response, http2.Http2ServerResponse.prototype],
    ] as const) {
      const methods = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(ours) as object);
      Object.setPrototypeOf(ours, Object.create(theirs, methods) as object);
    }
    return app;
  }

  it('nobody sees the page of another, and what is for all is shared', async () => {
    const app = bridged(express());
    let runs = 0;
    const cache = cacheOf();
    app.get('/same', cache, (_req, res) => void res.end(`run ${++runs}`));
    app.get('/own', cache, (req, res) => void res.end(`cookie ${req.headers.cookie}`));
    app.get(
      '/from',
      cache,
      (req, res) => void res.end(`port ${req.socket.remotePort}, address ${req.socket.remoteAddress}`),
    );
    const server = http2.createServer(app as never).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const session = http2.connect(url);
    const get = async (path: string, cookie?: string, by = session): Promise<string> => {
      const stream = by.request({ ':path': path, ...(cookie !== undefined && { cookie }) });
      let text = '';
      for await (const chunk of stream.setEncoding('utf8')) text += String(chunk);
      return text;
    };
    for (const cookie of ['ann', 'bob', 'ann']) {
      expect(await get('/same', cookie)).toBe('run 1');
      expect(await get('/own', cookie)).toBe(`cookie ${cookie}`);
    }
    const other = http2.connect(url);
    const ports = [await get('/from'), await get('/from', undefined, other)];
    expect(ports[0]).not.toBe(ports[1]);
    other.close();
    session.close();
    server.close();
  });
});

describe('in development', () => {
  const program = `
    import express from 'express';
    import { createSuite } from ${JSON.stringify(pathToFileURL(programFile('src/index.ts')).href)};
    const suite = createSuite({ backend: 'memory' });
    const app = express();
    app.get('/page/:id', suite.cache({ ttl: '1m' }), (req, res) => res.send(req.get('Accept-Language') + req.get('X-Tenant') + req.ip));
    app.get('/none', suite.cache({ ttl: '1m' }), (req, res) => res.send('x'));
    const server = app.listen(0, async () => {
      const at = 'http://127.0.0.1:' + server.address().port;
      for (const path of ['/page/1', '/page/2', '/none']) await fetch(at + path);
      server.close();
      await suite.close();
    });`;

  it.each([
    ['development', 1],
    ['production', 0],
  ])('a warning tells once for a route what is read undeclared: in %s %d of them', (NODE_ENV, count) => {
    const options = { encoding: 'utf8', env: { ...process.env, NODE_ENV, NODE_OPTIONS: '' } } as const;
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], options);
    const warnings = stderr.split('\n').filter((line) => line.includes('ExpressRedisSuiteWarning'));
    expect(warnings).toHaveLength(count);
    for (const line of warnings) {
      expect(line).toContain('/page/:id reads the header accept-language');
      expect(line).toContain('req.ip');
      expect(line).not.toContain('host');
    }
  });
});
