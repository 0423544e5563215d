import { describe, expect, it } from '@jest/globals';
import { RedisStore } from 'connect-redis';
import expressSession from 'express-session';
import {
  ConfigError,
  createSessionManager,
  createSessionStore,
  createSuite,
  RedisSessionStore,
  session,
} from '../../src/index.ts';
import { listen } from '../http-cache/support.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { appWith, browser, SECRET } from './support.ts';

describe('parts composed by hand', () => {
  it('are one with those of a suite on the same connection and prefix', async () => {
    const place = { redis: testRedis(), prefix: uniquePrefix(), deadline: '2s' } as const;
    const middleware = session({ ...place, secret: SECRET, ttl: '1h' });
    const sessions = createSessionManager(place);
    const app = appWith(middleware, (app) => {
      app.post('/login', async (req, res) => {
        await sessions.login(req, 'ada');
        res.end();
      });
    });
    await browser(await listen(app)).ask('/login', { method: 'POST' });
    const suite = createSuite(place);
    expect([await suite.sessions.count('ada'), await createSessionStore(place).length()]).toEqual([1, 1]);
    expect(() => session({ ...place, secret: SECRET, ttl: '2h' })).toThrow(ConfigError);
    await suite.close();
  });

  it('serve an express-session of one’s own, also one set up for connect-redis', async () => {
    const store = createSessionStore({ redis: testRedis(), prefix: uniquePrefix(), deadline: '2s' });
    expect(store).toBeInstanceOf(RedisStore);
    expect(store).toBeInstanceOf(RedisSessionStore);
    const middleware = expressSession({ store, secret: SECRET, resave: false, saveUninitialized: false });
    const app = appWith(middleware, (app) => {
      app.get('/view', (req, res) => {
        req.session.views = (req.session.views ?? 0) + 1;
        res.json(req.session.views);
      });
    });
    const user = browser(await listen(app));
    expect([(await user.ask('/view')).text, (await user.ask('/view')).text]).toEqual(['1', '2']);
    expect(await store.length()).toBe(1);
  });
});
