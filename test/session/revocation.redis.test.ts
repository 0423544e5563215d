import { describe, expect, it } from '@jest/globals';
import type { Request } from 'express';
import type { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSuite, type SessionOptions, type Suite } from '../../src/index.ts';
import { listen } from '../http-cache/support.ts';
import { gate, until } from '../support/waiting.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { appWith, type Browser, browser, holdScript, SECRET } from './support.ts';

interface Process {
  readonly suite: Suite;
  readonly redis: Redis;
  open(): Browser;
}

async function startProcess(prefix: string, options: SessionOptions = {}): Promise<Process> {
  const redis = testRedis();
  const suite = createSuite({ redis, prefix, deadline: '5s', session: { secret: SECRET, ...options } });
  const app = appWith(suite.session(), (app) => {
    app.post('/login', async (req, res) => {
      await suite.sessions.login(req, 'ada', { user: 'ada' });
      res.send('welcome');
    });
    app.post('/logout-others', async (req, res) => {
      res.send(String(await suite.sessions.logoutOthers(req)));
    });
    app.post('/forget', (req, res) => {
      Object.assign(req.session, { suiteLogin: null });
      res.send('forgotten');
    });
    app.post('/logout', async (req, res) => {
      await suite.sessions.logout(req);
      res.send('bye');
    });
    app.get('/me', (req, res) => {
      res.send(req.session.user ?? 'nobody');
    });
  });
  const port = await listen(app);
  return { suite, redis, open: () => browser(port) };
}

async function startTwo(options: SessionOptions = {}, prefix = uniquePrefix()): Promise<[Process, Process]> {
  return [await startProcess(prefix, options), await startProcess(prefix, options)];
}

/** Holds back the question for a user's sessions. */
function holdListing(redis: Redis): ReturnType<typeof holdScript> {
  const { passed, open } = gate();
  const zrange = redis.zrange.bind(redis) as (...args: unknown[]) => Promise<unknown>;
  let isHeld = false;
  const holding = async (...args: unknown[]): Promise<unknown> => {
    isHeld = true;
    await passed;
    return zrange(...args);
  };
  Object.assign(redis, { zrange: holding });
  return { held: () => isHeld, release: open };
}

