import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis, type RedisOptions } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { CircuitOpenError, RedisError, TimeoutError } from '../../src/core/errors.ts';
import { closedLater } from '../support/connections.ts';
import { type RedisProcess, reservePort, startRedis } from '../support/redis-server.ts';
import { type Guarded, guarded, type Outcome, stall, summary, until } from './guarded.ts';
import { runningTime } from '../support/running-time.ts';

const DEADLINE_MS = 100;
/** What a timer may be late on a busy machine. */
const TOLERANCE_MS = 60;

let server: RedisProcess;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

function connect(options: RedisOptions = {}): Redis {
  return closedLater(
    new Redis({ port: server.port, retryStrategy: () => 50, disconnectTimeout: 50, ...options } as { port: number }),
  );
}

async function connected(options: RedisOptions = {}): Promise<Redis> {
  const client = connect(options);
  await client.ping();
  return client;
}

function times<T>(count: number, call: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => call(i));
}

function longest(outcomes: readonly Outcome[]): number {
  return Math.max(...outcomes.map(({ tookMs }) => tookMs));
}

describe('a guarded call', () => {
  let client: Redis;
  let g: Guarded;
  const get = (): Promise<Outcome> => g.call('a', () => client.get('a'));

  beforeEach(async () => {
    client = await connected();
    g = guarded(client, { deadlineMs: DEADLINE_MS });
  });
  afterEach(() => {
    server.thaw();
    client.disconnect();
  });

  it('passes the reply on', async () => {
    await client.set('a', '1');
    expect((await get()).reply).toBe('1');
  });

  it('answers with its fallback at the deadline when Redis is silent', async () => {
    server.freeze();
    const askedAt = performance.now();
    const { error, tookMs } = await get();
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT', operation: 'test', timeoutMs: DEADLINE_MS });
    expect(performance.now() - askedAt).toBeGreaterThan(DEADLINE_MS - 5);
    expect(tookMs).toBeLessThan(DEADLINE_MS + TOLERANCE_MS);
  });

  it('fails with an error that shows nobody what was sent', async () => {
    await client.set('text', 'x');
    const sent = [
      () => client.hset('text', 'name', 'my own thoughts'),
      () => client.multi().set('text', 'my own thoughts').call('set', 'my own thoughts').exec(),
    ];
    for (const send of sent) {
      const { error } = await g.call('text', send);
      expect(error?.cause).toBeInstanceOf(Error);
      expect(inspect(error, { depth: Infinity })).not.toContain('thoughts');
    }
  });

  it('rejects with the error that its fallback throws', async () => {
    server.freeze();
    const call = g.guard(
      {
        operation: 'test',
        key: 'a',
        fallback: (error) => {
          throw error;
        },
      },
      () => client.get('a'),
    );
    await expect(call).rejects.toBeInstanceOf(TimeoutError);
  });

  it('does not take a reply for missing that arrived while the event loop was stalled', async () => {
    const outcomes: Outcome[] = [];
    for (let round = 0; round < 20; round++) {
      const outcome = get();
      stall(DEADLINE_MS + 30);
      outcomes.push(await outcome);
    }
    expect(summary(outcomes)).toEqual({ reply: 20 });
  });

  it('waits no more once five calls in a row have failed, and says so once', async () => {
    server.freeze();
    expect(summary(await Promise.all(times(5, get)))).toEqual({ timeout: 5 });
    const outcomes: Outcome[] = [];
    let hasTurned = false;
    setImmediate(() => (hasTurned = true));
    for (let i = 0; i < 1_000; i++) outcomes.push(await get());
    expect(hasTurned).toBe(false); // No timer and no answer can have been waited for: the event loop has not turned.
    expect(summary(outcomes)).toEqual({ ERR_CIRCUIT_OPEN: 1_000 });
    expect(outcomes[0]?.error).toBeInstanceOf(CircuitOpenError);
    expect(g.incidents).toEqual(['degraded redis']);
  });

  it('sends nothing but one probe while Redis is away', async () => {
    server.freeze();
    await Promise.all(times(5, get));
    for (let i = 0; i < 10; i++) {
      await sleep(60);
      await Promise.all(times(100, get));
    }
    const { commandQueue } = client as unknown as { commandQueue: { length: number } };
    expect(commandQueue.length).toBeLessThanOrEqual(6); // The five that failed, and the probe.
  });

  it('is sent again soon after Redis is back, and says so once', async () => {
    server.freeze();
    await Promise.all(times(8, get));
    await sleep(300);
    server.thaw();
    const thawedAt = runningTime();
    await until('recovery', () => g.incidents.length === 2);
    expect(runningTime() - thawedAt).toBeLessThan(500);
    expect(summary(await Promise.all(times(10, get)))).toEqual({ reply: 10 });
    expect(g.incidents).toEqual(['degraded redis', 'recovered redis']);
  });

  it('tells every incident once, however often Redis goes away', async () => {
    for (let round = 1; round <= 2; round++) {
      server.freeze();
      await Promise.all(times(8, get));
      await Promise.all(times(8, get));
      server.thaw();
      await until('recovery', () => g.incidents.length === 2 * round);
    }
    expect(g.incidents).toEqual(['degraded redis', 'recovered redis', 'degraded redis', 'recovered redis']);
  });

  it('is refused at once while too many are unanswered, and sent again when they are answered', async () => {
    g = guarded(client, { deadlineMs: DEADLINE_MS, maxInFlight: 4 });
    server.freeze();
    const outcomes = await Promise.all(times(20, get));
    expect(summary(outcomes)).toEqual({ timeout: 4, ERR_REDIS: 16 });
    expect(longest(outcomes.filter(({ error }) => !(error instanceof TimeoutError)))).toBeLessThan(TOLERANCE_MS);
    // Those given up are unanswered still.
    expect(summary(await Promise.all(times(3, get)))).toEqual({ ERR_REDIS: 3 });
    expect(g.incidents).toEqual([]);
    server.thaw();
    await client.ping();
    await sleep(20);
    expect((await get()).error).toBeUndefined();
  });

  it.each([
    ['WRONGTYPE', 'WRONGTYPE Operation against a key holding the wrong kind of value'],
    ['OOM', "OOM command not allowed when used memory > 'maxmemory'."],
    ['READONLY', "READONLY You can't write against a read only replica."],
    ['NOPERM', 'NOPERM this user has no permissions'],
    ['BUSYGROUP', 'BUSYGROUP whatever'],
  ])('takes an error reply (%s) for an answer: Redis is there', async (code, message) => {
    const fail = (): Promise<Outcome> =>
      g.call('a', () => client.eval('return redis.error_reply(ARGV[1])', 1, 'a', message));
    const outcomes = await Promise.all(times(50, fail));
    expect(summary(outcomes)).toEqual({ ERR_REDIS: 50 });
    expect(outcomes[0]?.error).toBeInstanceOf(RedisError);
    expect(outcomes[0]?.error?.message).toContain(code);
    expect(outcomes[0]?.error?.cause).toMatchObject({ name: 'ReplyError' });
    expect((await get()).error).toBeUndefined();
    expect(g.incidents).toEqual([]);
  });

  it.each([
    'LOADING Redis is loading the dataset in memory',
    'MASTERDOWN Link with MASTER is down',
    'CLUSTERDOWN The cluster is down',
  ])('takes "%s" for an outage', async (message) => {
    const fail = (): Promise<Outcome> =>
      g.call('a', () => client.eval('return redis.error_reply(ARGV[1])', 1, 'a', message));
    await Promise.all(times(5, fail));
    expect(g.incidents).toEqual(['degraded redis']);
    expect((await get()).error).toBeInstanceOf(CircuitOpenError);
    await until('recovery', () => g.incidents.length === 2); // The probe is answered.
    expect((await get()).error).toBeUndefined();
  });

  it('takes a refused probe for an answer as well', async () => {
    await client.acl('SETUSER', 'limited', 'on', 'nopass', '~*', '+@all', '-eval');
    const limited = await connected({ username: 'limited', password: 'any' });
    g = guarded(limited);
    await Promise.all(times(5, () => g.call('a', () => Promise.reject(new Error('Connection is closed.')))));
    await until('recovery', () => g.incidents.length === 2);
    expect((await g.call('a', () => limited.get('a'))).error).toBeUndefined();
  });

  it('opens when more than half of many calls fail, if never five in a row', async () => {
    const fail = (): Promise<Outcome> => g.call('a', () => Promise.reject(new Error('Connection is closed.')));
    for (let i = 0; i < 8; i++) {
      for (let j = 0; j < 3; j++) await fail();
      await get();
    }
    expect(g.incidents).toEqual(['degraded redis']);
  });
});

