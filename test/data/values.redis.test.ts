import { describe, expect, it } from '@jest/globals';
import { serialize, deserialize } from 'node:v8';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { RedisClient } from '../../src/redis/client.ts';
import { BACKENDS, openSuite } from './backends.ts';
import { shape } from '../codec/codec-support.ts';

describe.each(BACKENDS)('values on %s', (_name, connect) => {
  let connection: RedisClient | undefined;
  const open = (data: object = {}) => openSuite((connection ??= connect()), { data }).data;
  const order = () => ({ at: new Date(5), lines: new Map([['tea', 2n]]), bytes: Buffer.from('é'), note: undefined });

  it('come back with their types, compressed or not', async () => {
    for (const data of [open(), open({ compressAbove: 100 }), open({ values: 'frozen' })]) {
      const value = [order(), 'x'.repeat(1_000)];
      await data.set('k', value);
      expect(shape(await data.get('k'))).toBe(shape(value));
    }
  });

  it('come back with their types when they were loaded', async () => {
    const data = open();
    expect(shape(await data.getOrSet('loaded', order))).toBe(shape(order()));
    let stored: unknown;
    while ((stored = await data.get('loaded')) === undefined) await sleep(5); // It is stored behind the answer.
    expect(shape(stored)).toBe(shape(order()));
  });

  it('come back through a serializer', async () => {
    const data = open({ serializer: { name: 'v8', serialize, deserialize } });
    await data.set('k', order());
    expect(await data.get<ReturnType<typeof order>>('k')).toMatchObject({
      at: new Date(5),
      lines: new Map([['tea', 2n]]),
    });
  });

  it('that a serializer refuses are told with its error', async () => {
    const refusal = new Error('no BigInt here');
    const serializer = {
      name: 'strict',
      serialize: () => {
        throw refusal;
      },
      deserialize,
    };
    const suite = openSuite((connection ??= connect()), { data: { serializer } });
    const told: unknown[] = [];
    suite.events.on('cache:error', ({ error }) => told.push(error.cause));
    await expect(suite.data.set('k', 1n)).rejects.toMatchObject({ name: 'TypeError', cause: refusal });
    expect(await suite.data.getOrSet('k', () => 1n)).toBe(1n);
    expect(told).toEqual([refusal]);
  });

  it('that a schema refuses are loaded anew', async () => {
    const data = open();
    await data.set('k', { id: '7' });
    const schema = z.object({ id: z.number() });
    expect(await data.get('k', { schema })).toBeUndefined();
    expect(await data.getOrSet('k', () => ({ id: 7 }), { schema })).toEqual({ id: 7 });
    expect(await data.get('k', { schema })).toEqual({ id: 7 });
  });
});
