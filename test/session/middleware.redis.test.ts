import { describe, expect, it } from '@jest/globals';
import type { Express } from 'express';
import { setTimeout as sleep } from 'node:timers/promises';
import { EVERYWHERE, listen, MISS, openSuite, verdict } from '../http-cache/support.ts';
import { gate } from '../support/waiting.ts';
import { appWith, type Browser, browser, SECRET } from './support.ts';
import type { Suite, SuiteOptions } from '../../src/index.ts';

async function start(
  place: (typeof EVERYWHERE)[number],
  options: NonNullable<SuiteOptions['session']> = {},
  declare: (app: Express, suite: Suite) => void = () => undefined,
): Promise<{ suite: Suite; open: (cookies?: Iterable<readonly [string, string]>) => Browser }> {
  const suite = openSuite(place, { session: { secret: SECRET, ...options } });
  const app = appWith(suite.session(), (app) => {
    app.post('/login/:user', async (req, res) => {
      await suite.sessions.login(req, req.params.user, { user: req.params.user });
      res.redirect('/me');
    });
    app.post('/logout', async (req, res) => {
      await suite.sessions.logout(req);
      res.send('bye');
    });
    app.post('/logout-others', async (req, res) => {
      res.json(await suite.sessions.logoutOthers(req));
    });
    app.get('/me', (req, res) => {
      res.send(req.session.user ?? 'nobody');
    });
    app.get('/devices', async (req, res) => {
      res.json(await suite.sessions.list(req.session.user ?? '', { current: req }));
    });
    app.get('/view', (req, res) => {
      req.session.views = (req.session.views ?? 0) + 1;
      res.json(req.session.views);
    });
    app.get('/plain', (_req, res) => {
      res.send('plain');
    });
    declare(app, suite);
  });
  const port = await listen(app);
  return { suite, open: (cookies) => browser(port, cookies) };
}

