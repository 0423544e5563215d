import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Backend, type BackendOptions, backendOf } from '../../src/cache/backend.ts';
import { encodeEntry } from '../../src/cache/entry.ts';
import { createMemoryTier } from '../../src/cache/memory-tier.ts';
import { createRedisStore, type RedisStore } from '../../src/cache/redis-store.ts';
import type { CacheStore } from '../../src/cache/store.ts';
import { createTieredStore } from '../../src/cache/tiered-store.ts';
import type { Stamp } from '../../src/register/mirror.ts';
import { draftOf, keep } from '../../src/testing/store-steps.ts';
import { closedLater, uniquePrefix } from '../support/connections.ts';
import { eventually } from '../support/outages.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';

let server: RedisProcess;
let admin: Redis;
beforeAll(async () => {
  server = await startRedis();
  admin = closedLater(new Redis({ port: server.port }));
});
afterAll(() => server.stop());

let prefix: string;
beforeEach(() => {
  prefix = uniquePrefix();
});

const opened: Backend[] = [];
afterAll(() => {
  for (const backend of opened) backend.close();
});

function open(options: BackendOptions = {}): Backend {
  const redis = closedLater(new Redis({ port: server.port, retryStrategy: () => 20 }));
  const backend = backendOf({ redis, prefix, memory: '1mb', deadline: '2s', ...options });
  opened.push(backend);
  return backend;
}

/** What connecting and counting take themselves. */
const OWN_COMMANDS = /^(?:info|hello|select|config|client|subscribe|ping|ssubscribe)\b/;

async function commandsOf(work: () => Promise<unknown>): Promise<Record<string, number>> {
  await admin.config('RESETSTAT');
  await work();
  const counts = [...(await admin.info('commandstats')).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)];
  return Object.fromEntries(
    counts.flatMap(([, name = '', calls]) => (OWN_COMMANDS.test(name) ? [] : [[name, Number(calls)]])),
  );
}

async function textAt(store: CacheStore, address: string): Promise<string | undefined> {
  return (await store.read(address)).found?.entry.body.toString();
}

async function putText(store: CacheStore, address: string, text: string): Promise<void> {
  const { stamp } = await store.read(address);
  if (stamp === undefined) throw new Error('Redis is away');
  await store.put(address, draftOf(stamp, address, { body: Buffer.from(text) }));
}

