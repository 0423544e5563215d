import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ConfigError, RedisError } from '../../src/core/errors.ts';
import { createDecorators, type Decorators } from '../../src/data/decorators.ts';
import type { Suite } from '../../src/suite.ts';
import { testRedis } from '../support/connections.ts';
import { withLegacyDecorators } from '../support/legacy-decorators.ts';
import { openSuite } from './backends.ts';
import { type Database, mistakes, type Users, usersOf } from './decorated.ts';

/** `mistakes` is there for the compiler. */
const standard = { usersOf, mistakes };
type Fixture = typeof standard;

/** Both are given the same source. That it compiles, and its mistakes do not, is asked of the compiler: for standard decorators by `npm run typecheck`, for legacy ones here. */
const KINDS: readonly (readonly [kind: string, fixture: () => Promise<Fixture>])[] = [
  ['standard', async () => standard],
  ['legacy', async () => withLegacyDecorators<Fixture>('test/data/decorated.ts')],
];

const redis = testRedis();

describe.each(KINDS)('%s decorators', (_kind, fixtureOf) => {
  let fixture: Fixture;
  let suite: Suite;
  let db: Database;
  let users: Users;

  beforeAll(async () => {
    fixture = await fixtureOf();
  });

  beforeEach(() => {
    suite = openSuite(redis);
    users = open('acme', suite);
  });

  function open(tenant: string, on: Suite): Users {
    db = { calls: [], users: new Map([[7, { id: 7, name: 'Ada' }]]), fails: false };
    return new (fixture.usersOf(createDecorators(() => on)))(tenant, db);
  }

  /** What is loaded is returned before it is stored. */
  async function stored(key: string): Promise<unknown> {
    for (;;) {
      const value = await suite.data.get(key);
      if (value !== undefined) return value;
      await sleep(5);
    }
  }

  it('keep what a method resolves, and its object', async () => {
    expect(await users.find(7)).toEqual({ id: 7, name: 'Ada' });
    await stored('acme:user:7');
    expect(await users.find(7)).toEqual({ id: 7, name: 'Ada' });
    expect(db.calls).toEqual(['find acme 7']);
    expect(await suite.data.get('acme:user:7')).toEqual({ id: 7, name: 'Ada' });
  });

  it('share one call among callers at the same time', async () => {
    await Promise.all([users.find(7), users.find(7), users.find(7)]);
    expect(db.calls).toEqual(['find acme 7']);
  });

  it('keep objects apart whose key says so', async () => {
    const others = open('umbrella', suite);
    await others.find(7);
    expect(await stored('umbrella:user:7')).toEqual({ id: 7, name: 'Ada' });
    expect(await suite.data.get('acme:user:7')).toBeUndefined();
  });

  it('write the arguments behind the name, and no name of a class', async () => {
    await users.search('A', 2);
    await stored('search:"A",2');
    await users.search('A', 2);
    await users.search('A');
    expect(db.calls).toEqual(['search A 2', 'search A 1']);
    expect(await suite.data.get('search:"A",2')).toEqual(['Ada']);
  });

  it('drop by tags what a list or a result names', async () => {
    await users.find(7);
    await stored('acme:user:7');
    await suite.invalidate('users');
    await users.find(7);
    expect(db.calls).toHaveLength(2);
  });

  it('store what a method that writes resolves, with tags of its result, and drop what is outdated by it', async () => {
    await users.count();
    await stored('user-count');
    await users.save({ id: 8, name: ' Bo ' });
    expect(await users.find(8)).toEqual({ id: 8, name: 'Bo' });
    expect(await suite.data.get('user-count')).toBeUndefined();
    await suite.invalidate('name:Bo');
    expect(await suite.data.get('acme:user:8')).toBeUndefined();
    await users.save({ id: 8, name: 'Bo' });
    await suite.invalidate('was:8');
    expect(await suite.data.get('acme:user:8')).toBeUndefined();
  });

  it('drop key and tags once a method has succeeded', async () => {
    await users.find(7);
    await users.search('A');
    await stored('search:"A"');
    await users.rename(7, 'Eve');
    expect(await users.find(7)).toEqual({ id: 7, name: 'Eve' });
    expect(await users.search('A')).toEqual([]);
  });

  it('neither store nor drop when a method fails, whose error passes', async () => {
    await users.find(7);
    await stored('acme:user:7');
    db.fails = true;
    await expect(users.rename(7, 'Eve')).rejects.toThrow('The database is away.');
    await expect(users.save({ id: 7, name: 'Eve' })).rejects.toThrow('The database is away.');
    expect(await suite.data.get('acme:user:7')).toEqual({ id: 7, name: 'Ada' });
  });

  it('drop before the method runs where told to, whatever becomes of it', async () => {
    await users.find(7);
    await stored('acme:user:7');
    db.fails = true;
    await expect(users.remove(7)).rejects.toThrow('The database is away.');
    expect(await suite.data.get('acme:user:7')).toBeUndefined();
  });

  it('drop everything under a name', async () => {
    await users.find(7);
    await stored('acme:user:7');
    await suite.data.set('acmes:1', 'another name');
    await users.reload();
    expect(await suite.data.get('acme:user:7')).toBeUndefined();
    expect(await suite.data.get('acmes:1')).toBe('another name');
  });

  it('refuse a wrong key before anything is written', async () => {
    const broken = new (fixture.usersOf(createDecorators(() => suite)))('acme', db);
    Object.assign(broken, { keyOf: () => undefined });
    await expect(broken.save({ id: 9, name: 'x' })).rejects.toThrow(TypeError);
    await expect(broken.rename(7, 'x')).rejects.toThrow(TypeError);
    expect([db.users.has(9), db.users.get(7)?.name]).toEqual([false, 'Ada']);
  });
});

