import { expect, it } from '@jest/globals';
import { createSuite } from '../../src/index.ts';
import { listen } from '../http-cache/support.ts';
import { closedLater, testRedis, uniquePrefix } from '../support/connections.ts';
import { Redis } from 'ioredis';
import { reservePort } from '../support/redis-server.ts';
import { appWith, browser, SECRET } from './support.ts';

const NOTHING = {
  created: 0,
  loaded: 0,
  saved: 0,
  touched: 0,
  destroyed: 0,
  expired: 0,
  gone: 0,
  corrupt: 0,
  conflicts: 0,
  errors: 0,
};

it('suite.stats() counts what happens to sessions', async () => {
  const redis = testRedis();
  const prefix = uniquePrefix();
  const session = { secret: SECRET, touchInterval: 0, onConflict: 'reject' } as const;
  const suite = createSuite({ redis, prefix, deadline: '2s', session });
  const app = appWith(suite.session(), (app) => {
    app.get('/put/:value', (req, res) => {
      req.session.value = req.params.value;
      res.end();
    });
    app.get('/read', (req, res) => {
      res.json(req.session.value ?? null);
    });
    app.get('/race/:how', async (req, res) => {
      const key = `${prefix}:sess:${(await suite.sessions.fromRequest(req))?.handle}`;
      if (req.params.how === 'end') await redis.del(key);
      else await redis.hset(key, '.value', '"theirs"');
      req.session.value = 'ours';
      res.end();
    });
    app.get('/corrupt', async (req, res) => {
      await redis.hset(`${prefix}:sess:${(await suite.sessions.fromRequest(req))?.handle}`, '.value', '{');
      res.end();
    });
    app.get('/destroy', (req, res) => {
      req.session.destroy(() => res.end());
    });
  });
  const { ask, cookies } = browser(await listen(app));
  expect(suite.stats().sessions).toEqual(NOTHING);
  await ask('/put/1');
  await ask('/put/2');
  await ask('/read');
  expect(suite.stats().sessions).toMatchObject({ created: 1, loaded: 2, saved: 1 });
  expect((await ask('/race/change')).status).toBe(409);
  await ask('/destroy');
  await ask('/put/3');
  await ask('/race/end');
  cookies.clear();
  await ask('/put/4');
  await ask('/corrupt');
  await ask('/read');
  const counted = suite.stats().sessions;
  expect(counted).toMatchObject({ created: 3, saved: 1, destroyed: 1, gone: 1, corrupt: 1, conflicts: 1, errors: 0 });
  expect(counted.touched).toBeGreaterThan(0);
  await suite.close();
});

it('suite.stats() counts what Redis failed', async () => {
  const redis = closedLater(new Redis(await reservePort(), '127.0.0.1'));
  const suite = createSuite({ redis, prefix: uniquePrefix(), session: { secret: SECRET } });
  await expect(suite.sessions.get('A'.repeat(43))).rejects.toThrow('Redis');
  expect(suite.stats().sessions).toEqual({ ...NOTHING, errors: 1 });
  await suite.close();
});
