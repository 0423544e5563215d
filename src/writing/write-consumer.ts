import { expireAfter } from '../core/deadline.ts';
import { createFlush, type FlushParts } from './flush-records.ts';

/** What writes the records of all partitions, one batch of each at a time. */
export interface WriteConsumer {
  /** Looks for records from now on. */
  start(): void;
  /** A partition has a full batch, or somebody waits for room in it. */
  wake(partition: number): void;
  /** Writes what is there, full batch or not, until `isDone`. */
  drain(isDone: () => Promise<boolean>): Promise<void>;
  /** Begins nothing more; resolves when nothing is being written, or the time has passed. */
  stop(timeoutMs: number): Promise<void>;
}

const POLL_MS = 25;
const MAX_PAUSE_MS = 2_000;

/** Creates the consumer of one write-behind. */
export function createWriteConsumer<T>(parts: FlushParts<T>): WriteConsumer {
  const { config, log } = parts;
  const running = new Map<number, Promise<void>>();
  const stopped = new AbortController();
  /** Partitions of which this process was given records that it could not write. */
  const failed = new Set<number>();
  const flush = createFlush(parts, stopped.signal, keepFrom, failed);
  let timer: NodeJS.Timeout | undefined;
  let drains = 0;
  let failures = 0;
  let pausedUntil = 0;

  function keepFrom(): number {
    return drains > 0 ? 1 : config.batchSize;
  }

  const isStopped = (): boolean => stopped.signal.aborted;

  async function work(partition: number): Promise<void> {
    let fence: string | undefined;
    while (!isStopped()) {
      const askedAt = performance.now();
      const claim = await log.claim(partition, config.batchSize, config.attempts, failed.delete(partition));
      failures = 0;
      if (claim.state !== 'mine') return;
      fence = claim.fence;
      if (isStopped()) break;
      const left = await flush({ ...claim, partition, askedAt });
      if (left < keepFrom()) return;
    }
    if (fence !== undefined) await log.release(partition, fence);
  }

  /** Redis is away: what was claimed is handed out again when it is back. The pause grows, so as not to add to its troubles. */
  function pause(): void {
    pausedUntil = performance.now() + Math.min(MAX_PAUSE_MS, config.flushMs * 2 ** Math.min(failures++, 10));
  }

  function wake(partition: number): void {
    if (!config.isConsumer || running.has(partition)) return;
    if (stopped.signal.aborted || performance.now() < pausedUntil) return;
    const run = work(partition)
      .catch(pause)
      .finally(() => running.delete(partition));
    running.set(partition, run);
  }

  function wakeAll(): void {
    for (let partition = 0; partition < config.partitions; partition++) wake(partition);
  }

  return {
    wake,
    start() {
      if (config.isConsumer) timer ??= setInterval(wakeAll, config.flushMs).unref();
    },
    async drain(isDone) {
      drains++;
      try {
        while (!(await isDone())) {
          wakeAll();
          await Promise.race([Promise.all(running.values()), delay(POLL_MS)]);
          if (running.size === 0) await delay(POLL_MS); // Others are at it, or Redis is away.
        }
      } finally {
        drains--;
      }
    },
    async stop(timeoutMs) {
      clearInterval(timer);
      stopped.abort();
      await expireAfter(timeoutMs, Promise.all(running.values()), []);
    },
  };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
