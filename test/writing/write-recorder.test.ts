import { describe, expect, it } from '@jest/globals';
import { WriteBehindFullError } from '../../src/core/errors.ts';
import { createMemoryWriteLog } from '../../src/writing/memory-write-log.ts';
import { toWriteBehindConfig } from '../../src/writing/write-behind-options.ts';
import { createKeyQueue, createRecorder } from '../../src/writing/write-recorder.ts';
import { heldLoad } from '../data/backends.ts';

describe('tasks of one key', () => {
  it('run one after the other, however many there are', async () => {
    const inOrder = createKeyQueue();
    const held = [heldLoad<void>(), heldLoad<void>(), heldLoad<void>()] as const;
    const first = inOrder('k', held[0].load);
    const second = inOrder('k', held[1].load);
    held[0].end();
    await first;
    await held[1].begun;
    const third = inOrder('k', held[2].load);
    await new Promise(setImmediate);
    expect(held[2].calls()).toBe(0);
    held[1].end();
    held[2].end();
    await Promise.all([second, third]);
  });
});

describe('what waits for room', () => {
  it('is refused after maxWait', async () => {
    const config = toWriteBehindConfig('test', {
      write: () => undefined,
      maxPending: 1,
      onFull: 'wait',
      maxWait: 30,
      partitions: 1,
    });
    const record = createRecorder(config, createMemoryWriteLog(config), { wake: () => undefined });
    await record('a', undefined);
    await expect(record('b', undefined)).rejects.toThrow(WriteBehindFullError);
  });
});
