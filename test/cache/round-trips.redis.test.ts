import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createServer, connect as connectTo, type AddressInfo, type Server } from 'node:net';
import type { EntryDraft } from '../../src/cache/entry.ts';
import { createRedisStore } from '../../src/cache/redis-store.ts';
import { connectionOf } from '../../src/redis/connection.ts';
import type { Register } from '../../src/register/register.ts';
import { createSuite } from '../../src/suite.ts';
import { closedLater, uniquePrefix } from '../support/connections.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { openProcess, type Process, until } from '../register/processes.ts';

let server: RedisProcess;
let proxy: Server;
let trips = 0;
beforeAll(async () => {
  server = await startRedis();
  proxy = await startCountingProxy(server.port);
});
afterAll(async () => {
  proxy.close();
  await server.stop();
});

/** Passes everything on, and counts how often something is sent after an answer. Answers wait a moment, so that all of a trip is under way by then. */
async function startCountingProxy(port: number): Promise<Server> {
  const counting = createServer((inside) => {
    const outside = connectTo(port, '127.0.0.1');
    let isAnswered = true;
    inside.on('data', (chunk) => {
      if (isAnswered) trips++;
      isAnswered = false;
      outside.write(chunk);
    });
    outside.on('data', (chunk) =>
      setTimeout(() => {
        isAnswered = true;
        inside.write(chunk);
      }, 5),
    );
    for (const [from, to] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => counting.listen(0, '127.0.0.1', resolve));
  return counting;
}

/** The round trips that something takes. */
async function tripsOf(work: () => unknown): Promise<number> {
  const before = trips;
  await work();
  return trips - before;
}

async function open(port: number, maxStalenessMs: number): Promise<Process> {
  const client = closedLater(new Redis({ port }));
  const process = openProcess(client, { prefix: uniquePrefix(), maxStalenessMs });
  const stamp = await process.stampNow();
  await process.store.write('d:k', { ...DRAFT, stamp });
  await process.store.read('d:k');
  if (maxStalenessMs > 0) await until(async () => (await client.pubsub('NUMSUB', process.keys.news))[1] === 1);
  return process;
}

const DRAFT: EntryDraft = {
  key: 'd:k',
  tags: ['a'],
  stamp: { generation: 0, clock: 0 },
  flags: 0,
  freshMs: 60_000,
  staleMs: 0,
  computeMs: 0,
  metadata: '',
  body: Buffer.from('body'),
};

/** What connecting and counting take themselves. */
const OWN_COMMANDS = /^(?:info|hello|select|config|client)\b/;

/** The commands that the server ran meanwhile. */
async function commandsOf(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const admin = closedLater(new Redis({ port: server.port }));
  await admin.config('RESETSTAT');
  await work();
  const counts = [...(await admin.info('commandstats')).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)];
  return Object.fromEntries(
    counts.flatMap(([, name = '', calls]) => (OWN_COMMANDS.test(name) ? [] : [[name, Number(calls)]])),
  );
}

describe('a hit', () => {
  it('is a GET and one question to the register in strong mode', async () => {
    const { store } = await open(server.port, 0);
    expect(await commandsOf(async () => expect((await store.read('d:k')).found?.state).toBe('fresh'))).toEqual({
      get: 1,
      zrangebyscore: 1,
    });
  });

  it('shares its question with all reads of the same turn', async () => {
    const { store } = await open(server.port, 0);
    expect(
      await commandsOf(() => Promise.all(Array.from({ length: 50 }, async (_, i) => store.read(`d:${i}`)))),
    ).toEqual({ get: 50, zrangebyscore: 1 });
  });

  it('is one GET for all who read the same one right after the other', async () => {
    const { store } = await open(server.port, 0);
    const readAll = async (...reads: Parameters<typeof store.read>[]): Promise<void> => {
      const lookups = await Promise.all(reads.map(async (read) => store.read(...read)));
      expect(lookups.map(({ found }) => found?.state)).toEqual(reads.map(() => 'fresh'));
    };
    const fifty = Array.from({ length: 50 }, (): ['d:k'] => ['d:k']);
    expect(await commandsOf(() => readAll(...fifty))).toEqual({ get: 1, zrangebyscore: 1 });
    const parts = await commandsOf(() => readAll(['d:k'], ['d:k', 'head'], ['d:k', 'head'], ['d:k']));
    expect(parts).toEqual({ get: 2, getrange: 1, zrangebyscore: 1 });
  });

  it('is none after a removal, even if that was sent in the same turn', async () => {
    const { store } = await open(server.port, 0);
    const [before, , after] = await Promise.all([store.read('d:k'), store.remove('d:k'), store.read('d:k')]);
    expect([before.found?.state, after.found]).toEqual(['fresh', undefined]);
  });

  it('is one GET in bounded mode', async () => {
    const { store } = await open(server.port, 3_600_000);
    expect(await commandsOf(async () => expect((await store.read('d:k')).found?.state).toBe('fresh'))).toEqual({
      get: 1,
    });
  });

  it.each([
    ['strong', 0],
    ['bounded', 3_600_000],
  ])('takes one round trip in %s mode', async (_, maxStalenessMs) => {
    const { store } = await open((proxy.address() as AddressInfo).port, maxStalenessMs);
    for (let i = 0; i < 5; i++) expect(await tripsOf(() => store.read('d:k'))).toBe(1);
  });
});

describe('what the register cannot vouch for', () => {
  it('is not served, and nothing may be stored in its place', async () => {
    const { client, keys, register } = await open(server.port, 0);
    const read = (refresh: Register['refresh']): unknown =>
      createRedisStore(connectionOf(client, undefined), keys, { ...register, refresh }).read('d:k');
    expect(await read(async () => false)).toEqual({});
    expect(await read(async () => true)).toMatchObject({ found: { state: 'fresh' }, stamp: {} });
  });

  it('is asked for after the entry, whose answer would prove nothing otherwise', async () => {
    const { client, keys, register } = await open(server.port, 0);
    const order: string[] = [];
    const getBuffer = client.getBuffer.bind(client);
    client.getBuffer = (...args: Parameters<typeof getBuffer>) => {
      order.push('entry');
      return getBuffer(...args);
    };
    const refresh = (): true => {
      order.push('register');
      return true;
    };
    await createRedisStore(connectionOf(client, undefined), keys, { ...register, refresh }).read('d:k');
    expect(order).toEqual(['entry', 'register']);
  });
});

describe('everything else', () => {
  it('is a miss with the same two commands, a store with one, an invalidation with one', async () => {
    const { store, purgeTags } = await open(server.port, 0);
    expect(await commandsOf(async () => store.read('d:nothing'))).toEqual({ get: 1, zrangebyscore: 1 });
    const stamp = store.register.stamp() as EntryDraft['stamp'];
    expect(await commandsOf(() => store.write('d:k', { ...DRAFT, stamp }))).toEqual({ set: 1 });
    const { evalsha } = await commandsOf(() => purgeTags('x', 'y', 'z'));
    expect(evalsha).toBe(1);
    // Nothing of these in the register: it would age all other entries.
    expect(await commandsOf(() => store.remove('d:k'))).toEqual({ multi: 1, set: 1, unlink: 1, exec: 1 });
    expect(await commandsOf(() => store.put('d:k', { ...DRAFT, stamp }))).toEqual({
      multi: 1,
      set: 2,
      unlink: 1,
      exec: 1,
    });
  });

  it('is a batch of values: one round trip, and one before it for what they are stamped with', async () => {
    const redis = closedLater(new Redis({ port: (proxy.address() as AddressInfo).port }));
    const suite = createSuite({ redis, prefix: uniquePrefix(), deadline: '5s' });
    const { data } = suite;
    await data.set('k', 1);
    expect(await tripsOf(() => data.setMany({ a: 1, b: 2, c: 3 }))).toBe(2);
    expect(await tripsOf(() => data.getMany(['a', 'b', 'c', 'k']))).toBe(1);
    expect(await tripsOf(() => data.deleteMany(['a', 'b']))).toBe(1);
    await suite.close();
  });

  it('is an invalidation in one round trip', async () => {
    const { purgeTags } = await open((proxy.address() as AddressInfo).port, 0);
    await purgeTags('a');
    expect(await tripsOf(() => purgeTags('a', 'b'))).toBe(1);
  });
});