describe('a guarded call when the connection is lost', () => {
  it('fails at once, and works again when Redis does', async () => {
    const mine = await startRedis();
    try {
      const client = closedLater(new Redis({ port: mine.port, retryStrategy: () => 50, disconnectTimeout: 50 }));
      await client.ping();
      const g = guarded(client);
      await mine.kill();
      await until('the lost connection', () => client.status !== 'ready');
      const outcomes = await Promise.all(times(100, () => g.call('a', () => client.get('a'))));
      expect(summary(outcomes)).toEqual({ ERR_REDIS: 1, ERR_CIRCUIT_OPEN: 99 });
      expect(longest(outcomes)).toBeLessThan(TOLERANCE_MS);
      await mine.restart();
      await until('recovery', () => g.incidents.length === 2);
      expect(summary([await g.call('a', () => client.get('a'))])).toEqual({ reply: 1 });
      expect(g.incidents).toEqual(['degraded redis', 'recovered redis']);
    } finally {
      await mine.stop();
    }
  });

  it('is never sent again on a connection that has ended, and asks for nothing more', async () => {
    const client = await connected();
    const g = guarded(client);
    client.disconnect();
    await until('the end', () => client.status === 'end');
    const outcomes = await Promise.all(times(10, () => g.call('a', () => client.get('a'))));
    expect(summary(outcomes)).toEqual({ ERR_REDIS: 1, ERR_CIRCUIT_OPEN: 9 });
    await sleep(250);
    expect(client.status).toBe('end');
    expect(g.incidents).toEqual(['degraded redis']);
    await client.connect(); // The caller's decision.
    await until('recovery', () => g.incidents.length === 2);
    expect((await g.call('a', () => client.get('a'))).error).toBeUndefined();
  });
});

