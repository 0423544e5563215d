import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisError } from '../../src/core/errors.ts';
import { createWriteBehind } from '../../src/writing/write-behind.ts';
import { closedLater } from '../support/connections.ts';
import { eventually } from '../support/outages.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { createSink, type Opened, openBehind, type Sink } from './write-behinds.ts';

let server: RedisProcess;
let admin: Redis;
let sink: Sink<number>;

beforeAll(async () => {
  server = await startRedis();
  admin = connect();
});
afterAll(() => server.stop());
afterEach(async () => {
  server.thaw();
  await eventually('the server to answer', () => admin.config('SET', 'maxmemory', '0').catch(() => undefined));
  await admin.replicaof('NO', 'ONE');
});

function connect(): Redis {
  return closedLater(new Redis(server.port, server.host, { retryStrategy: () => 50 }));
}

async function open(): Promise<Opened<number>> {
  sink = createSink<number>();
  const client = connect();
  const opened = openBehind<number>(
    client,
    { write: sink.write, flushInterval: '20ms', collapse: 'none', partitions: 2 },
    { deadline: '100ms' },
  );
  await eventually('the connection', () => client.ping().catch(() => undefined));
  return opened;
}

/** Changes one key until a change is acknowledged again, and tells which were. */
async function changeUntilAcknowledged(opened: Opened<number>, from: number): Promise<number> {
  let n = from;
  await eventually('a write to be acknowledged', async () => {
    n++;
    return opened.behind.set('a', n).then(
      () => n,
      () => undefined,
    );
  });
  return n;
}

async function untilWritten(n: number): Promise<void> {
  await eventually(`${n} to be written`, () => (sink.all().some(([, value]) => value === n) ? true : undefined));
}

/** None comes before one that is older than it. */
function expectUpwards(): void {
  const numbers = sink.all().map(([, value]) => value ?? NaN);
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
}

describe('a write-behind whose Redis', () => {
  it('hangs rejects in time, and writes on when it is back', async () => {
    const opened = await open();
    await opened.behind.set('a', 1);
    server.freeze();
    const rejected = await opened.behind.set('a', 2).catch((error: unknown) => error);
    expect(rejected).toBeInstanceOf(RedisError);
    await expect(opened.behind.set('a', 3)).rejects.toThrow('former write'); // Which may still come.
    expect(await opened.behind.get('a')).toBeUndefined(); // It could be anything.
    const former = { ...opened.cache, get: async <T>() => 0 as T };
    const other = createWriteBehind<number>(opened.backend, former, 'other', { write: sink.write, consumer: 'off' });
    expect(await other.get('a')).toBeUndefined(); // Whatever the cache says.
    server.thaw();
    const acknowledged = await changeUntilAcknowledged(opened, 3);
    await untilWritten(1);
    await untilWritten(acknowledged);
    expectUpwards();
  });

  it('does not answer before the connection breaks gets a record twice, and keeps one', async () => {
    const client = connect();
    const { behind, prefix } = openBehind<number>(client, { write: createSink<number>().write, consumer: 'off' });
    await behind.set('a', 1);
    server.freeze();
    const set = behind.set('b', 2);
    await sleep(20);
    client.stream.destroy();
    await sleep(100);
    server.thaw();
    await set;
    expect(await behind.pending()).toBe(2);
    const values = await admin.keys(`${prefix}:wb:*:v:*`);
    expect(await Promise.all(values.map((value) => admin.pttl(value)))).toEqual([-1, -1]); // None ends by itself.
  });

  it('forgets its scripts does not notice', async () => {
    const opened = await open();
    for (let n = 1; n <= 10; n++) {
      await admin.script('FLUSH');
      await opened.behind.set('a', await changeUntilAcknowledged(opened, n * 10));
    }
    expect(await opened.behind.drain({ timeout: '5s' })).toBe(true);
    expectUpwards();
  });

  it('is full takes nothing, and writes what it has, which makes room', async () => {
    const opened = await open();
    const { behind } = opened;
    await behind.close();
    const other = openBehind<number>(connect(), { write: sink.write, consumer: 'on' }, { prefix: opened.prefix });
    await changeUntilAcknowledged(other, 0);
    await admin.config('SET', 'maxmemory', '1');
    const full = await other.behind.set('b', 1).catch((error: unknown) => error);
    expect(full).toBeInstanceOf(RedisError);
    expect(String(full)).toContain('OOM');
    expect(await other.behind.drain({ timeout: '5s' })).toBe(true);
    expect(sink.all().map(([key]) => key)).toEqual(['a']);
  });

  it('has become a read-only replica rejects, and loses nothing', async () => {
    const opened = await open();
    const { behind } = opened;
    await admin.replicaof('127.0.0.1', 1);
    const refused = await behind.set('a', 1).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RedisError);
    expect(String(refused)).toContain('READONLY');
    await admin.replicaof('NO', 'ONE');
    await untilWritten(await changeUntilAcknowledged(opened, 1));
    expect(sink.all().map(([, value]) => value)).not.toContain(1);
  });

  it('is away when it is closed does not keep it', async () => {
    const { behind } = await open();
    await behind.set('a', 1);
    server.freeze();
    const closed = behind.close().then(() => 'closed');
    expect(await closed).toBe('closed');
    server.thaw();
  });
});