describe('decorators', () => {
  const method = async (): Promise<unknown> => 'done';
  const decorated = (
    decorators: Decorators,
    decorate: (decorators: Decorators) => unknown,
    replaced: unknown = method,
  ): (() => Promise<unknown>) => {
    const decorator = decorate(decorators) as (method: unknown, context: object) => () => Promise<unknown>;
    return decorator(replaced, { kind: 'method', name: 'm', private: false, addInitializer: () => undefined });
  };

  it('leave the result of a method that writes alone when Redis does not answer', async () => {
    const redis = testRedis();
    const suite = openSuite(redis);
    const decorators = createDecorators(() => suite);
    await suite.data.set('k', 'former');
    redis.disconnect();
    await expect(suite.data.delete('k')).rejects.toThrow(RedisError);
    const warnings: unknown[] = [];
    suite.events.on('cache:error', (event) => warnings.push(event.operation));
    expect(await decorated(decorators, ({ cacheEvict }) => cacheEvict({ key: 'k', tags: ['t'] }))()).toBe('done');
    expect(await decorated(decorators, ({ cachePut }) => cachePut({ key: 'k' }))()).toBe('done');
    expect(await decorated(decorators, ({ cacheable }) => cacheable({ key: 'k' }))()).toBe('done');
    expect(warnings).not.toContain('@cacheEvict');
  });

  it.each([
    ['undefined', undefined, {}],
    ['what cannot be stored', () => 'a function', {}],
    ['what has wrong tags', 'text', { tags: () => 'no list' as unknown as string[] }],
  ])('drop the former value when a method resolves %s', async (_what, value, options) => {
    const suite = openSuite(undefined);
    const reported: string[] = [];
    suite.events.on('cache:error', ({ operation }) => reported.push(operation));
    await suite.data.set('k', 'former');
    const put = decorated(
      createDecorators(() => suite),
      ({ cachePut }) => cachePut({ key: 'k', ...options }),
      async () => value,
    );
    expect(await put()).toBe(value);
    expect(await suite.data.get('k')).toBeUndefined();
    expect(reported).toEqual(value === undefined ? [] : ['@cachePut']);
  });

  it.each([
    ['neither key nor name', ({ cacheable }: Decorators) => cacheable({ ttl: '1h' })],
    ['key and name', ({ cacheable }: Decorators) => cacheable({ key: 'k', name: 'n' })],
    ['an unknown option', ({ cacheable }: Decorators) => cacheable({ name: 'n', expires: 1 } as { name: string })],
    ['a lifetime in seconds', ({ cacheable }: Decorators) => cacheable({ name: 'n', ttl: 60 })],
    ['a lifetime in seconds to put', ({ cachePut }: Decorators) => cachePut({ key: 'k', ttl: 60 })],
    ['what no call would take', ({ cachePut }: Decorators) => cachePut({ key: 'k', jitter: 7 })],
    ['nothing to drop', ({ cacheEvict }: Decorators) => cacheEvict({})],
    [
      'tags of a result before there is one',
      ({ cacheEvict }: Decorators) => cacheEvict({ tags: () => [], when: 'before' }),
    ],
    ['another time', ({ cacheEvict }: Decorators) => cacheEvict({ key: 'k', when: 'later' as 'after' })],
    ['an empty name', ({ cacheEvict }: Decorators) => cacheEvict({ all: '' })],
  ])('are refused where the class is declared: %s', (_what, decorate) => {
    const decorators = createDecorators(() => {
      throw new Error('There is no suite yet.');
    });
    expect(() => decorated(decorators, decorate)).toThrow(ConfigError);
  });

  it('decorate methods alone', () => {
    const { cacheable } = createDecorators(() => openSuite(undefined));
    const decorator: unknown = cacheable({ name: 'n' });
    const call = decorator as (...call: unknown[]) => unknown;
    expect(() => call(undefined, { kind: 'field', name: 'x' })).toThrow(ConfigError);
    expect(() => call(Map, { kind: 'class', name: 'X' })).toThrow(ConfigError);
    expect(() => call({}, 'x')).toThrow(ConfigError);
    expect(() => call({}, 'x', { get: () => 1 })).toThrow(ConfigError);
  });
});
