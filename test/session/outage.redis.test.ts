import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import http from 'node:http';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSuite, type Suite, type SuiteOptions } from '../../src/index.ts';
import { listen } from '../http-cache/support.ts';
import { gate } from '../support/waiting.ts';
import { closedLater, uniquePrefix } from '../support/connections.ts';
import { answered, eventually } from '../support/outages.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { openPatient, survive } from './failover.ts';
import { appWith, type Browser, browser, SECRET } from './support.ts';

let server: RedisProcess;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

interface Application {
  readonly suite: Suite;
  readonly redis: Redis;
  readonly port: number;
  readonly gate: ReturnType<typeof gate>;
  open(): Browser;
}

async function start(session: NonNullable<SuiteOptions['session']> = {}): Promise<Application> {
  const redis = closedLater(new Redis(server.port, server.host, { retryStrategy: () => 20 }));
  const suite = createSuite({ redis, prefix: uniquePrefix(), session: { secret: SECRET, ...session } });
  const waiting = gate();
  const app = appWith(suite.session(), (app) => {
    app.post('/login', async (req, res) => {
      await suite.sessions.login(req, 'ada', { user: 'ada' });
      res.send('welcome');
    });
    app.post('/put', (req, res) => {
      req.session.value = 1;
      res.set('X-Handler', 'yes').cookie('other', '1').status(201).send('saved');
    });
    app.get('/me', (req, res) => {
      res.send(req.session.user ?? 'nobody');
    });
    app.post('/logout', async (req, res) => {
      await suite.sessions.logout(req);
      res.send('bye');
    });
    app.post('/logout-others', async (req, res) => {
      res.json(await suite.sessions.logoutOthers(req));
    });
    app.post('/destroy', (req, res) => {
      req.session.destroy(undefined as never);
      res.send('bye');
    });
    app.post('/destroy-late', async (req, res) => {
      req.session.destroy(undefined as never);
      await waiting.passed;
      await sleep(400);
      res.send('bye');
    });
    app.post('/destroy-told', (req, res) => {
      req.session.destroy((error: Error | null) => res.send(error ? 'failed' : 'bye'));
    });
    app.post('/odd-cookie', (req, res) => {
      req.session.value = 'odd';
      Object.assign(req.session.cookie, { domain: 'no;domain', maxAge: 60_000 });
      res.send('done');
    });
    app.post('/regenerate', (req, res) => {
      req.session.regenerate(undefined as never);
      res.send('done');
    });
    app.get('/stream', async (req, res) => {
      res.write('first');
      await waiting.passed;
      await sleep(20);
      req.session.value = 2;
      res.end('last');
    });
  });
  await answered(redis);
  const port = await listen(app);
  return { suite, redis, port, gate: waiting, open: () => browser(port) };
}

/** Makes Redis unwilling, runs a step, and makes it well again. */
const OUTAGES = {
  frozen: {
    begin: async () => server.freeze(),
    end: async () => server.thaw(),
  },
  killed: {
    begin: () => server.kill(),
    end: () => server.restart(),
  },
  'read-only': {
    begin: async (admin: Redis) => void (await admin.replicaof('127.0.0.1', 1)),
    end: async (admin: Redis) => void (await admin.replicaof('NO', 'ONE')),
  },
  full: {
    begin: async (admin: Redis) => void (await admin.config('SET', 'maxmemory', 1)),
    end: async (admin: Redis) => void (await admin.config('SET', 'maxmemory', 0)),
  },
};

describe.each(Object.entries(OUTAGES))('when Redis is %s', (name, outage) => {
  async function during<T>({ redis }: Application, step: () => Promise<T>): Promise<T> {
    const admin = closedLater(new Redis(server.port, server.host));
    await admin.ping();
    await outage.begin(admin);
    try {
      return await step();
    } finally {
      await outage.end(admin);
      await answered(redis);
      await sleep(300); // The circuit's next probe.
    }
  }

  it('nobody is told that something was saved that was not, nor given a cookie for it', async () => {
    const application = await start();
    const user = application.open();
    await during(application, async () => {
      const put = await user.ask('/put', { method: 'POST' });
      expect([put.status, put.text]).toEqual([503, 'ERR_SESSION_UNAVAILABLE']);
      expect([put.headers['x-handler'], put.headers['set-cookie']]).toEqual([undefined, undefined]);
      const login = await user.ask('/login', { method: 'POST' });
      expect([login.status, login.headers['set-cookie']]).toEqual([503, undefined]);
    });
    const login = await user.ask('/login', { method: 'POST' });
    expect([login.status, (await user.ask('/me')).text]).toEqual([200, 'ada']);
  });

  it('nobody is told to be logged out who is not', async () => {
    const application = await start();
    const user = application.open();
    await user.ask('/login', { method: 'POST' });
    await during(application, async () => {
      const out = await user.ask('/logout', { method: 'POST' });
      expect(out.status).toBe(name === 'full' ? 200 : 503); // A full server still deletes.
      const again = await user.ask('/login', { method: 'POST' });
      expect([again.status, again.headers['set-cookie']]).toEqual([503, undefined]);
    });
  });

  it('nobody is told to be logged out whose handler has not waited for it', async () => {
    const application = await start();
    const users = await Promise.all(
      ['/destroy', '/destroy-late'].map(async (path) => {
        const user = application.open();
        await user.ask('/login', { method: 'POST' });
        return { path, user };
      }),
    );
    await during(application, async () => {
      application.gate.open();
      for (const { path, user } of users) {
        expect((await user.ask(path, { method: 'POST' })).status).toBe(name === 'full' ? 200 : 503);
      }
    });
  });

  it('nothing else fails with it: not a cookie that cannot be sent, nor what nobody waits for', async () => {
    const application = await start();
    const user = application.open();
    await user.ask('/login', { method: 'POST' });
    await during(application, async () => {
      expect((await user.ask('/odd-cookie', { method: 'POST' })).status).toBeGreaterThanOrEqual(500);
      await user.ask('/regenerate', { method: 'POST' });
      await sleep(400); // Longer than the deadline.
    });
  });

  it('a response that streams already is cut off when its session cannot be saved', async () => {
    const application = await start();
    const user = application.open();
    await user.ask('/login', { method: 'POST' });
    const cookie = `sid=${user.cookies.get('sid')}`;
    const request = http.get({ port: application.port, host: '127.0.0.1', path: '/stream', headers: { cookie } });
    const response = await new Promise<http.IncomingMessage>((resolve) => request.once('response', resolve));
    response.on('error', () => undefined);
    let text = '';
    response.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await during(application, async () => {
      application.gate.open();
      await new Promise((resolve) => response.once('close', resolve));
    });
    expect([response.statusCode, response.complete, text]).toEqual([200, false, 'first']);
  });
});

