import { describe, expect, it } from '@jest/globals';
import { sign } from 'cookie-signature';
import { ConfigError, createSuite, type SessionOptions } from '../../src/index.ts';
import { listen, openSuite } from '../http-cache/support.ts';
import { uniquePrefix } from '../support/connections.ts';
import { appWith, type Browser, browser, SECRET } from './support.ts';

const OLD = 'an older secret of thirty-two characters';

async function start(options: SessionOptions, prefix = uniquePrefix()): Promise<Browser> {
  const suite = openSuite('memory', { prefix, session: { secret: SECRET, ...options } });
  const app = appWith(suite.session(), (app) => {
    app.set('trust proxy', true);
    app.get(['/view', '/account/view'], (req, res) => {
      req.session.views = (req.session.views ?? 0) + 1;
      res.json(req.session.views);
    });
    app.get('/read', (req, res) => {
      res.json(req.session.views ?? 0);
    });
    app.get('/public', (req, res) => {
      req.session.views = 1;
      res.set('Cache-Control', 'public, max-age=60, s-maxage=600').send('x');
    });
    app.get('/account/logout', async (req, res) => {
      await suite.sessions.logout(req);
      res.send('bye');
    });
    app.get('/skipped', (req, res) => {
      res.json((req as { session?: unknown }).session === undefined);
    });
  });
  return browser(await listen(app));
}

const HTTPS = { headers: { 'x-forwarded-proto': 'https' } };

describe('the cookie of a session', () => {
  it('has a name that only this host can set, when it is for secure connections', async () => {
    const user = await start({ cookie: { secure: true, partitioned: true } });
    expect((await user.ask('/view')).headers['set-cookie']).toBeUndefined();
    const [line] = (await user.ask('/view', HTTPS)).headers['set-cookie'] ?? [];
    expect(line).toMatch(/^__Host-sid=.*; Path=\/; HttpOnly; Secure; Partitioned; SameSite=Lax$/);
    const other = await start({ cookie: { secure: true, domain: 'shop.test' } });
    expect((await other.ask('/view', HTTPS)).headers['set-cookie']?.[0]).toMatch(/^__Secure-sid=/);
  });

  it('is taken back from where it was sent to, whatever path the logout has', async () => {
    for (const cookie of [{ secure: true }, { secure: true, domain: 'shop.test', path: '/account' }] as const) {
      const user = await start({ cookie });
      const path = cookie.path === undefined ? '/view' : '/account/view';
      await user.ask(path, HTTPS);
      const [line] = (await user.ask('/account/logout', HTTPS)).headers['set-cookie'] ?? [];
      expect(line).toContain('sid=; ');
      expect(line).toContain(`; Path=${cookie.path ?? '/'}; Expires=Thu, 01 Jan 1970`);
      expect(user.cookies.size).toBe(0);
    }
  });

  it('follows the connection by default, also where its attributes come from a function', async () => {
    for (const cookie of [undefined, () => ({ secure: 'auto', sameSite: 'auto' }) as const]) {
      const user = await start({ cookie });
      expect((await user.ask('/view')).headers['set-cookie']?.[0]).not.toContain('Secure');
      const other = await start({ cookie });
      expect((await other.ask('/view', HTTPS)).headers['set-cookie']?.[0]).toContain('Secure');
    }
  });

  it('is not taken when it was forged, changed, or names a session that there never was', async () => {
    const user = await start({});
    await user.ask('/view');
    const value = decodeURIComponent(String(user.cookies.get('sid')));
    const known = `s:${sign('A'.repeat(32), SECRET)}`;
    for (const forged of [value.slice(2), `${value}x`, value.replace(/^s:./, 's:_'), `s:${'A'.repeat(32)}.x`, known]) {
      user.cookies.set('sid', encodeURIComponent(forged));
      const answer = await user.ask('/read');
      expect([answer.text, answer.headers['set-cookie']]).toEqual(['0', undefined]);
      await user.ask('/view');
      expect(user.cookies.get('sid')).not.toContain('A'.repeat(32));
    }
  });

  it('is signed again with the new secret', async () => {
    const prefix = uniquePrefix();
    const before = await start({ secret: OLD }, prefix);
    await before.ask('/view');
    const old = String(before.cookies.get('sid'));
    // The same place, in a process that was started with the new secret: here another suite, on cookies alone.
    const after = await start({ secret: [SECRET, OLD] });
    await after.ask('/view');
    const id =
      decodeURIComponent(String(after.cookies.get('sid')))
        .slice(2)
        .split('.')[0] ?? '';
    after.cookies.set('sid', encodeURIComponent(`s:${sign(id, OLD)}`));
    const first = await after.ask('/read');
    expect([first.text, first.headers['set-cookie']?.length]).toEqual(['1', 1]);
    expect(decodeURIComponent(String(after.cookies.get('sid')))).toBe(`s:${sign(id, SECRET)}`);
    expect((await after.ask('/read')).headers['set-cookie']).toBeUndefined();
    expect(old).not.toBe(after.cookies.get('sid'));
  });

  it('is sent again when its session lives longer, at the pace of the idle timeout', async () => {
    const user = await start({ cookie: { maxAge: 60_000 }, touchInterval: '150ms' });
    const first = await user.ask('/view');
    expect(first.headers['set-cookie']?.[0]).toContain('Expires=');
    expect((await user.ask('/read')).headers['set-cookie']).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect((await user.ask('/read')).headers['set-cookie']).toHaveLength(1);
    expect((await user.ask('/read')).headers['set-cookie']).toBeUndefined();
  });

  it('never leaves on a response that shared caches may keep', async () => {
    const user = await start({});
    const answer = await user.ask('/public');
    expect([answer.headers['cache-control'], answer.headers.vary]).toEqual(['private, max-age=60', 'Cookie']);
    expect((await user.ask('/public')).headers['cache-control']).toBe('public, max-age=60, s-maxage=600');
  });

  it('is not looked at where sessions are skipped', async () => {
    const user = await start({ skip: (req) => req.path === '/skipped' });
    expect((await user.ask('/skipped')).text).toBe('true');
  });
});

