import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EventBus } from '../../src/core/events.ts';
import { createFlush } from '../../src/writing/flush-records.ts';
import { holdPartition } from '../../src/writing/hold-partition.ts';
import { createMemoryWriteLog } from '../../src/writing/memory-write-log.ts';
import { toWriteBehindConfig } from '../../src/writing/write-behind-options.ts';
import { createWriteConsumer } from '../../src/writing/write-consumer.ts';
import { createWriteCounters } from '../../src/writing/write-counters.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const config = toWriteBehindConfig<string>('test', { write: () => undefined, lease: 1_000 });
const emptyLog = createMemoryWriteLog(config);

const rest = {
  events: new EventBus(),
  counters: createWriteCounters(),
  decode: String,
  remember: async () => undefined,
  forget: async () => undefined,
};

describe('a partition that is held', () => {
  /** Redis takes 100 ms to answer renewals. */
  function hold(answers: readonly (boolean | Error)[], askedAt = performance.now()): ReturnType<typeof holdPartition> {
    const left = [...answers];
    const renew = async (): Promise<boolean> => {
      const answer = left.shift() ?? new Error('Redis is away');
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (answer instanceof Error) throw answer;
      return answer;
    };
    return holdPartition({ ...emptyLog, renew }, { partition: 0, fence: '1', leaseMs: 1_000, askedAt });
  }
  const after = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

  it('may be lost once the lease has passed since it was asked for', async () => {
    const held = hold([], performance.now() - 500);
    await after(499);
    expect(held.isValid()).toBe(true);
    await after(1);
    expect(held.isValid()).toBe(false);
    await after(200);
    expect(held.signal.aborted).toBe(true);
  });

  it('may be lost once the lease has passed since the last renewal was asked for', async () => {
    const held = hold([true]);
    await after(1_249);
    expect(held.isValid()).toBe(true);
    await after(1);
    expect(held.isValid()).toBe(false);
  });

  it("is lost when it is another's", async () => {
    const held = hold([false]);
    await after(350);
    expect([held.isValid(), held.signal.aborted]).toEqual([false, true]);
  });
});

describe('writing what was claimed', () => {
  it.each([
    ['is left when the lease may have passed before it begins', 1_000, 0],
    ['renews the partition no longer than it takes', 0, 1],
  ])('%s', async (_what, askedBeforeMs, calls) => {
    const write = jest.fn();
    const log = createMemoryWriteLog(config);
    const parts = { ...rest, config: { ...config, write }, log };
    const flush = createFlush<string>(parts, new AbortController().signal, () => 1, new Set());
    await log.append(0, { key: 'a', bytes: Buffer.from('x') });
    const claim = await log.claim(0, 1, 1, false);
    if (claim.state !== 'mine') throw new Error('unreachable');
    const askedAt = performance.now() - askedBeforeMs;
    await flush({ ...claim, partition: 0, askedAt });
    await flush({ ...claim, records: [], partition: 0, askedAt }); // Nothing is no batch.
    expect([write.mock.calls.length, jest.getTimerCount()]).toEqual([calls, 0]);
  });
});

describe('a consumer', () => {
  it('gives a partition back when it is stopped before all is written', async () => {
    const log = createMemoryWriteLog(config);
    const release = jest.fn(async () => undefined);
    for (const key of ['a', 'b']) await log.append(0, { key, bytes: Buffer.from('x') });
    const write = async (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));
    const slow = { ...config, partitions: 1, batchSize: 1, write };
    const consumer = createWriteConsumer<string>({ ...rest, config: slow, log: { ...log, release } });
    consumer.wake(0);
    await jest.advanceTimersByTimeAsync(50);
    const stopped = consumer.stop(1_000);
    await jest.advanceTimersByTimeAsync(100);
    await stopped;
    expect([await log.length(0), release.mock.calls.length]).toEqual([1, 1]);
  });

  it('asks less often while Redis is away, as before once it was back, and no more when it is stopped', async () => {
    const outages = [true];
    let asked = 0;
    const claim = async (): Promise<{ state: 'empty' }> => {
      asked++;
      if (outages[0] === true) throw new Error('Redis is away');
      return { state: 'empty' };
    };
    const quick = { ...config, partitions: 1, flushMs: 100 };
    const consumer = createWriteConsumer<string>({ ...rest, config: quick, log: { ...emptyLog, claim } });
    const asksIn = async (ms: number): Promise<number> => {
      const before = asked;
      await jest.advanceTimersByTimeAsync(ms);
      return asked - before;
    };
    consumer.start();
    expect(await asksIn(6_000)).toBeLessThan(12); // Of 60.
    outages[0] = false;
    await asksIn(3_000);
    expect(await asksIn(1_000)).toBe(10);
    outages[0] = true;
    expect(await asksIn(1_000)).toBeGreaterThanOrEqual(3);
    await consumer.stop(0);
    expect(jest.getTimerCount()).toBe(0);
  });
});
