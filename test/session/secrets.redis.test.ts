import { describe, expect, it } from '@jest/globals';
import { createSessionStore, createSuite } from '../../src/index.ts';
import { connectionOf } from '../../src/redis/connection.ts';
import { scanKeys } from '../../src/redis/scan.ts';
import { handleOf } from '../../src/session/handle.ts';
import { createSeal } from '../../src/session/seal.ts';
import { create, openKnown, prepare, save, show } from '../../src/testing/session-steps.ts';
import { listen } from '../http-cache/support.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { appWith, browser, SECRET } from './support.ts';

const OLD_KEY = 'the first key of thirty-two characters';
const NEW_KEY = 'another key of thirty-two characters too';

/** Everything Redis holds under a prefix, as text. */
async function dump(redis: ReturnType<typeof testRedis>, prefix: string): Promise<string> {
  const parts: string[] = [];
  for await (const keys of scanKeys(connectionOf(redis, undefined), prefix)) {
    for (const key of keys) {
      const value = {
        hash: () => redis.hgetall(key),
        zset: () => redis.zrange(key, '0', '-1'),
        string: () => redis.get(key),
      };
      const type = (await redis.type(key)) as keyof typeof value;
      parts.push(key, JSON.stringify(await value[type]()));
    }
  }
  return parts.join('\n');
}

describe('what Redis holds of sessions', () => {
  it('gives nobody a session: no id, no signature, and with keys nothing of what is in them', async () => {
    const redis = testRedis();
    const prefix = uniquePrefix();
    const session = { secret: SECRET, encryptionKeys: OLD_KEY };
    const suite = createSuite({ redis, prefix, deadline: '2s', session });
    const port = await listen(
      appWith(suite.session(), (app) => {
        app.post('/login', async (req, res) => {
          await suite.sessions.login(req, 'ada', { value: 'my own thoughts' });
          res.end();
        });
      }),
    );
    const user = browser(port);
    await user.ask('/login', { method: 'POST', headers: { 'user-agent': 'a rare browser' } });
    const [id = '', signature = ''] = decodeURIComponent(String(user.cookies.get('sid')))
      .slice(2)
      .split('.');
    const held = await dump(redis, prefix);
    expect(held).toContain(handleOf(id));
    for (const secret of [id, signature, 'thoughts', 'rare browser', '127.0.0.1']) expect(held).not.toContain(secret);
    await suite.close();
  });

  it('is read with old keys and written with the new one', async () => {
    const [one, two, three] = [testRedis(), testRedis(), testRedis()];
    const prefix = uniquePrefix();
    const options = { prefix, deadline: '2s' } as const;
    const before = prepare(createSessionStore({ redis: one, ...options, encryptionKeys: [OLD_KEY] }));
    const during = prepare(createSessionStore({ redis: two, ...options, encryptionKeys: [NEW_KEY, OLD_KEY] }));
    const after = prepare(createSessionStore({ redis: three, ...options, encryptionKeys: [NEW_KEY] }));
    const id = await create(before, { user: 'ada', views: 1 });
    expect(await show(after, id)).toBeUndefined();
    const session = await openKnown(during, id);
    session['views'] = 2;
    await save(during, session);
    expect([await show(after, id), await show(before, id)]).toEqual([{ user: 'ada', views: 2 }, undefined]);
  });

  it('loses nothing that two requests change at once while keys are changed', async () => {
    const options = { prefix: uniquePrefix(), deadline: '2s' } as const;
    const before = prepare(createSessionStore({ redis: testRedis(), ...options, encryptionKeys: [OLD_KEY] }));
    const during = prepare(createSessionStore({ redis: testRedis(), ...options, encryptionKeys: [NEW_KEY, OLD_KEY] }));
    const after = prepare(createSessionStore({ redis: testRedis(), ...options, encryptionKeys: [NEW_KEY] }));
    const id = await create(before, { user: 'ada', views: 1, value: 'to be removed' });
    const [one, two] = [await openKnown(during, id), await openKnown(during, id)];
    one['views'] = 2;
    delete one['value'];
    two['user'] = 'eve';
    await save(during, one);
    await save(during, two);
    const both = { user: 'eve', views: 2 };
    expect([await show(during, id), await show(after, id)]).toEqual([both, both]);
  });

  it('is refused when it was moved, changed, or put there in plain text', async () => {
    const redis = testRedis();
    const prefix = uniquePrefix();
    const suite = createSuite({ redis, prefix, deadline: '2s', session: { encryptionKeys: OLD_KEY } });
    const store = prepare(suite.sessionStore());
    const corrupt: string[] = [];
    suite.events.on('session:corrupt', ({ handle }) => corrupt.push(handle));
    const keyOf = (id: string): string => `${prefix}:sess:${handleOf(id)}`;
    const [mine, theirs] = [await create(store, { user: 'eve' }), await create(store, { user: 'ada' })];
    const fields = await redis.hgetall(keyOf(theirs));

    await redis.hset(keyOf(mine), '.user', String(fields['.user']));
    expect(await show(store, mine)).toBeUndefined();
    await redis.hset(keyOf(theirs), '.cookie', String(fields['.user']));
    expect(await show(store, theirs)).toBeUndefined();
    const plain = await create(store, {});
    await redis.hset(keyOf(plain), '.user', '"ada"');
    expect(await show(store, plain)).toBeUndefined();
    const text = await create(store, {});
    await redis.set(keyOf(text), 'foreign');
    expect(await show(store, text)).toBeUndefined();
    expect(corrupt).toEqual([mine, theirs, plain, text].map(handleOf));
    await suite.close();
  });
});

describe('sealed text', () => {
  it('opens where it was put, with any key of the ring, and nowhere else', () => {
    const [old, ring, other] = [createSeal([OLD_KEY]), createSeal([NEW_KEY, OLD_KEY]), createSeal([NEW_KEY])];
    const sealed = old.close('text é😀', 'here');
    expect(ring.open(sealed, 'here')).toEqual({ text: 'text é😀', isOld: true });
    expect(old.open(sealed, 'here')).toEqual({ text: 'text é😀', isOld: false });
    expect([old.open(sealed, 'there'), other.open(sealed, 'here')]).toEqual([undefined, undefined]);
    for (let i = 0; i < sealed.length - 1; i++) {
      const changed = sealed.slice(0, i) + (sealed[i] === 'A' ? 'B' : 'A') + sealed.slice(i + 1);
      expect(old.open(changed, 'here')).toBeUndefined();
    }
    expect(['', '.', 'x', sealed.slice(0, 20)].map((text) => old.open(text, 'here'))).toEqual(Array(4).fill(undefined));
    expect(old.close('same', 'here')).not.toBe(old.close('same', 'here'));
  });
});
