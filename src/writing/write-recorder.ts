import { hash } from 'node:crypto';
import { WriteBehindFullError } from '../core/errors.ts';
import type { WriteBehindConfig } from './write-behind-options.ts';
import type { WriteConsumer } from './write-consumer.ts';
import type { WriteLog } from './write-log.ts';

/** Records one change, waiting for room where that is wanted. */
export type Recorder = (key: string, bytes: Buffer | undefined) => Promise<void>;

const LOOK_MS = 20;
const MAX_LOOK_MS = 250;

/** Creates what records changes. */
export function createRecorder<T>(
  config: WriteBehindConfig<T>,
  log: WriteLog,
  consumer: Pick<WriteConsumer, 'wake'>,
): Recorder {
  const { partitions, batchSize, maxPending, maxWaitMs, onFull, name } = config;

  async function waitForRoom(partition: number, until: number): Promise<void> {
    for (let lookMs = LOOK_MS; performance.now() < until; lookMs = Math.min(MAX_LOOK_MS, lookMs * 2)) {
      consumer.wake(partition);
      await new Promise((resolve) => setTimeout(resolve, lookMs));
      if ((await log.length(partition)) < maxPending) return;
    }
  }

  return async function record(key, bytes) {
    const partition = partitionOf(key, partitions);
    const until = performance.now() + maxWaitMs;
    for (;;) {
      const length = await log.append(partition, { key, bytes });
      if (length >= batchSize) consumer.wake(partition);
      if (length > 0) return;
      if (onFull === 'reject' || performance.now() >= until) {
        consumer.wake(partition);
        throw new WriteBehindFullError(name, maxPending);
      }
      await waitForRoom(partition, until);
    }
  };
}

/** The partition of a key, the same in every process. */
export function partitionOf(key: string, partitions: number): number {
  return hash('sha1', key, 'buffer').readUInt32BE(0) % partitions;
}

/** Runs tasks of one key one after the other, in the order of the calls; those of different keys beside each other. */
export function createKeyQueue(): <T>(key: string, task: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return (key, task) => {
    const before = last.get(key);
    const result = before === undefined ? task() : before.then(task);
    const ended = result.then(ignore, ignore).then(() => {
      if (last.get(key) === ended) last.delete(key);
    });
    last.set(key, ended);
    return result;
  };
}

function ignore(): void {
  // The caller has the outcome.
}
