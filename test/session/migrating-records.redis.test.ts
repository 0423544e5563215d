import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis, type RedisOptions } from 'ioredis';
import { randomBytes } from 'node:crypto';
import { TimeoutError } from '../../src/core/errors.ts';
import { connectionOf } from '../../src/redis/connection.ts';
import { createKeys } from '../../src/redis/keys.ts';
import { refOf } from '../../src/session/handle.ts';
import { createHashRecords } from '../../src/session/hash-records.ts';
import { createJsonRecords, type JsonRecords } from '../../src/session/json-records.ts';
import { createMigratingRecords } from '../../src/session/migrating-records.ts';
import type { SessionRecords, SessionRef } from '../../src/session/records.ts';
import { noSeal } from '../../src/session/seal.ts';
import { closedLater, testRedis, uniquePrefix } from '../support/connections.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { gate } from '../support/waiting.ts';

type Held = (
  hash: SessionRecords,
  json: JsonRecords,
) => { hash?: Partial<SessionRecords>; json?: Partial<JsonRecords> };

/** The records of one process; what is `held` takes the place of parts of it. */
function recordsOn(client: Redis, prefix: string, held: Held = () => ({}), deadlineMs = 5_000): SessionRecords {
  const connection = connectionOf(client, deadlineMs);
  const settings = { absoluteMs: Infinity, onConflict: 'overwrite' } as const;
  const hash = createHashRecords({ connection, keys: createKeys(prefix), seal: noSeal, ...settings });
  const json = createJsonRecords({ connection, prefix: `${prefix}:old:`, ...settings });
  const parts = held(hash, json);
  return createMigratingRecords({
    hash: { ...hash, ...parts.hash },
    json: { ...json, ...parts.json },
    format: 'hash',
    onConflict: 'overwrite',
  });
}

/** A session that connect-redis has left. */
async function leave(client: Redis, prefix: string): Promise<SessionRef> {
  const ref = refOf(randomBytes(24).toString('base64url'));
  await client.set(`${prefix}:old:${ref.id}`, '{"cookie":{},"user":"ada"}', 'PX', 60_000);
  return ref;
}

/** Reads a session; what it returns moves it with a change. */
async function mover(records: SessionRecords, ref: SessionRef): Promise<() => Promise<unknown>> {
  const base = await records.read(ref);
  if (base === undefined || base === 'corrupt') throw new Error('There is no session');
  const fields = new Map(base.fields).set('views', '1');
  return () => records.write(ref, { base, fields, changed: ['views'], removed: [], idleMs: 60_000, indexedUntil: 0 });
}

const fieldsOf = async (records: SessionRecords, ref: SessionRef): Promise<unknown> => {
  const found = await records.read(ref);
  return found === 'corrupt' ? found : found && Object.fromEntries(found.fields);
};

describe('a session that another process moves into a hash between two questions', () => {
  const redis = testRedis();

  async function movedBetween(held: (move: () => Promise<unknown>) => Held): Promise<[SessionRecords, SessionRef]> {
    const prefix = uniquePrefix();
    const ref = await leave(redis, prefix);
    const move = await mover(recordsOn(redis, prefix), ref);
    return [recordsOn(redis, prefix, held(move)), ref];
  }

  it('is there', async () => {
    const [records, ref] = await movedBetween((move) => (_hash, json) => ({
      json: { exists: async (asked) => (await move(), json.exists(asked)) },
    }));
    expect(await records.exists(ref)).toBe(true);
  });

  it('is there while it is on its way, too', async () => {
    const prefix = uniquePrefix();
    const ref = await leave(redis, prefix);
    const claimed = gate();
    const arriving = gate();
    const held: Held = (hash) => ({
      hash: { write: async (...args) => (claimed.open(), await arriving.passed, hash.write(...args)) },
    });
    const move = await mover(recordsOn(redis, prefix, held), ref);
    const moved = move();
    await claimed.passed;
    const exists = recordsOn(redis, prefix).exists(ref);
    await redis.ping();
    arriving.open();
    expect(await exists).toBe(true);
    await moved;
  });

  it('is not taken for ended by who uses it', async () => {
    const [records, ref] = await movedBetween((move) => (_hash, json) => ({
      json: { touch: async (...args) => (await move(), json.touch(...args)) },
    }));
    const touch = { idleMs: 60_000, everyMs: 0, createdAt: Date.now(), indexedUntil: 0 };
    expect(await records.touch(ref, touch)).toBe('touched');
  });

  it('is ended by who ends it', async () => {
    const [records, ref] = await movedBetween((move) => (_hash, json) => ({
      json: { take: async (asked) => (await new Promise(setImmediate), await move(), json.take(asked)) },
    }));
    expect(await records.remove(ref)).toBeDefined();
    expect(await records.read(ref)).toBeUndefined();
  });

  it('is among all of them', async () => {
    const [records, ref] = await movedBetween((move) => (hash, json) => {
      let scans = 0;
      const held = (scan: SessionRecords['scan']): SessionRecords['scan'] =>
        async function* () {
          if (++scans === 2) await move();
          yield* scan();
        };
      return { hash: { scan: held(hash.scan) }, json: { scan: held(json.scan) } };
    });
    const found = new Set<string>();
    for await (const refs of records.scan()) for (const { handle } of refs) found.add(handle);
    expect([...found]).toEqual([ref.handle]);
  });
});

describe('a session stays as it was', () => {
  let server: RedisProcess;
  let admin: Redis;
  const connect = (options: RedisOptions = {}): Redis =>
    closedLater(new Redis({ port: server.port, disconnectTimeout: 50, ...options } as { port: number }));
  beforeAll(async () => {
    server = await startRedis();
    admin = connect();
  });
  afterAll(() => server.stop());

  it('when its move began only after nobody waited for it any more', async () => {
    const prefix = uniquePrefix();
    const ref = await leave(admin, prefix);
    const client = connect();
    const records = recordsOn(client, prefix, undefined, 100);
    const move = await mover(records, ref);
    await client.ping();
    server.freeze();
    await expect(move()).rejects.toBeInstanceOf(TimeoutError);
    server.thaw();
    expect(await fieldsOf(recordsOn(admin, prefix), ref)).toEqual({ cookie: '{}', user: '"ada"' });
    expect(await admin.pttl(`${prefix}:old:${ref.id}`)).toBeGreaterThan(5_000);
  });

  it('when Redis refuses its hash', async () => {
    const prefix = uniquePrefix();
    const ref = await leave(admin, prefix);
    const rules = ['on', 'nopass', '+@all', `~${prefix}:old:*`, `%R~${prefix}:sess:*`];
    await admin.acl('SETUSER', 'reader', ...rules);
    const records = recordsOn(connect({ username: 'reader', password: 'any' }), prefix);
    const move = await mover(records, ref);
    await expect(move()).rejects.toThrow(/perm/i);
    expect(await fieldsOf(records, ref)).toEqual({ cookie: '{}', user: '"ada"' });
    await (
      await mover(recordsOn(admin, prefix), ref)
    )();
    expect(await fieldsOf(recordsOn(admin, prefix), ref)).toEqual({ cookie: '{}', user: '"ada"', views: '1' });
  });
});