describe('a copy in memory', () => {
  const large = { body: Buffer.alloc(50_000) };

  it('of a response costs one question to the register in strong mode, and no body', async () => {
    const { store } = open();
    await keep(store, 'h:k', large);
    await store.read('h:k');
    const before = Number(/total_net_output_bytes:(\d+)/.exec(await admin.info('stats'))?.[1]);
    expect(await commandsOf(async () => store.read('h:k'))).toEqual({ zrangebyscore: 1 });
    const after = Number(/total_net_output_bytes:(\d+)/.exec(await admin.info('stats'))?.[1]);
    expect(after - before).toBeLessThan(30_000);
  });

  it('of a value is compared with what stands in Redis by 24 bytes beside that', async () => {
    const { store } = open();
    await keep(store, 'd:k', large);
    expect(await commandsOf(async () => store.read('d:k'))).toEqual({ getrange: 1, zrangebyscore: 1 });
    expect(await commandsOf(async () => store.readMany(['d:k', 'd:k']))).toEqual({ getrange: 2, zrangebyscore: 1 });
  });

  it('that is not fresh any more costs what reading costs: Redis may have a newer one', async () => {
    const { store } = open();
    for (const address of ['d:a', 'd:b', 'h:c']) await keep(store, address, { freshMs: 20, staleMs: 60_000 });
    await sleep(40);
    for (const address of ['d:a', 'h:c']) {
      expect(await commandsOf(async () => store.read(address))).toEqual({ get: 1, zrangebyscore: 1 });
    }
    expect(await commandsOf(async () => store.readMany(['d:a', 'd:b']))).toEqual({ mget: 1, zrangebyscore: 1 });
    expect((await store.read('d:a')).found?.state).toBe('stale');
  });

  it('needs no Redis at all within the bound', async () => {
    const { store } = open({ maxStaleness: '1h' });
    await keep(store, 'd:k', large);
    await keep(store, 'h:k', large);
    await store.read('d:k');
    const commands = await commandsOf(async () => {
      for (let i = 0; i < 100; i++) {
        expect(store.read('d:k')).toMatchObject({ found: { state: 'fresh' } });
        expect(store.read('h:k')).toMatchObject({ found: { state: 'fresh' } });
      }
      await store.readMany(['d:k', 'h:k']);
    });
    expect(commands).toEqual({});
  });

  it('that is missing is fetched with all others that are, by one command', async () => {
    const { store } = open({ maxStaleness: '1h' });
    const [one, other] = [store, open({ maxStaleness: '1h' }).store];
    for (const address of ['d:a', 'd:b', 'd:c']) await keep(other, address);
    await one.read('d:a');
    expect(await commandsOf(async () => one.readMany(['d:a', 'd:b', 'd:c']))).toEqual({ mget: 1 });
    expect(await commandsOf(async () => one.readMany(['d:a', 'd:b', 'd:c']))).toEqual({});
  });

  it('is counted', async () => {
    const { store, tier } = open({ maxStaleness: '1h' });
    await keep(store, 'd:k', { body: Buffer.alloc(1_000) });
    await store.read('d:k');
    await store.read('d:missing');
    const { entries, hits, misses, bytes } = tier?.statistics() ?? {};
    expect({ entries, hits, misses }).toEqual({ entries: 1, hits: 1, misses: 2 });
    expect(bytes).toBeGreaterThan(1_000);
    expect(bytes).toBeLessThan(2_000);
  });

  it('is not kept of what would push out everything else, and all of them keep within the bound', async () => {
    const { store, tier } = open({ memory: '64kb', maxStaleness: '1h' });
    await keep(store, 'd:small');
    await keep(store, 'd:large', { body: Buffer.alloc(20_000) });
    expect(tier?.statistics().entries).toBe(1);
    for (let i = 0; i < 100; i++) await keep(store, `d:${i}`, { body: Buffer.alloc(1_000) });
    expect(tier?.statistics().bytes).toBeLessThanOrEqual(65_536);
    expect(tier?.statistics().entries).toBeGreaterThan(20);
  });
});

describe('what another process changes', () => {
  it('is seen at once in strong mode: set, deleted, given another lifetime, evicted', async () => {
    const [one, other] = [open().store, open().store];
    await putText(one, 'd:k', 'first');
    expect(await textAt(one, 'd:k')).toBe('first');
    await putText(other, 'd:k', 'second');
    expect(await textAt(one, 'd:k')).toBe('second');
    const { bytes } = await other.read('d:k');
    await other.renew('d:k', bytes ?? Buffer.alloc(0), { freshMs: 500, staleMs: 0 });
    expect((await one.read('d:k')).found?.entry.freshMs).toBe(500);
    await sleep(550);
    expect(await textAt(one, 'd:k')).toBeUndefined();
    await putText(one, 'd:k', 'third');
    await other.remove('d:k');
    expect(await textAt(one, 'd:k')).toBeUndefined();
    await putText(one, 'd:k', 'fourth');
    await admin.unlink(...(await admin.keys(`${prefix}:e:*`)));
    expect(await textAt(one, 'd:k')).toBeUndefined();
  });

  it.each([
    ['deletes', (store: CacheStore) => store.remove('d:k')],
    ['sets', (store: CacheStore) => putText(store, 'd:k', 'new')],
    ['invalidates', (store: CacheStore) => store.register.invalidate([{ mode: 'hard', kind: 'key', value: 'd:d:k' }])],
  ])('is seen within the bound when it %s, without any broadcast', async (_what, change) => {
    const [one, other] = [open({ maxStaleness: '200ms' }).store, open({ maxStaleness: '200ms' }).store];
    await putText(one, 'd:k', 'old');
    expect(await textAt(one, 'd:k')).toBe('old');
    await killSubscribers();
    await change(other);
    const changedAt = performance.now();
    const late: (string | undefined)[] = [];
    while (late.length < 20) {
      const askedAt = performance.now();
      const text = await textAt(one, 'd:k');
      if (askedAt - changedAt > 200) late.push(text);
      await sleep(3);
    }
    expect(late).not.toContain('old');
  });

  it('is fetched when a copy is stale, and Redis has what has taken its place', async () => {
    const [one, other] = [open().store, open().store];
    await keep(one, 'h:k', { tags: ['t'], body: Buffer.from('old') });
    expect(await textAt(one, 'h:k')).toBe('old');
    await other.register.invalidate([{ mode: 'soft', kind: 'tag', value: 't' }]);
    expect((await one.read('h:k')).found?.state).toBe('stale');
    await keep(other, 'h:k', { tags: ['t'], body: Buffer.alloc(10_000, 'new') });
    expect((await one.read('h:k', 'head')).found).toMatchObject({ state: 'fresh', entry: { bodyBytes: 10_000 } });
    expect((await one.read('h:k')).found).toMatchObject({ state: 'fresh' });
    expect(await textAt(one, 'h:k')).toMatch(/^new/);
  });

  async function killSubscribers(): Promise<void> {
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  }
});

