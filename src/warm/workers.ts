import { setTimeout as sleep } from 'node:timers/promises';
import type { WarmConfig } from './config.ts';
import { createPace } from './pace.ts';
import type { Source } from './source.ts';
import type { Tally } from './tally.ts';

/** Those who do the tasks. */
export interface Workers {
  /** Resolves when all is done or stopped. Rejects with what the items' iterator throws. */
  readonly ended: Promise<void>;
  /** Whether nothing was left when they ended. */
  isDone(): boolean;
}

interface Work {
  readonly config: WarmConfig;
  readonly source: Source;
  readonly tally: Tally;
  /** Stops them. */
  readonly signal: AbortSignal;
  /** What ends now is not known to be stored: it is left to the next run. */
  isDegraded(): boolean;
}

/** What is under way when they are stopped is waited for so long. */
const GRACE_MS = 5_000;

/** Starts as many workers as may be at it at a time. */
export function startWorkers({ config, source, tally, signal, isDegraded }: Work): Workers {
  const pace = createPace(config.perSecond, signal);
  const over = new AbortController(); // One whose iterator throws stops the others.
  const isStopped = (): boolean => signal.aborted || over.signal.aborted;
  let isExhausted = false;
  let isOver = false;

  async function work(): Promise<void> {
    while (!isStopped() && !isExhausted) {
      const taken = await source.take();
      if (taken === undefined) {
        isExhausted = true;
        return;
      }
      const { task, index } = taken;
      await pace(task.size).catch(() => undefined);
      if (isStopped()) return;
      const error = await task.run().then(
        () => undefined,
        (reason: unknown) => (reason instanceof Error ? reason : new Error(String(reason))),
      );
      if (!isDegraded()) tally.finish(index, task, error);
    }
  }

  const all = Promise.all(Array.from({ length: config.concurrency }, work))
    .then(() => {
      isOver = true;
    })
    .finally(() => over.abort());
  const graceful = new Promise<void>((resolve) => {
    const giveUp = (): void => void sleep(GRACE_MS, undefined, { ref: false }).then(resolve);
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
  const ended = Promise.race([all, graceful]);
  ended.catch(() => undefined); // Whoever follows asks later.
  return { ended, isDone: () => isOver && !signal.aborted };
}
