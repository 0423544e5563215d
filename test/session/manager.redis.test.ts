import { describe, expect, it } from '@jest/globals';
import type { Request } from 'express';
import type { Redis } from 'ioredis';
import { createSuite, type Suite } from '../../src/index.ts';
import { placeOf } from '../../src/register/place.ts';
import { sessionsOf } from '../../src/session/state.ts';
import { createMemoryUserIndex } from '../../src/session/user-index.ts';
import { prepare } from '../../src/testing/session-steps.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { SECRET } from './support.ts';

async function logIn(suite: Suite): Promise<void> {
  const store = prepare(suite.sessionStore());
  const req = { sessionStore: store, headers: {}, socket: {} } as unknown as Request;
  store.generate(req);
  await suite.sessions.login(req, 'ada');
}

describe('a user with many sessions', () => {
  /** More than a connection may have unanswered at a time. */
  const MANY = 11_000;
  const redis: Redis = testRedis();

  /** One session of a user in whose index are those that have ended by themselves. */
  async function openBusy(session: NonNullable<Parameters<typeof createSuite>[0]>['session']): Promise<Suite> {
    const prefix = uniquePrefix();
    const suite = createSuite({ redis, prefix, deadline: '5s', session: { secret: SECRET, ...session } });
    await logIn(suite);
    const until = Date.now() + 60_000;
    const entries = Array.from({ length: MANY }, (_, i) => [until, `${i + 1}:h${String(i).padStart(43, '0')}`]);
    await redis.zadd(`${prefix}:su:{ada}`, ...entries.flat());
    return suite;
  }

  it('has them listed, counted and ended', async () => {
    const suite = await openBusy({});
    expect(await suite.sessions.list('ada')).toHaveLength(1);
    expect(await suite.sessions.destroyAll('ada')).toBe(1);
    expect(await suite.sessions.count('ada')).toBe(0);
    await suite.close();
  });

  it('is kept within the limit', async () => {
    const suite = await openBusy({ maxSessions: 1 });
    await logIn(suite);
    expect(await suite.sessions.list('ada')).toHaveLength(1);
    await suite.close();
  });
});

describe('in the memory of a process that more users enter than its index holds', () => {
  const place = { backend: 'memory', prefix: uniquePrefix(), session: { secret: SECRET, maxSessions: 2 } } as const;

  async function enterOthers(): Promise<void> {
    const shared = placeOf({ backend: 'memory', prefix: place.prefix });
    const { index } = sessionsOf(shared, {}, 'test').engine;
    const untilMs = Date.now() + 60_000;
    for (let i = 0; i < 100_000; i++) await index.enter(`u${i}`, { session: 'h', untilMs });
    shared.close();
  }

  it('all sessions of each are counted and ended, those that have ended are not', async () => {
    const suite = createSuite(place);
    for (let i = 0; i < 2; i++) await logIn(suite);
    await enterOthers();
    expect(await suite.sessions.count('ada')).toBe(2);
    await logIn(suite);
    expect(await suite.sessions.count('ada')).toBe(2);
    await enterOthers();
    const [first] = await suite.sessions.list('ada');
    expect(await suite.sessions.destroy(first?.handle ?? '')).toBe(true);
    expect(await suite.sessions.destroyAll('ada')).toBe(1);
    expect(await suite.sessionStore().length()).toBe(0);
    await suite.close();
  });
});

it('the index in memory forgets what has ended by itself, and names the rest by age', async () => {
  const index = createMemoryUserIndex();
  const until = Date.now() + 60_000;
  for (let i = 0; i < 10; i++) await index.enter('ada', { session: `h${i}`, untilMs: i % 2 === 0 ? until : 0 });
  for (let i = 10; i < 20; i++) await index.enter('ada', { session: `h${i}`, untilMs: until });
  const handles = (await index.list('ada')).map(({ ref }) => Number(ref.handle));
  expect(handles).toEqual([0, 2, 4, 6, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
});