describe('what this process changes', () => {
  it('is seen at once by itself, within any bound', async () => {
    const { store } = open({ maxStaleness: '1h' });
    for (const text of ['first', 'second']) {
      await putText(store, 'd:k', text);
      expect(await textAt(store, 'd:k')).toBe(text);
    }
    await store.remove('d:k');
    expect(await textAt(store, 'd:k')).toBeUndefined();
  });

  it('is not undone by a read that was under way', async () => {
    const { store } = open({ maxStaleness: '1h' });
    const other = open({ maxStaleness: '1h' }).store;
    for (let i = 0; i < 50; i++) {
      await putText(other, `d:${i}`, 'old');
      const { stamp } = await store.read('d:none');
      const reading = store.read(`d:${i}`); // Sent before, and answered before what follows is.
      const putting = store.put(
        `d:${i}`,
        draftOf(stamp ?? { generation: 0, clock: 0 }, `d:${i}`, { body: Buffer.from('new') }),
      );
      await Promise.all([reading, putting]);
      expect(await textAt(store, `d:${i}`)).toBe('new');
      await putText(other, `d:removed${i}`, 'old');
      const again = store.read(`d:removed${i}`);
      await Promise.all([again, store.remove(`d:removed${i}`)]);
      expect(await textAt(store, `d:removed${i}`)).toBeUndefined();
    }
  });
});

describe('what this process changes while it looks at the value before', () => {
  const body = Buffer.from('new');

  it.each<[string, string | undefined, (store: CacheStore, stamp: Stamp, seen: Buffer) => Promise<unknown>]>([
    ['put', 'new', async (store, stamp) => store.put('d:k', draftOf(stamp, 'd:k', { body }))],
    ['putIfSeen', 'new', async (store, stamp, seen) => store.putIfSeen('d:k', draftOf(stamp, 'd:k', { body }), seen)],
    ['renew', undefined, async (store, _stamp, seen) => store.renew('d:k', seen, { freshMs: 1, staleMs: 0 })],
    ['remove', undefined, async (store) => store.remove('d:k')],
  ])('stays so when that look takes longer: %s', async (_what, expected, change) => {
    const { place } = open();
    if (place.connection === undefined) throw new Error('unreachable');
    const tier = createMemoryTier(1_000_000);
    const redis = createRedisStore(place.connection, place.keys, place.register, () => {
      const since = tier.now();
      return (bytes) => tier.keep('d:k', bytes, since);
    });
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const slowly = async <T>(reading: T | Promise<T>): Promise<T> => {
      const read = await reading;
      await ended;
      return read;
    };
    const slow: RedisStore = {
      ...redis,
      read: async (address) => slowly(redis.read(address)),
      readMany: async (addresses) => slowly(redis.readMany(addresses)),
    };
    const options = { redis: slow, tier, maxStalenessMs: 3_600_000 } as const;
    const store = createTieredStore({ ...options, onUnverifiable: 'bypass' });
    await putText(redis, 'd:k', 'old');
    tier.drop('d:k');
    const { stamp, bytes } = await redis.read('d:k');
    const look = store.read('d:k');
    const lookAtMany = store.readMany(['d:k']);
    await change(store, stamp ?? { generation: 0, clock: 0 }, bytes ?? Buffer.alloc(0));
    await sleep(10);
    end();
    await look;
    await lookAtMany;
    expect(tier.get('d:k')?.entry.body.toString()).toBe(expected);
  });
});