describe.each(['read-only', 'full'] as const)('when Redis is %s, a request that has a session', (name) => {
  it.each(['fail', 'anonymous'] as const)(
    'reads it, saves nothing, and is well afterwards (%s)',
    async (onRedisError) => {
      const application = await start({ onRedisError });
      const user = application.open();
      await user.ask('/login', { method: 'POST' });
      const admin = closedLater(new Redis(server.port, server.host));
      await OUTAGES[name].begin(admin);
      try {
        expect((await user.ask('/me')).text).toBe('ada');
        const put = await user.ask('/put', { method: 'POST' });
        expect([put.status, put.text, put.headers['set-cookie']]).toEqual([503, 'ERR_SESSION_UNAVAILABLE', undefined]);
      } finally {
        await OUTAGES[name].end(admin);
        await answered(application.redis);
      }
      expect((await user.ask('/put', { method: 'POST' })).status).toBe(201);
      expect((await user.ask('/me')).text).toBe('ada');
    },
  );
});

describe('when Redis is loading what it has kept', () => {
  /** A server that takes two seconds for its keys, unless it is told to hurry. */
  const SLOW = ['--key-load-delay', '2000', '--loading-process-events-interval-bytes', '1024'];
  let slow: RedisProcess;
  beforeAll(async () => {
    slow = await startRedis(SLOW);
  });
  afterAll(() => slow.stop());

  it('requests fail, or go on as nobody, nothing is saved, and everybody is who they were afterwards', async () => {
    const connect = (): Redis =>
      closedLater(new Redis(slow.port, slow.host, { retryStrategy: () => 20, enableReadyCheck: false }));
    const [redis, admin] = [connect(), connect()];
    const patient = await openPatient(redis);
    for (let i = 0; i < 1_000; i++) void admin.set(`filler:${i}`, 'x'.repeat(100));
    await admin.save();
    await survive(patient, async () => {
      await slow.kill();
      const restarted = slow.restart();
      await eventually('loading', () => redis.ping().then(() => undefined, isLoading));
      await sleep(300);
      await admin.config('SET', 'key-load-delay', 0);
      await restarted;
    });
    expect((await patient.user.ask('/me')).text).toBe('ada');
  });

  function isLoading(error: Error): true | undefined {
    return error.message.startsWith('LOADING') || undefined;
  }
});

describe.each(['frozen', 'killed'] as const)('when Redis is %s, a request that has a session', (name) => {
  const outage = OUTAGES[name];

  it('fails at once, or goes on as nobody where that was asked for, and is who it was afterwards', async () => {
    const application = await start({ onRedisError: (req) => (req.path === '/put' ? 'fail' : 'anonymous') });
    const user = application.open();
    await user.ask('/login', { method: 'POST' });
    const cookies = new Map(user.cookies);
    await outage.begin();
    try {
      const me = await user.ask('/me');
      expect([me.status, me.text, me.headers['set-cookie']]).toEqual([200, 'nobody', undefined]);
      expect(me.headers['cache-control']).toBe('private');
      const put = await user.ask('/put', { method: 'POST' });
      expect([put.status, put.headers['set-cookie']]).toEqual([503, undefined]);
      application.gate.open();
      const stream = await user.ask('/stream');
      expect([stream.isComplete, stream.text]).toEqual([false, 'first']);
    } finally {
      await outage.end();
      await answered(application.redis);
      await sleep(300);
    }
    expect(user.cookies).toEqual(cookies);
    // A server that was killed has forgotten everybody.
    expect((await user.ask('/me')).text).toBe(name === 'frozen' ? 'ada' : 'nobody');
  });

  it('is not told to be logged out, though it goes on as nobody, and is logged out when Redis has heard of it', async () => {
    const application = await start({ onRedisError: 'anonymous' });
    const user = application.open();
    await user.ask('/login', { method: 'POST' });
    await outage.begin();
    try {
      for (const path of ['/logout', '/logout-others']) {
        const out = await user.ask(path, { method: 'POST' });
        expect([out.status, out.headers['set-cookie']]).toEqual([503, undefined]);
      }
      expect((await user.ask('/destroy-told', { method: 'POST' })).text).toBe('failed');
    } finally {
      await outage.end();
      await answered(application.redis);
      await sleep(300);
    }
  });
});
