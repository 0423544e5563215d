import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend } from '../cache/backend.ts';
import { within } from '../core/deadline.ts';
import { createLocks, type Lock } from '../lock/lock.ts';
import type { Connection } from '../redis/connection.ts';
import type { Place } from '../register/place.ts';
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
   * the only progress is `skipped`. A connection that is not there yet is waited for, three seconds at most. It stops when Redis is away or takes nothing.
   *
   * Errors of the plan's iterator pass through.
   *
   * @throws {ConfigError} When the plan or an option is wrong.
   */
  warm(plan: WarmPlan | WarmItems, options?: WarmOptions): AsyncIterable<WarmProgress>;
  /** Aborts what is running. Resolves when it has ended: what comes next can go on from there. Never rejects. */
  stop(): Promise<void>;
}

/** One run that holds the lock. */
interface Run {
  /** Aborted by whatever ends it before it is done. */
  readonly signal: AbortSignal;
  /** Whether somebody wants that, rather than Redis being away. */
  isAborted(): boolean;
  /** Whether Redis is away or takes nothing: what is under way may not be stored. */
  isDegraded(): boolean;
  /** Says what is to be done before the lock is given back. It begins before the signal is aborted. */
  atEnd(finish: () => Promise<unknown>): void;
  /** Ends it, whether anybody still asks for its progress or not. Never rejects. */
  end(): Promise<void>;
}

const LOCK_TTL_MS = 15_000;
/** A program that begins with warming has only just opened its connection: it may take longer than a deadline. */
const PATIENCE_MS = 3_000;
const RETRY_MS = 100;
const SAVE_INTERVAL_MS = 1_000;
/** So long the items may take to close what they hold open. */
const CLOSE_MS = 1_000;
/** What a server answers that keeps nothing more: it is full, a replica, or must not lose what it has. */
const REFUSALS = /^(?:OOM|READONLY|MISCONF|NOREPLICAS)\b/;
const NOTHING = { done: 0, failed: 0, resumedFrom: 0, rate: 0, errors: [] } as const;

/** Creates what warms the caches of a suite. */
export function createWarmer(backend: Backend, data: WarmedCache): Warmer {
  const runs = new Set<Run>();
  const beginning = new Set<Promise<unknown>>();
  let stopping = new AbortController();

  function hold(config: WarmConfig, lock: Lock): Run {
    const aborted = new AbortController();
    const degraded = new AbortController();
    const degrade = (): void => degraded.abort();
    const degradeIfRefused = ({ error: { cause } }: { readonly error: Error }): void => {
      if (cause instanceof Error && REFUSALS.test(cause.message)) degrade();
    };
    const given = config.signal === undefined ? [] : [config.signal];
    let finish = async (): Promise<unknown> => undefined;
    let ending: Promise<void> | undefined;

    async function end(): Promise<void> {
      const finished = finish();
      aborted.abort();
      await finished.catch(() => undefined);
      backend.events.off('redis:degraded', degrade);
      backend.events.off('cache:error', degradeIfRefused);
      await lock.release();
      runs.delete(run);
    }

    const run: Run = {
      signal: AbortSignal.any([aborted.signal, degraded.signal, lock.lost, ...given]),
      isAborted: () => aborted.signal.aborted || config.signal?.aborted === true,
      isDegraded: () => degraded.signal.aborted,
      atEnd(work) {
        finish = work;
      },
      end: () => (ending ??= end()),
    };
    backend.events.on('redis:degraded', degrade);
    backend.events.on('cache:error', degradeIfRefused);
    runs.add(run);
    return run;
  }

  /** The part that needs the lock. */
  async function* work(config: WarmConfig, run: Run): AsyncGenerator<WarmProgress> {
    const checkpoints = createCheckpoints(backend.place, config.name);
    const from = config.mayResume ? await checkpoints.read() : undefined;
    const opening = openSource(config, data, { from, signal: run.signal });
    const close = async (): Promise<void> => (await opening).close();
    run.atEnd(() => within(CLOSE_MS, close(), undefined));
    const source = await opening;
    const tally = createTally(config.total, source.from);
    if (!run.signal.aborted) {
      const saving = setInterval(() => void checkpoints.save(tally.checkpoint()), SAVE_INTERVAL_MS).unref();
      const workers = startWorkers({ config, source, tally, signal: run.signal, isDegraded: run.isDegraded });
      run.atEnd(async () => {
        clearInterval(saving);
        const isDone = workers.isDone();
        await workers.ended.catch(() => undefined);
        await within(CLOSE_MS, close(), undefined);
        await (isDone ? checkpoints.drop() : checkpoints.save(tally.checkpoint()));
      });
      yield* tally.follow(workers.ended);
      await workers.ended; // Throws what the iterator of the plan has thrown.
    }
    yield tally.progress(run.isAborted() ? 'aborted' : run.signal.aborted ? 'degraded' : 'done');
  }

  async function* start(config: WarmConfig): AsyncGenerator<WarmProgress> {
    const total = config.total === undefined ? {} : { total: config.total };
    const signal = AbortSignal.any([stopping.signal, ...(config.signal === undefined ? [] : [config.signal])]);
    const taking = takeLock(backend.place, config.name, signal);
    beginning.add(taking);
    const lock = await taking;
    beginning.delete(taking);
    if (typeof lock === 'string') {
      yield { ...NOTHING, ...total, state: lock };
      return;
    }
    const run = hold({ ...config, signal }, lock);
    try {
      yield* work(config, run);
    } finally {
      await run.end(); // Whoever leaves the loop leaves the work.
    }
  }

  return {
    warm: (plan, options = {}) => start(toWarmConfig(plan, options)),
    async stop() {
      stopping.abort();
      stopping = new AbortController();
      await Promise.all(beginning);
      await Promise.all([...runs].map((run) => run.end()));
    },
  };
}

async function takeLock(place: Place, name: string, signal: AbortSignal): Promise<Lock | WarmProgress['state']> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    if (await isConnected(place.connection, giveUpAt, signal)) {
      const lock = await createLocks(place)
        .tryAcquire(`warm:${name}`, LOCK_TTL_MS)
        .catch(() => 'degraded' as const);
      if (lock !== 'degraded') return lock ?? 'skipped';
    }
    if (signal.aborted) return 'aborted';
    if (place.connection?.client.status !== 'ready' || performance.now() > giveUpAt) return 'degraded';
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Nothing is sent before: a lock that is taken when its answer is not waited for any more would be another's. */
async function isConnected(
  connection: Connection | undefined,
  giveUpAt: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (connection === undefined) return true;
  const { client } = connection;
  if (client.status === 'wait') client.connect().catch(() => undefined); // The guard tells of it.
  while (!['ready', 'end'].includes(client.status) && !signal.aborted && performance.now() < giveUpAt) {
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
  return client.status === 'ready';
}