describe.each(EVERYWHERE)('sessions on %s', (place) => {
  it('keep what a handler puts into them, and set no cookie and store nothing before that', async () => {
    const { suite, open } = await start(place);
    const { ask, cookies } = open();
    const plain = await ask('/plain');
    expect([plain.text, plain.headers['set-cookie'], plain.headers.vary, plain.headers['cache-control']]).toEqual([
      'plain',
      undefined,
      undefined,
      undefined,
    ]);
    expect(await suite.sessionStore().length()).toBe(0);
    const first = await ask('/view');
    expect([first.headers.vary, first.headers['cache-control']]).toEqual(['Cookie', 'private']);
    expect(first.headers['set-cookie']?.[0]).toMatch(/^sid=s%3A[\w%.-]+; Path=\/; HttpOnly; SameSite=Lax$/);
    expect([(await ask('/view')).text, (await ask('/view')).text]).toEqual(['2', '3']);
    expect([cookies.size, await suite.sessionStore().length()]).toEqual([1, 1]);
  });

  it('know at the page after the redirect who has logged in, under a new id', async () => {
    const { open } = await start(place);
    const { ask, cookies } = open();
    await ask('/view');
    const before = cookies.get('sid');
    const redirect = await ask('/login/ada', { method: 'POST' });
    expect([redirect.status, redirect.headers.location]).toEqual([302, '/me']);
    expect(cookies.get('sid')).not.toBe(before);
    expect((await ask('/me')).text).toBe('ada');
    const thief = open([['sid', String(before)]]);
    expect((await thief.ask('/me')).text).toBe('nobody');
  });

  it('end at logout, take their cookie back, and stay ended whatever is under way', async () => {
    const { passed, open: release } = gate();
    const { open, suite } = await start(place, {}, (app) => {
      app.get('/slow', async (req, res) => {
        req.session.views = 1;
        await passed;
        res.send(req.session.user);
      });
    });
    const told: string[] = [];
    for (const name of ['created', 'destroyed', 'gone'] as const) {
      suite.events.on(`session:${name}`, ({ handle, userId }) => told.push(`${name} ${userId} ${handle.length}`));
    }
    const user = open();
    await user.ask('/login/ada', { method: 'POST' });
    const copy = open(user.cookies);
    const slow = copy.ask('/slow');
    await sleep(100);
    const out = await user.ask('/logout', { method: 'POST' });
    expect(out.headers['set-cookie']?.[0]).toContain('Expires=Thu, 01 Jan 1970');
    expect(user.cookies.size).toBe(0);
    release();
    expect((await slow).text).toBe('ada');
    expect((await copy.ask('/me')).text).toBe('nobody');
    expect(await suite.sessions.count('ada')).toBe(0);
    expect(told).toEqual(['created ada 43', 'destroyed ada 43', 'gone ada 43']);
  });

  it('are listed by device without their ids, and ended one by one, all but one, and all', async () => {
    const { open, suite } = await start(place);
    const devices = ['phone', 'laptop', 'tablet', 'desk'].map((name) => ({ name, user: open() }));
    for (const { name, user } of devices) {
      await user.ask('/login/ada', { method: 'POST', headers: { 'user-agent': name } });
      await sleep(2);
    }
    const other = open();
    await other.ask('/login/bob', { method: 'POST' });
    const [phone, laptop, tablet] = devices.map(({ user }) => user) as unknown as [Browser, Browser, Browser];
    const list = JSON.parse((await laptop.ask('/devices')).text) as Record<string, unknown>[];
    expect(list.map(({ userAgent, current, ip }) => [userAgent, current, ip])).toEqual([
      ['phone', false, '127.0.0.1'],
      ['laptop', true, '127.0.0.1'],
      ['tablet', false, '127.0.0.1'],
      ['desk', false, '127.0.0.1'],
    ]);
    const id = decodeURIComponent(String(phone.cookies.get('sid')))
      .slice(2)
      .split('.')[0];
    expect(JSON.stringify(list)).not.toContain(String(id));
    const handle = String(list[0]?.['handle']);
    expect((await suite.sessions.get(handle))?.userAgent).toBe('phone');
    expect([await suite.sessions.destroy(handle), await suite.sessions.destroy(handle)]).toEqual([true, false]);
    expect(await suite.sessions.get(handle)).toBeUndefined();
    expect((await phone.ask('/me')).text).toBe('nobody');
    expect((await laptop.ask('/logout-others', { method: 'POST' })).text).toBe('2');
    expect([(await laptop.ask('/me')).text, (await tablet.ask('/me')).text]).toEqual(['ada', 'nobody']);
    expect([await suite.sessions.count('ada'), await suite.sessions.count('bob')]).toEqual([1, 1]);
    expect(await suite.sessions.destroyAll('ada')).toBe(1);
    expect([(await laptop.ask('/me')).text, (await other.ask('/me')).text]).toEqual(['nobody', 'bob']);
  });

  it('end the oldest when a user has more than allowed, or refuse the login', async () => {
    const evicting = await start(place, { maxSessions: 2 });
    const evicted = [evicting.open(), evicting.open(), evicting.open()];
    for (const { ask } of evicted) await ask('/login/ada', { method: 'POST' });
    expect(await Promise.all(evicted.map(async ({ ask }) => (await ask('/me')).text))).toEqual([
      'nobody',
      'ada',
      'ada',
    ]);

    const refusing = await start(place, { maxSessions: 2, onMaxSessions: 'reject' });
    const refused = [refusing.open(), refusing.open(), refusing.open()];
    const answers = [];
    for (const { ask } of refused) answers.push((await ask('/login/ada', { method: 'POST' })).text);
    expect(answers[2]).toBe('ERR_TOO_MANY_SESSIONS');
    expect(await refusing.suite.sessions.count('ada')).toBe(2);
    await refused[0]?.ask('/logout', { method: 'POST' });
    await refused[2]?.ask('/login/ada', { method: 'POST' });
    expect((await refused[2]?.ask('/me'))?.text).toBe('ada');
  });

  it('are ended all at once, and none that is being created escapes (strict)', async () => {
    const { open, suite } = await start(place, { revocation: 'strict' });
    const [one, two] = [open(), open()];
    await one.ask('/login/ada', { method: 'POST' });
    await two.ask('/login/ada', { method: 'POST' });
    expect((await one.ask('/logout-others', { method: 'POST' })).text).toBe('1');
    expect([(await one.ask('/me')).text, (await two.ask('/me')).text]).toEqual(['ada', 'nobody']);
    await suite.sessions.destroyAll('ada');
    expect((await one.ask('/me')).text).toBe('nobody');
    await two.ask('/login/ada', { method: 'POST' });
    expect((await two.ask('/me')).text).toBe('ada');
    await suite.invalidate({ all: true });
    expect((await two.ask('/me')).text).toBe('ada');
  });

  it('are read outside of Express, and tell an open socket when they have ended', async () => {
    const { open, suite } = await start(place);
    const user = open();
    await user.ask('/login/ada', { method: 'POST' });
    const headers = { cookie: `sid=${user.cookies.get('sid')}` };
    const found = await suite.sessions.fromRequest({ headers });
    expect([found?.userId, found?.data.user, found?.current]).toEqual(['ada', 'ada', true]);
    const ended = new Promise<void>((resolve) => found?.onEnd(resolve));
    await suite.sessions.destroyAll('ada');
    await ended;
    expect(await suite.sessions.fromRequest({ headers })).toBeUndefined();
    expect(await suite.sessions.fromRequest({ headers: { cookie: 'sid=s%3Aforged.signature' } })).toBeUndefined();
    expect(await suite.sessions.fromRequest({ headers: {} })).toBeUndefined();
  });

  it('lose nothing when twenty requests change them at once', async () => {
    const { open } = await start(place, {}, (app) => {
      app.get('/set/:name', async (req, res) => {
        await sleep(20);
        (req.session as unknown as Record<string, unknown>)[`n${req.params['name']}`] = 1;
        res.end();
      });
      app.get('/names', (req, res) => {
        res.json(Object.keys(req.session).filter((name) => /^n\d+$/.test(name)).length);
      });
    });
    const user = open();
    await user.ask('/login/ada', { method: 'POST' });
    await Promise.all(Array.from({ length: 20 }, (_, i) => user.ask(`/set/${i}`)));
    expect((await user.ask('/names')).text).toBe('20');
  });

  it('keep a response out of the response cache when its handler used them, and only then', async () => {
    let runs = 0;
    const { open } = await start(place, {}, (app, suite) => {
      app.get('/cached', suite.cache({ ttl: '1m', cookies: 'ignore' }), (req, res) => {
        runs++;
        res.send(req.query['as'] === 'user' ? (req.session.user ?? 'nobody') : 'all');
      });
    });
    const user = open();
    await user.ask('/login/ada', { method: 'POST' });
    const own = await user.ask('/cached?as=user');
    expect([own.text, verdict(own)]).toEqual(['ada', MISS]);
    expect((await open().ask('/cached?as=user')).text).toBe('nobody');
    expect(runs).toBe(2);
    await user.ask('/cached');
    await open().ask('/cached');
    expect(runs).toBe(3);
  });

  it('survive handlers that put odd things into them', async () => {
    const { open } = await start(place, {}, (app) => {
      app.get('/odd', (req, res) => {
        const session = req.session as unknown as Record<string, unknown>;
        Object.assign(session, { save: 'x', touch: 1, reload: null, cookie: null, constructor: 'y', value: 'kept' });
        res.send('done');
      });
      app.get('/circle', (req, res) => {
        const circle: { self?: unknown } = {};
        circle.self = circle;
        req.session.value = circle;
        res.send('done');
      });
      app.get('/large', (req, res) => {
        req.session.value = 'x'.repeat(2_000_000);
        res.send('done');
      });
      app.get('/value', (req, res) => {
        res.json(req.session.value ?? null);
      });
    });
    const user = open();
    expect((await user.ask('/odd')).text).toBe('done');
    expect((await user.ask('/value')).text).toBe('"kept"');
    expect((await user.ask('/circle')).status).toBe(500);
    expect((await user.ask('/large')).text).toBe('ERR_SESSION_TOO_LARGE');
    expect((await user.ask('/value')).text).toBe('"kept"');
  });
});