describe('ending all sessions of a user', () => {
  it.each([
    ['entered into the index', ':su:'],
    ['saved', ':sess:'],
  ])('catches a login that is just being %s', async (_step, part) => {
    const [one, two] = await startTwo();
    const user = one.open();
    const script = holdScript(one.redis, part);
    const login = user.ask('/login', { method: 'POST' });
    await until(script.held);
    await two.suite.sessions.destroyAll('ada');
    script.release();
    expect([(await login).status, (await login).text]).toEqual([401, 'ERR_SESSION_REVOKED']);
    expect((await user.ask('/me')).text).toBe('nobody');
    expect([await two.suite.sessions.count('ada'), await two.suite.sessionStore().length()]).toEqual([0, 0]);
  });

  it('is known at once in every process, and needs no index when it is strict', async () => {
    const prefix = uniquePrefix();
    const [one, two] = await startTwo({ revocation: 'strict' }, prefix);
    const user = one.open();
    await user.ask('/login', { method: 'POST' });
    await one.redis.del(`${prefix}:su:{ada}`);
    expect(await two.suite.sessions.destroyAll('ada')).toBe(0);
    expect((await user.ask('/me')).text).toBe('nobody');
    await user.ask('/login', { method: 'POST' });
    expect((await user.ask('/me')).text).toBe('ada');
  });

  it.each([
    ['has written that all are ended', holdListing],
    ['saves the one it excepts', (redis: Redis) => holdScript(redis, ':sess:', 2)],
  ])(
    'leaves a session alone that two calls except, also where one %s while the other comes and goes',
    async (_step, hold) => {
      const [one, two] = await startTwo({ revocation: 'strict' });
      const [user, other] = [two.open(), two.open()];
      await user.ask('/login', { method: 'POST' });
      const except = (await two.suite.sessions.list('ada')).map(({ handle }) => handle);
      await other.ask('/login', { method: 'POST' });
      const step = hold(one.redis);
      const ending = one.suite.sessions.destroyAll('ada', { except });
      await until(step.held);
      await two.suite.sessions.destroyAll('ada', { except });
      step.release();
      await ending;
      expect([(await user.ask('/me')).text, (await other.ask('/me')).text]).toEqual(['ada', 'nobody']);
      await two.suite.sessions.destroyAll('ada');
      expect((await user.ask('/me')).text).toBe('nobody');
    },
  );

  it('leaves a session alone at every moment that two calls except', async () => {
    const prefix = uniquePrefix();
    const [one, two] = await startTwo({ revocation: 'strict' }, prefix);
    const user = two.open();
    await user.ask('/login', { method: 'POST' });
    const except = (await two.suite.sessions.list('ada')).map(({ handle }) => handle);
    await one.suite.sessions.count('ada'); // Its register is open.
    const [writing, settling] = [holdScript(one.redis, ':sr'), holdScript(one.redis, ':sess:', 1)];
    const ending = one.suite.sessions.destroyAll('ada', { except });
    await until(writing.held);
    await two.suite.sessions.destroyAll('ada', { except });
    writing.release();
    await until(settling.held);
    expect((await user.ask('/me')).text).toBe('ada');
    settling.release();
    await ending;
    expect((await user.ask('/me')).text).toBe('ada');
    const [key = ''] = await one.redis.keys(`${prefix}:sess:*`);
    expect((await one.redis.hkeys(key)).toSorted()).toEqual(['.cookie', '.suiteLogin', '.user', 'c', 't', 'x']);
  });

  it('leaves a session alone that was read before it was excepted, and judged after', async () => {
    const [one, two] = await startTwo({ revocation: 'strict' });
    await two.open().ask('/login', { method: 'POST' });
    const [except = ''] = (await two.suite.sessions.list('ada')).map(({ handle }) => handle);
    const judging = holdScript(one.redis, ':sr');
    const reading = one.suite.sessions.get(except);
    await until(judging.held);
    await two.suite.sessions.destroyAll('ada', { except });
    judging.release();
    expect(await reading).toMatchObject({ userId: 'ada' });
  });

  it.each<[string, SessionOptions]>([
    ['conflicts are rejected', { onConflict: 'reject' }],
    ["sessions are kept in connect-redis' format", { format: 'json', connectRedisPrefix: uniquePrefix() }],
    ['sessions are in that format still', { migrate: true, connectRedisPrefix: uniquePrefix() }],
  ])('leaves a session alone that several requests except at once, where %s', async (_where, options) => {
    const prefix = uniquePrefix();
    const json = await startProcess(prefix, {
      revocation: 'strict',
      ...options,
      ...(options.migrate && { format: 'json' }),
    });
    const { suite, open } = await startProcess(prefix, { revocation: 'strict', ...options });
    const [user, other] = [json.open(), json.open()];
    await user.ask('/login', { method: 'POST' });
    const [handle = ''] = (await suite.sessions.list('ada')).map((info) => info.handle);
    await other.ask('/login', { method: 'POST' });
    const mine = open();
    for (const [name, value] of user.cookies) mine.cookies.set(name, value);
    const post = { method: 'POST' };
    const answers = await Promise.all([
      mine.ask('/logout-others', post),
      mine.ask('/logout-others', post),
      suite.sessions.destroyAll('ada', { except: handle }).then(() => ({ status: 200 })),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect([(await mine.ask('/me')).text, (await other.ask('/me')).text]).toEqual(['ada', 'nobody']);
  });

  it('is no obstacle to a session whose login a handler has made nothing of', async () => {
    const { open } = await startProcess(uniquePrefix(), { revocation: 'strict' });
    const user = open();
    await user.ask('/login', { method: 'POST' });
    const steps = [
      await user.ask('/forget', { method: 'POST' }),
      await user.ask('/me'),
      await user.ask('/logout', { method: 'POST' }),
    ];
    expect(steps.map(({ text }) => text)).toEqual(['forgotten', 'ada', 'bye']);
  });

  it('refuses to except the session of a request that was skipped, and ends nothing then', async () => {
    const { suite, open } = await startProcess(uniquePrefix());
    const user = open();
    await user.ask('/login', { method: 'POST' });
    const skipped = { headers: {} } as Request;
    await expect(suite.sessions.destroyAll('ada', { except: skipped })).rejects.toThrow('do not skip it');
    expect((await user.ask('/me')).text).toBe('ada');
  });

  it('tells open sockets in another process', async () => {
    const [one, two] = await startTwo();
    const user = one.open();
    await user.ask('/login', { method: 'POST' });
    const found = await one.suite.sessions.fromRequest({ headers: { cookie: `sid=${user.cookies.get('sid')}` } });
    let isEnded = false;
    found?.onEnd(() => (isEnded = true));
    await sleep(200); // The second connection subscribes.
    await two.suite.sessions.destroyAll('ada');
    await until(() => isEnded);
    expect(isEnded).toBe(true);
    await one.suite.close();
  });

  it('finds sessions that were used for longer than the index first held them', async () => {
    const prefix = uniquePrefix();
    const { suite, redis, open } = await startProcess(prefix, { ttl: '1s', touchInterval: '50ms' });
    const user = open();
    await user.ask('/login', { method: 'POST' });
    const endOf = async (): Promise<number> =>
      Number((await redis.zrange(`${prefix}:su:{ada}`, '0', '-1', 'WITHSCORES'))[1]);
    const first = await endOf();
    for (let i = 0; i < 8; i++) {
      await sleep(150);
      expect((await user.ask('/me')).text).toBe('ada');
    }
    expect(await endOf()).toBeGreaterThan(first);
    expect(await suite.sessions.destroyAll('ada')).toBe(1);
  });
});
