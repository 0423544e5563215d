import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import express from 'express';
import { programFile } from '../support/programs.ts';
import { ask, listen, openSuite, verdict } from './support.ts';

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

describe('a user whom only the session knows', () => {
  it('keeps responses from being stored, and `debug` says why', async () => {
    const suite = openSuite('memory');
    const app = express();
    app.use(suite.session({ secret: 'a secret that is long enough for this', cookie: { secure: false } }));
    const user = (req: express.Request): string => String(req.session.id);
    app.get('/', suite.cache({ ttl: '1m', user, cacheStatus: 'debug' }), (_req, res) => res.send('x'));
    app.get('/none', suite.cache({ ttl: '1m', cacheStatus: 'debug' }), (_req, res) => res.send('x'));
    const port = await listen(app);
    for (let i = 0; i < 2; i++) {
      expect(verdict(await ask(port, '/'))).toBe('fwd=uri-miss; key="GET:/"; detail=session-used');
    }
    expect(verdict(await ask(port, '/none'))).toBe('fwd=uri-miss; stored; key="GET:/none"');
  });

  it('is told of in development, once for a route', () => {
    const program = `
      import express from 'express';
      import { createSuite } from ${JSON.stringify(pathToFileURL(programFile('src/index.ts')).href)};
      const suite = createSuite({ backend: 'memory' });
      const app = express();
      app.use(suite.session({ secret: 'a secret that is long enough for this', cookie: { secure: false } }));
      app.get('/mine/:id', suite.cache({ ttl: '1m', user: (req) => String(req.session.id) }), (req, res) => res.send('x'));
      app.get('/none', suite.cache({ ttl: '1m', user: () => 'ann' }), (req, res) => res.send('x'));
      const server = app.listen(0, async () => {
        const at = 'http://127.0.0.1:' + server.address().port;
        for (const path of ['/mine/1', '/mine/2', '/none']) await fetch(at + path);
        server.close();
        await suite.close();
      });`;
    const env = { ...process.env, NODE_ENV: 'development', NODE_OPTIONS: '' };
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', env });
    const warnings = stderr.split('\n').filter((line) => line.includes('The cached route'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/\/mine\/:id stores nothing .* user/);
  });
});