describe('a guarded call before the first connection', () => {
  it.each([
    ['as usual', {}],
    ['lazily', { lazyConnect: true }],
  ] as const)('waits for a client that connects %s', async (_how, options) => {
    const client = connect(options);
    const g = guarded(client, { deadlineMs: 2_000 });
    expect(summary(await Promise.all(times(10, () => g.call('a', () => client.get('a')))))).toEqual({ reply: 10 });
    expect(g.incidents).toEqual([]);
  });

  it.each([
    ['as usual', {}],
    ['lazily', { lazyConnect: true }],
  ] as const)(
    'fails at once on a client without offline queue that connects %s, and works soon',
    async (_how, options) => {
      const client = connect({ ...options, enableOfflineQueue: false });
      const g = guarded(client);
      const outcomes = await Promise.all(times(10, () => g.call('a', () => client.get('a'))));
      expect(longest(outcomes)).toBeLessThan(TOLERANCE_MS);
      await until('a reply', () => client.status === 'ready');
      await until('recovery', () => g.incidents.length !== 1);
      expect((await g.call('a', () => client.get('a'))).error).toBeUndefined();
    },
  );

  it.each([true, false])(
    'never waits past the deadline for a Redis that is not there (offline queue: %s)',
    async (enableOfflineQueue) => {
      const port = await reservePort();
      const client = connect({ port, enableOfflineQueue, maxRetriesPerRequest: null });
      const g = guarded(client);
      const outcomes: Outcome[] = [];
      for (let i = 0; i < 30; i++) outcomes.push(await g.call('a', () => client.get('a')));
      expect(longest(outcomes)).toBeLessThan(DEADLINE_MS + TOLERANCE_MS);
      expect(longest(outcomes.slice(-10))).toBeLessThan(TOLERANCE_MS);
      const late = await startRedis([], port);
      try {
        await until('recovery', () => g.incidents.length === 2);
        expect((await g.call('a', () => client.get('a'))).error).toBeUndefined();
        expect(g.incidents).toEqual(['degraded redis', 'recovered redis']);
      } finally {
        await late.stop();
      }
    },
  );
});