describe('session options', () => {
  it.each<[string, SessionOptions, string]>([
    ['no secret', { secret: undefined }, 'openssl rand'],
    ['a short secret', { secret: ['x'.repeat(31)] }, '32'],
    ['a short encryption key', { secret: SECRET, encryptionKeys: 'short' }, '32'],
    ['a lifetime without unit', { secret: SECRET, ttl: 86_400 }, "'86400s'"],
    ['an unknown option', { secret: SECRET, resave: true } as SessionOptions, 'resave'],
    ['an unknown word', { secret: SECRET, onConflict: 'merge' as 'reject' }, "'overwrite' or 'reject'"],
    ['partitioned cookies over plain HTTP', { secret: SECRET, cookie: { partitioned: true } }, 'secure: true'],
    [
      'a __Host- name for a domain',
      { secret: SECRET, name: '__Host-s', cookie: { secure: true, domain: 'a.b' } },
      'domain',
    ],
    ['a cookie maxAge in seconds', { secret: SECRET, cookie: { maxAge: 900 } }, 'milliseconds'],
    [
      'encryption of the connect-redis format',
      { secret: SECRET, format: 'json', encryptionKeys: 'x'.repeat(32) },
      'migrat',
    ],
  ])('refuse %s', (_what, options, message) => {
    const create = (): unknown => openSuite('memory').session(options);
    expect(create).toThrow(ConfigError);
    expect(create).toThrow(message);
  });

  it('are one configuration, wherever they are given', () => {
    const suite = createSuite({ backend: 'memory', prefix: uniquePrefix(), session: { secret: SECRET, ttl: '1h' } });
    expect(() => suite.session()).not.toThrow();
    expect(() => suite.session({ secret: SECRET })).not.toThrow();
    expect(() => suite.sessionStore({ ttl: '1h' })).not.toThrow();
    expect(() => suite.session({ secret: OLD })).toThrow('one place only');
    expect(() => suite.sessionStore({ ttl: '2h' })).toThrow(ConfigError);
    expect(() => suite.sessionStore({ maxBytes: '1kb' })).toThrow(ConfigError);
  });
});
