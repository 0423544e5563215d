import { describe, expect, it } from '@jest/globals';
import type { Cluster, Redis } from 'ioredis';
import type { WriteContext } from '../../src/writing/write-behind.ts';
import { uniquePrefix } from '../support/connections.ts';
import { eventually } from '../support/outages.ts';
import { gate } from '../support/waiting.ts';
import { SHARED_BACKENDS } from '../data/backends.ts';
import { createSink, openBehind } from './write-behinds.ts';

describe.each(SHARED_BACKENDS)('write-behinds of two processes on %s', (_name, connect) => {
  const clients = [connect(), connect()] as const;
  const admin = connect() as Redis | Cluster;

  it('write what the other has recorded', async () => {
    const prefix = uniquePrefix();
    const sink = createSink<number>();
    const one = openBehind<number>(clients[0], { write: () => undefined, consumer: 'off' }, { prefix });
    await one.behind.set('a', 1); // Before there is one that writes: what is written while it is being cached is not left there.
    const other = openBehind<number>(clients[1], { write: sink.write, flushInterval: '20ms' }, { prefix });
    expect(await one.behind.drain({ timeout: '20s' })).toBe(true);
    expect(sink.all()).toEqual([['a', 1]]);
    expect(await other.behind.get('a')).toBe(1);
  });

  it('never write a partition at the same time, and each key in order', async () => {
    const prefix = uniquePrefix();
    const written: string[] = [];
    const now = new Set<number>();
    const clashes: number[] = [];
    const options = {
      partitions: 2,
      batchSize: 5,
      flushInterval: '10ms',
      collapse: 'none',
      async write(batch: readonly { key: string; value?: unknown }[], { partition }: WriteContext) {
        if (now.has(partition)) clashes.push(partition);
        now.add(partition);
        await new Promise((resolve) => setTimeout(resolve, 2));
        written.push(...batch.map(({ key, value }) => `${key} ${String(value)}`));
        now.delete(partition);
      },
    } as const;
    const [one, other] = clients.map((client) => openBehind<number>(client, options, { prefix }).behind);
    if (one === undefined || other === undefined) throw new Error('unreachable');
    const keys = ['a', 'b', 'c', 'd'];
    for (let n = 0; n < 40; n++) await Promise.all(keys.map((key) => (n % 2 === 0 ? one : other).set(key, n)));
    await Promise.all([one.drain(), other.drain()]);
    expect(clashes).toEqual([]);
    for (const key of keys) {
      const expected = Array.from({ length: 40 }, (_, n) => `${key} ${n}`);
      expect(written.filter((line) => line.startsWith(`${key} `))).toEqual(expected);
    }
  });

  it('leave a partition to its owner for as long as its write takes, however short the lease', async () => {
    const prefix = uniquePrefix();
    const written: unknown[] = [];
    const options = {
      partitions: 1,
      lease: '500ms',
      flushInterval: '20ms',
      async write(batch: readonly unknown[]) {
        written.push(...batch);
        await new Promise((resolve) => setTimeout(resolve, 1_300));
      },
    } as const;
    const [one] = clients.map((client) => openBehind<number>(client, options, { prefix }).behind);
    await one?.set('a', 1);
    expect(await one?.drain()).toBe(true);
    expect(written).toHaveLength(1);
  });

  it('heed a stalled owner no more: it settles nothing, is told so, and has the smaller fence', async () => {
    const prefix = uniquePrefix();
    const contexts: WriteContext[] = [];
    const sink = createSink<number>();
    const { passed, open } = gate();
    let isStalled = true;
    const stalled = openBehind<number>(
      clients[0],
      {
        partitions: 1,
        lease: '600ms',
        async write(batch, context) {
          contexts.push(context);
          if (!isStalled) return sink.write(batch, context); // It may be the owner again.
          isStalled = false;
          return passed;
        },
      },
      { prefix },
    );
    const next = openBehind<number>(
      clients[1],
      {
        partitions: 1,
        write(batch, context) {
          contexts.push(context);
          return sink.write(batch, context);
        },
      },
      { prefix },
    );
    await stalled.behind.set('a', 1);
    const drained = stalled.behind.drain();
    await eventually('the first owner to write', () => contexts[0]);
    await admin.del(`${prefix}:wb:{test:0}:l`); // As if it had not been able to renew.
    await next.behind.drain();
    await next.behind.set('a', 2);

    expect(contexts[1]?.fence).toBeGreaterThan(contexts[0]?.fence ?? Infinity);
    await eventually('the first owner to be told', () => contexts[0]?.signal.aborted || undefined);
    open();
    await eventually('the first owner to be refused', () => stalled.behind.stats().lost || undefined);
    expect(await next.behind.get('a')).toBe(2);
    await next.behind.drain();
    await drained;
    expect(sink.all()).toEqual([
      ['a', 1],
      ['a', 2],
    ]);
  });

  it.each(['records a value', 'has written one'] as const)(
    'leave the newer value in the cache to one that %s and is slow to cache it',
    async (slowAt) => {
      const prefix = uniquePrefix();
      const isHeld = { 'records a value': 1, 'has written one': 2 }[slowAt];
      let calls = 0;
      let go: () => void = () => undefined;
      const slow = openBehind<number>(
        clients[0],
        { write: () => undefined, partitions: 1 },
        {
          prefix,
          cacheOf: (cache) => ({
            ...cache,
            async set(...args) {
              if (++calls === isHeld) await new Promise<void>((resolve) => (go = resolve));
              return cache.set(...args);
            },
          }),
        },
      );
      const quick = openBehind<number>(clients[1], { write: () => undefined, partitions: 1 }, { prefix });
      const set = slow.behind.set('a', 1);
      if (slowAt === 'has written one') await set;
      const work = slowAt === 'has written one' ? slow.behind.drain() : set;
      await eventually('the slow one to cache', () => (calls === isHeld ? true : undefined));
      await admin.del(`${prefix}:wb:{test:0}:l`); // As if it had not been able to renew.
      await quick.behind.drain();
      await quick.behind.set('a', 2);
      await quick.behind.drain();
      go();
      await work;
      if (slowAt === 'has written one')
        await eventually('it to be refused', () => slow.behind.stats().lost || undefined);
      expect([2, undefined]).toContain(await quick.behind.get('a'));
    },
  );

  it('are never asked in vain for what is written while somebody reads it', async () => {
    const prefix = uniquePrefix();
    const reading = connect() as Redis | Cluster;
    const reader = openBehind<string>(reading, { write: () => undefined, consumer: 'off' }, { prefix });
    const writer = openBehind<string>(clients[1], { write: () => undefined }, { prefix });
    await writer.behind.set('a', 'new');
    await writer.cache.set('a', 'old, read before it was written');
    const read = reading.mgetBuffer.bind(reading) as (keys: string[]) => Promise<(Buffer | null)[]>;
    Object.assign(reading, {
      async mgetBuffer(keys: string[]) {
        await writer.behind.drain();
        return read(keys);
      },
    });
    expect(await reader.behind.get('a')).toBe('new');
  });

  it('begin no write once they are closed, also where Redis answers late', async () => {
    const prefix = uniquePrefix();
    const client = connect() as Redis | Cluster;
    const sink = createSink<number>();
    const options = { write: sink.write, partitions: 1, closeTimeout: '1ms' } as const;
    const { behind } = openBehind<number>(client, options, { prefix });
    await behind.set('a', 1);
    let go: (() => void) | undefined;
    const call = client.call.bind(client) as (...args: string[]) => Promise<unknown>;
    Object.assign(client, {
      async call(...args: string[]) {
        const reply = await call(...args);
        if (args[0]?.startsWith('eval') && go === undefined) await new Promise<void>((resolve) => (go = resolve));
        return reply;
      },
    });
    void behind.drain({ timeout: '200ms' });
    await eventually('its claim to be answered', () => go);
    await behind.close();
    go?.();
    await eventually('the partition to be given back', async () =>
      (await admin.exists(`${prefix}:wb:{test:0}:l`)) === 0 ? true : undefined,
    );
    expect(sink.batches).toEqual([]);
  });

  it('count no attempt where the answer that handed a record out came too late', async () => {
    const prefix = uniquePrefix();
    const recorder = openBehind<number>(clients[1], { write: () => undefined, consumer: 'off' }, { prefix });
    const client = connect() as Redis | Cluster;
    const call = client.call.bind(client) as (...args: string[]) => Promise<unknown>;
    let late = 0;
    Object.assign(client, {
      async call(...args: string[]) {
        const reply = await call(...args);
        if (args[0]?.startsWith('eval') && Array.isArray(reply) && reply.length > 2 && ++late <= 4)
          throw new Error('late');
        return reply;
      },
    });
    const attempts: number[] = [];
    const { behind } = openBehind<number>(
      client,
      {
        attempts: 2,
        flushInterval: '5ms',
        write(_batch, { attempt }) {
          attempts.push(attempt);
          if (attempts.length < 3) throw new Error('storage is away');
        },
      },
      { prefix },
    );
    await recorder.behind.set('a', 1);
    expect(await behind.drain({ timeout: '10s' })).toBe(true);
    expect([late > 4, attempts, behind.stats().dead]).toEqual([true, [1, 2, 3], 0]);
  });

  it('give a record up that ends every process which writes it', async () => {
    const prefix = uniquePrefix();
    const sink = createSink<number>();
    const { behind } = openBehind<number>(clients[0], { write: sink.write, partitions: 1, attempts: 1 }, { prefix });
    await behind.set('a', 1);
    const [stream, group] = [`${prefix}:wb:{test:0}:s`, 'writers'];
    await admin.xgroup('CREATE', stream, group, '0');
    await admin.xreadgroup('GROUP', group, 'owner', 'STREAMS', stream, '>');
    for (let i = 0; i < 10; i++) await admin.xreadgroup('GROUP', group, 'owner', 'STREAMS', stream, '0');
    await behind.set('b', 2);
    await behind.drain();
    expect(sink.all()).toEqual([['b', 2]]);
    for await (const { key, error } of behind.deadLetters()) {
      expect([key, error]).toEqual(['a', 'Its process has ended whenever this record was written']);
    }
    expect(behind.stats().dead).toBe(1);
  });
});
