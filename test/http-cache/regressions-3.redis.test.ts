import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import express from 'express';
import { programFile } from '../support/programs.ts';
import { ask, HIT, listen, openSuite, PLACES, STORED, verdict } from './support.ts';

describe('what earlier middleware has put', () => {
  const asked = async (port: number, path: string, header: string): Promise<string[]> => {
    const texts: string[] = [];
    for (const who of ['ann', 'bob', '']) {
      texts.push((await ask(port, path, { headers: who === '' ? {} : { [header]: who } })).text);
    }
    return texts;
  };

  it('on the response itself is seen as well', async () => {
    const app = express();
    const cache = openSuite('memory').cache({ ttl: '1m' });
    let runs = 0;
    app.use((req, res, next) => {
      if (req.headers.cookie !== undefined) Object.assign(res, { user: req.headers.cookie });
      Object.assign(res, { succeed: (text: string) => res.send(text) });
      next();
    });
    app.get('/own', cache, (_req, res) => res.send((res as { user?: string }).user ?? 'nobody'));
    app.get('/same', cache, (_req, res) => (res as unknown as { succeed(text: string): void }).succeed(`${++runs}`));
    const port = await listen(app);
    expect(await asked(port, '/own', 'Cookie')).toEqual(['ann', 'bob', 'nobody']);
    expect(await asked(port, '/own', 'Cookie')).toEqual(['ann', 'bob', 'nobody']);
    expect(await asked(port, '/same', 'Cookie')).toEqual(['1', '1', '1']);
  });

  it.each([true, false])(
    'in the place of what Express says of a request stays there and counts (listed: %s)',
    async (enumerable) => {
      const app = express();
      app.use((req, _res, next) => {
        const tenant = req.get('X-Tenant');
        if (tenant !== undefined)
          Object.defineProperty(req, 'hostname', { value: tenant, configurable: true, enumerable });
        Object.defineProperty(req, 'protocol', { get: () => 'https', configurable: true, enumerable });
        next();
      });
      const cache = openSuite('memory').cache({ ttl: '1m' });
      app.get('/host', cache, (req, res) => res.send(req.hostname));
      app.get('/', cache, (req, res) => res.send(`${req.protocol}://${req.hostname}`));
      const port = await listen(app);
      for (let i = 0; i < 2; i++) {
        expect(await asked(port, '/', 'X-Tenant')).toEqual(['https://ann', 'https://bob', 'https://127.0.0.1']);
        expect(await asked(port, '/host', 'X-Tenant')).toEqual(['ann', 'bob', '127.0.0.1']);
      }
    },
  );
});

describe.each(PLACES)('on %s', (place) => {
  it('a header of earlier middleware that the handler has removed is not there on a hit, a 304 or a freshened response either', async () => {
    const app = express().disable('x-powered-by');
    app.use((_req, res, next) => {
      res.set({ 'X-Frame-Options': 'DENY', 'X-Other': 'stays' });
      next();
    });
    const send: express.RequestHandler = (_req, res) => {
      res.removeHeader('X-Frame-Options');
      res.set('ETag', '"v1"').send('x');
    };
    const suite = openSuite(place);
    app.get('/', suite.cache({ ttl: '1m' }), send);
    app.get('/stale', suite.cache({ policy: 'rfc9111' }), (req, res, next) => {
      res.set('Cache-Control', 'max-age=1').set('Age', '1');
      send(req, res, next);
    });
    const port = await listen(app);
    for (const path of ['/', '/stale']) {
      for (const headers of [{}, {}, { 'If-None-Match': '"v1"' }, {}]) {
        const answer = await ask(port, path, { headers });
        expect([answer.headers['x-frame-options'], answer.headers['x-other']]).toEqual([undefined, 'stays']);
      }
    }
  });
});

describe('clientTtl', () => {
  it('is for caches of one client where a further one could not tell requests apart as this does', async () => {
    const app = express();
    const { cache } = openSuite('memory');
    const options = { ttl: '1m', clientTtl: '10s' } as const;
    app.get('/key', cache(options), (req, res) => res.send(req.get('X-Api-Key') ?? 'nobody'));
    app.get('/cookie', cache({ ...options, cookies: ['theme'] }), (req, res) => res.send(req.headers.cookie));
    app.get('/absent', cache(options), (req, res) => res.send(req.headers.cookie ?? 'nobody'));
    app.get('/named', cache(options), (req, res) => res.vary('X-Tenant').send(req.get('X-Tenant') ?? 'none'));
    const port = await listen(app);
    for (const [path, headers, expected] of [
      ['/key', { 'X-Api-Key': 'ann' }, 'private, max-age=10'],
      ['/cookie', { Cookie: 'theme=dark' }, 'private, max-age=10'],
      ['/absent', {}, 'private, max-age=10'],
      ['/named', {}, 'max-age=10'],
    ] as const) {
      for (const known of [STORED, HIT]) {
        const answer = await ask(port, path, { headers });
        expect([path, verdict(answer), answer.headers['cache-control']]).toEqual([path, known, expected]);
      }
    }
  });
});

describe('a user whom only the session knows', () => {
  it('keeps responses from being stored, and `debug` says why', async () => {
    const suite = openSuite('memory');
    const app = express();
    app.use(suite.session({ secret: 'a secret that is long enough for this', cookie: { secure: false } }));
    const user = (req: express.Request): string => req.session.id;
    app.get('/', suite.cache({ ttl: '1m', user, cacheStatus: 'debug' }), (_req, res) => res.send('x'));
    app.get('/none', suite.cache({ ttl: '1m', cacheStatus: 'debug' }), (_req, res) => res.send('x'));
    const port = await listen(app);
    for (let i = 0; i < 2; i++) {
      expect(verdict(await ask(port, '/'))).toBe('fwd=uri-miss; key="GET:/"; detail=session-used');
    }
    expect(verdict(await ask(port, '/none'))).toBe('fwd=uri-miss; stored; key="GET:/none"');
  });

  it('is told of in development, once for a route, and so are two routes that share an entry', () => {
    const program = `
      import express from 'express';
      import { createSuite } from ${JSON.stringify(pathToFileURL(programFile('src/index.ts')).href)};
      const suite = createSuite({ backend: 'memory' });
      const app = express();
      app.use(suite.session({ secret: 'a secret that is long enough for this', cookie: { secure: false } }));
      app.get('/mine/:id', suite.cache({ ttl: '1m', user: (req) => String(req.session.id) }), (req, res) => res.send('x'));
      app.get('/none', suite.cache({ ttl: '1m', user: () => 'ann' }), (req, res) => res.send('x'));
      const cached = suite.cache({ ttl: '1m', query: [] });
      app.get('/home', (req, res, next) => next(req.query.member === '' ? undefined : 'route'), cached, (req, res) => res.send('x'));
      app.get('/home', cached, (req, res) => res.send('x'));
      const server = app.listen(0, async () => {
        const at = 'http://127.0.0.1:' + server.address().port;
        for (const path of ['/mine/1', '/mine/2', '/none', '/home?member', '/home', '/home']) await fetch(at + path);
        server.close();
        await suite.close();
      });`;
    const env = { ...process.env, NODE_ENV: 'development', NODE_OPTIONS: '' };
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', env });
    const warnings = stderr.split('\n').filter((line) => line.includes('ExpressRedisSuiteWarning'));
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch(/\/mine\/:id stores nothing .* user/);
    expect(warnings[1]).toContain('Two cached routes /home answer one URL');
  });
});
