import { expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSuite, type OnRedisError, type RedisClient, type Suite } from '../../src/index.ts';
import { listen } from '../http-cache/support.ts';
import { uniquePrefix } from '../support/connections.ts';
import { eventually } from '../support/outages.ts';
import { appWith, type Browser, browser, SECRET } from './support.ts';

/** An application with sessions whose Redis is about to be unwilling. */
export interface Patient {
  readonly suite: Suite;
  readonly prefix: string;
  readonly user: Browser;
  /** Key of the user's session. */
  key(): Promise<string>;
}

/** Paths below `/anonymous` go on as nobody when the session cannot be read; others fail. */
function policyOf({ path }: { readonly path: string }): OnRedisError {
  return path.startsWith('/anonymous/') ? 'anonymous' : 'fail';
}

/** Serves an application, and logs somebody in. */
export async function openPatient(redis: RedisClient): Promise<Patient> {
  const prefix = uniquePrefix();
  const suite = createSuite({ redis, prefix, session: { secret: SECRET, onRedisError: policyOf } });
  const app = appWith(suite.session(), (app) => {
    app.post('/login', async (req, res) => {
      await suite.sessions.login(req, 'ada', { user: 'ada' });
      res.send('welcome');
    });
    app.post(['/put/:name', '/anonymous/put/:name'] as never, (req, res) => {
      Object.assign(req.session, { [`put-${String(req.params['name'])}`]: true });
      res.send('saved');
    });
    app.get(['/me', '/anonymous/me'] as never, (req, res) => {
      res.send(req.session.user ?? 'nobody');
    });
    app.get('/names', (req, res) => {
      res.json(Object.keys(req.session).filter((name) => name.startsWith('put-')));
    });
  });
  const user = browser(await listen(app));
  await eventually('a login', async () => (await user.ask('/login', { method: 'POST' })).status === 200 || undefined);
  return {
    suite,
    prefix,
    user,
    async key() {
      const [found] = await suite.sessions.list('ada');
      return `${prefix}:sess:${found?.handle}`;
    },
  };
}

/**
 * Goes on asking while Redis is away, until it has answered again for a while. Whoever was told that something was saved finds it afterwards; nobody is told anything but that, that it was not, or, where that was
 * asked for, that nobody is logged in.
 */
export async function survive({ user, suite }: Patient, outage: () => Promise<unknown>): Promise<void> {
  const cookies = new Map(user.cookies);
  const promised: string[] = [];
  const seen = new Set<string>();
  let number = 0;

  async function askAll(): Promise<boolean> {
    const name = String(number++);
    const [put, hasty, me, nobody] = await Promise.all([
      user.ask(`/put/${name}`, { method: 'POST' }),
      user.ask(`/anonymous/put/h${name}`, { method: 'POST' }),
      user.ask('/me'),
      user.ask('/anonymous/me'),
    ]);
    if (put.status === 200) promised.push(`put-${name}`);
    if (hasty.status === 200) promised.push(`put-h${name}`);
    for (const [what, { status, text }] of Object.entries({ put, hasty, me, nobody }))
      seen.add(`${what} ${status} ${text}`);
    return [put, hasty, me, nobody].every(({ status }) => status === 200) && nobody.text === 'ada';
  }

  expect(await askAll()).toBe(true);
  promised.length = 0; // Redis may lose what it has not told its replicas, and does not say so.
  const outcome = { isOver: false };
  const ending = outage().finally(() => (outcome.isOver = true));
  await eventually('an outage', async () => !(await askAll()) || undefined);
  promised.length = 0;
  for (let wells = 0; !outcome.isOver || wells < 5; wells = (await askAll()) ? wells + 1 : 0) await sleep(20);
  await ending;

  const unavailable = '503 ERR_SESSION_UNAVAILABLE';
  const away = [`put ${unavailable}`, `hasty ${unavailable}`, `me ${unavailable}`, 'nobody 200 nobody'];
  const allowed = new Set([...away, 'put 200 saved', 'hasty 200 saved', 'me 200 ada', 'nobody 200 ada']);
  expect([...seen].filter((answer) => !allowed.has(answer))).toEqual([]);
  expect(seen).toContain(`put ${unavailable}`);
  expect(promised.length).toBeGreaterThan(5);
  const names = JSON.parse((await user.ask('/names')).text) as string[];
  expect(promised.filter((name) => !names.includes(name))).toEqual([]);
  expect(user.cookies).toEqual(cookies);
  expect(await eventually('an answer of the index', () => suite.sessions.count('ada').catch(() => undefined))).toBe(1);
  await suite.close();
}
