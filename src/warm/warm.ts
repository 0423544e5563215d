import type { Backend } from '../cache/backend.ts';
import { createLocks, type Lock } from '../lock/lock.ts';
import { createCheckpoints } from './checkpoint.ts';
import { toWarmConfig, type WarmConfig } from './config.ts';
import type { WarmedCache, WarmItems, WarmOptions, WarmPlan } from './plan.ts';
import { createTally, type WarmProgress } from './tally.ts';
import { openSource } from './source.ts';
import { startWorkers } from './workers.ts';

export { createHotKeys, type HotKeys, type HotKeyOptions } from './hot-keys.ts';
export {
  definePlan,
  type UrlItem,
  type ValueItem,
  type ValuesItem,
  type WarmItem,
  type WarmItems,
  type WarmOptions,
  type WarmPlan,
} from './plan.ts';
export type { WarmFailure, WarmProgress } from './tally.ts';

/** Fills caches before they are asked. */
export interface Warmer {
  /**
   * Warms what a plan names, and tells its progress; it begins when it is asked for that, and goes on as long. Failures of single items are counted. Where another process warms what has the same name,
   * the only progress is `skipped`. It stops when Redis is away.
   *
   * Errors of the plan's iterator pass through.
   *
   * @throws {ConfigError} When the plan or an option is wrong.
   */
  warm(plan: WarmPlan | WarmItems, options?: WarmOptions): AsyncIterable<WarmProgress>;
  /** Aborts what is running. */
  stop(): void;
}

interface Ends {
  /** Aborted by any of them. */
  readonly signal: AbortSignal;
  abort(): void;
  /** Whether somebody wants it, rather than Redis being away. */
  isAborted(): boolean;
  stopWatching(): void;
}

const LOCK_TTL_MS = 15_000;
const SAVE_INTERVAL_MS = 1_000;
const NOTHING = { done: 0, failed: 0, resumedFrom: 0, rate: 0, errors: [] } as const;

/** Creates what warms the caches of a suite. */
export function createWarmer(backend: Backend, data: WarmedCache): Warmer {
  const stops = new Set<AbortController>();

  /** What ends a run before it is done. */
  function watch(config: WarmConfig, lock: Lock): Ends {
    const aborted = new AbortController();
    const degraded = new AbortController();
    const degrade = (): void => degraded.abort();
    const given = config.signal === undefined ? [] : [config.signal];
    stops.add(aborted);
    backend.events.on('redis:degraded', degrade);
    return {
      signal: AbortSignal.any([aborted.signal, degraded.signal, lock.lost, ...given]),
      abort: () => aborted.abort(),
      isAborted: () => aborted.signal.aborted || config.signal?.aborted === true,
      stopWatching() {
        backend.events.off('redis:degraded', degrade);
        stops.delete(aborted);
      },
    };
  }

  /** The part that needs the lock. */
  async function* work(config: WarmConfig, ends: Ends): AsyncGenerator<WarmProgress> {
    const checkpoints = createCheckpoints(backend.place, config.name);
    const source = await openSource(config, data, config.mayResume ? await checkpoints.read() : undefined);
    const tally = createTally(config.total, source.from);
    const saving = setInterval(() => void checkpoints.save(tally.checkpoint()), SAVE_INTERVAL_MS).unref();
    const workers = startWorkers({ config, source, tally, signal: ends.signal });
    try {
      yield* tally.follow(workers.ended);
      await workers.ended; // Throws what the iterator of the plan has thrown.
      yield tally.progress(ends.isAborted() ? 'aborted' : ends.signal.aborted ? 'degraded' : 'done');
    } finally {
      clearInterval(saving);
      const isDone = workers.isDone();
      ends.abort(); // Whoever leaves the loop leaves the work.
      await workers.ended.catch(() => undefined);
      await (isDone ? checkpoints.drop() : checkpoints.save(tally.checkpoint()));
    }
  }

  async function* run(config: WarmConfig): AsyncGenerator<WarmProgress> {
    const total = config.total === undefined ? {} : { total: config.total };
    let lock: Lock | undefined;
    try {
      lock = await createLocks(backend.place).tryAcquire(`warm:${config.name}`, LOCK_TTL_MS);
    } catch {
      yield { ...NOTHING, ...total, state: 'degraded' };
      return;
    }
    if (lock === undefined) {
      yield { ...NOTHING, ...total, state: 'skipped' };
      return;
    }
    const ends = watch(config, lock);
    try {
      yield* work(config, ends);
    } finally {
      ends.stopWatching();
      await lock.release();
    }
  }

  return {
    warm: (plan, options = {}) => run(toWarmConfig(plan, options)),
    stop: () => stops.forEach((controller) => controller.abort()),
  };
}