describe('what is kept in memory', () => {
  it('is as old as the question about it, not as its answer', async () => {
    const { place } = open();
    if (place.connection === undefined) throw new Error('unreachable');
    const tier = createMemoryTier(1_000_000);
    const redis = createRedisStore(place.connection, place.keys, place.register);
    const slow: RedisStore = {
      ...redis,
      read: async (address) => sleep(30, await redis.read(address)),
      isCurrent: async (address, bytes) => sleep(30, await redis.isCurrent(address, bytes)),
    };
    const store = createTieredStore({ redis: slow, tier, maxStalenessMs: 0, onUnverifiable: 'bypass' });
    await putText(redis, 'd:k', 'copy');
    let before = -1;
    for (let i = 0; i < 2; i++) {
      await store.read('d:k');
      const verifiedAt = tier.get('d:k')?.verifiedAt ?? Infinity;
      expect(performance.now() - verifiedAt).toBeGreaterThan(25);
      expect(verifiedAt).toBeGreaterThan(before);
      before = verifiedAt;
    }
  });

  it('is not what was read before a change that so many others followed that it is forgotten', () => {
    const tier = createMemoryTier(1_000_000);
    const since = tier.now();
    for (let i = 0; i <= 10_000; i++) tier.drop(`d:${i}`);
    tier.keep('d:0', encodeEntry(draftOf({ generation: 1, clock: 1 }, 'd:0'), 0), since);
    expect(tier.get('d:0')).toBeUndefined();
    tier.keep('d:0', encodeEntry(draftOf({ generation: 1, clock: 1 }, 'd:0'), 0), tier.now());
    expect(tier.get('d:0')).toBeDefined();
  });
});

describe('where Redis answers one of two questions only', () => {
  it.each(['getrange', 'zrangebyscore'])('a copy is not returned: not %s', async (command) => {
    await admin.acl('SETUSER', 'half', 'on', '>secret', '~*', '&*', '+@all');
    const redis = closedLater(new Redis({ port: server.port, username: 'half', password: 'secret' }));
    const { store } = open({ redis, maxStaleness: '200ms' });
    await putText(store, 'd:k', 'copy');
    expect(await textAt(store, 'd:k')).toBe('copy');
    await admin.acl('SETUSER', 'half', `-${command}`);
    await sleep(210);
    expect([await textAt(store, 'd:k'), await textAt(store, 'd:k')]).toEqual([undefined, undefined]);
  });
});

describe('while Redis is away', () => {
  it.each(['bypass', 'serve'] as const)('copies are as onUnverifiable says: %s', async (onUnverifiable) => {
    const own = await startRedis();
    try {
      const redis = closedLater(new Redis({ port: own.port, retryStrategy: () => 20 }));
      const backend = backendOf({ redis, prefix, memory: '1mb', onUnverifiable, deadline: '300ms' });
      const { store } = backend;
      await keep(store, 'd:k', { freshMs: 3_000, body: Buffer.from('copy') });
      await keep(store, 'h:k', { body: Buffer.from('copy') });
      await keep(store, 'd:gone', { body: Buffer.from('copy') });
      await redis.unlink(backend.place.keys.entry('d:gone'));
      expect(await textAt(store, 'd:gone')).toBeUndefined();
      await own.kill();
      await eventually('the outage to be noticed', async () =>
        (await store.read('d:missing')).stamp === undefined ? true : undefined,
      );
      const expected = onUnverifiable === 'serve' ? 'copy' : undefined;
      expect([await textAt(store, 'd:k'), await textAt(store, 'h:k')]).toEqual([expected, expected]);
      expect(await textAt(store, 'd:gone')).toBeUndefined(); // It was seen to be no more.
      expect((await store.readMany(['d:k', 'd:missing'])).map(({ found }) => found?.entry.body.toString())).toEqual([
        expected,
        undefined,
      ]);
      await expect(store.register.invalidate([{ mode: 'hard', kind: 'key', value: 'd:h:k' }])).rejects.toThrow('Redis');
      expect(await textAt(store, 'h:k')).toBeUndefined(); // It heeds its own all the same.
      await sleep(3_000);
      expect(await textAt(store, 'd:k')).toBeUndefined();
      backend.close();
    } finally {
      await own.stop();
    }
  });
});
