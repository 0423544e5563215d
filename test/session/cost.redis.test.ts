import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SessionOptions } from '../../src/index.ts';
import { createSuite } from '../../src/index.ts';
import { listen } from '../http-cache/support.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { appWith, browser, SECRET } from './support.ts';

/** An application, and what it asks of Redis. */
async function counted(session: SessionOptions): Promise<{
  readonly user: ReturnType<typeof browser>;
  commandsOf(run: () => Promise<unknown>): Promise<string[]>;
}> {
  const redis = testRedis();
  const prefix = uniquePrefix();
  const suite = createSuite({ redis, prefix, deadline: '2s', session: { secret: SECRET, ...session } });
  const app = appWith(suite.session(), (app) => {
    app.post('/login', async (req, res) => {
      await suite.sessions.login(req, 'ada', { user: 'ada' });
      res.end();
    });
    app.get('/me', (req, res) => {
      res.send(req.session.user ?? 'nobody');
    });
    app.get('/view', (req, res) => {
      req.session.views = (req.session.views ?? 0) + 1;
      res.end();
    });
  });
  const user = browser(await listen(app));
  await redis.ping(); // Connected: a greeting is not counted.
  const seen: string[] = [];
  const send = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, ...rest) => {
    seen.push(command.name);
    return send(command, ...rest);
  };
  return {
    user,
    async commandsOf(run) {
      seen.length = 0;
      await run();
      await sleep(50); // What is done behind the response.
      return [...seen];
    },
  };
}

describe('what a request asks of Redis', () => {
  it('is one command when it has a session and changes nothing, two when it does, none without a cookie', async () => {
    const { user, commandsOf } = await counted({});
    expect(await commandsOf(() => user.ask('/me'))).toEqual([]);
    await user.ask('/login', { method: 'POST' });
    expect(await commandsOf(() => user.ask('/me'))).toEqual(['hgetall']);
    await user.ask('/view');
    expect(await commandsOf(() => user.ask('/view'))).toEqual(['hgetall', 'evalsha']);
    user.cookies.set('sid', 's%3Aforged.signature');
    expect(await commandsOf(() => user.ask('/me'))).toEqual([]);
  });

  it('is one command as well when its cookie has an end', async () => {
    const { user, commandsOf } = await counted({ cookie: { maxAge: 3_600_000 } });
    await user.ask('/login', { method: 'POST' });
    expect(await commandsOf(() => user.ask('/me'))).toEqual(['hgetall']);
  });

  it('is one more with strict revocation, in the same round trip', async () => {
    const { user, commandsOf } = await counted({ revocation: 'strict' });
    await user.ask('/login', { method: 'POST' });
    expect(await commandsOf(() => user.ask('/me'))).toEqual(['hgetall', 'zrangebyscore']);
  });

  it('is one in connect-redis’ format as well', async () => {
    const { user, commandsOf } = await counted({ format: 'json', connectRedisPrefix: uniquePrefix() });
    await user.ask('/login', { method: 'POST' });
    expect(await commandsOf(() => user.ask('/me'))).toEqual(['get']);
  });
});
