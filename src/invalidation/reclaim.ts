import type { Backend } from '../cache/backend.ts';
import { type ReclaimProgress, sweepEntries } from '../cache/reclaim.ts';
import { type Duration, toTimerMs } from '../core/duration.ts';
import { checkOptions } from '../core/options.ts';
import { createLocks, type Lock } from '../lock/lock.ts';

/** Options of `suite.reclaim`. */
export interface ReclaimOptions {
  /** Stops it. */
  readonly signal?: AbortSignal | undefined;
  /** Rest between steps of 100 entries. Default: 10 ms. */
  readonly pause?: Duration | undefined;
}

/** Reclaims memory of invalidated entries, here or behind. */
export interface Reclaimer {
  /**
   * Takes invalidated entries out of Redis' memory, where they would stay until their lifetime ends. Tells its progress after each step, and begins when it is asked for it. One process at a time.
   *
   * @throws {ConfigError} When an option is wrong.
   */
  reclaim(options?: ReclaimOptions): AsyncIterable<ReclaimProgress>;
  /** Has it done behind, soon, once for all that ask meanwhile. */
  request(): void;
  /** Stops what is done behind. */
  stop(): void;
}

/** When it is done behind. */
export interface ReclaimTimes {
  /** So long after it was asked for: more may follow. */
  readonly delayMs: number;
  /** So long after the last time at the soonest. */
  readonly restMs: number;
}

const LOCK_TTL_MS = 10_000;
const PAUSE = '10ms';
const TIMES: ReclaimTimes = { delayMs: 1_000, restMs: 60_000 };

const reclaimers = new WeakMap<Backend, Reclaimer>();

/** The reclaimer of a cache: one for all its users. */
export function reclaimerOf(backend: Backend): Reclaimer {
  const existing = reclaimers.get(backend);
  if (existing !== undefined) return existing;
  const reclaimer = createReclaimer(backend);
  reclaimers.set(backend, reclaimer);
  backend.events.on('cache:cleared', reclaimer.request);
  backend.place.onClose(reclaimer.stop);
  return reclaimer;
}

/** Creates a reclaimer. */
export function createReclaimer(backend: Backend, { delayMs, restMs }: ReclaimTimes = TIMES): Reclaimer {
  let timer: NodeJS.Timeout | undefined;
  let running: AbortController | undefined;
  let isWanted = false;
  let endedAt = -Infinity;

  function request(): void {
    if (backend.kind === 'memory') return; // What is dead there goes when it is read, or when there is no room.
    isWanted = true;
    if (timer !== undefined || running !== undefined) return;
    const waitMs = Math.max(delayMs, endedAt + restMs - performance.now());
    timer = setTimeout(() => void runBehind(), waitMs).unref();
  }

  function wasAskedMeanwhile(): boolean {
    return isWanted;
  }

  async function runBehind(): Promise<void> {
    timer = undefined;
    isWanted = false;
    const own = new AbortController();
    running = own;
    let state: ReclaimProgress['state'] = 'running';
    for await (const progress of sweep(backend, { signal: own.signal })) ({ state } = progress);
    running = undefined;
    endedAt = performance.now();
    // Another process may have passed what this one has invalidated since.
    if (!own.signal.aborted && (wasAskedMeanwhile() || state === 'skipped' || state === 'degraded')) request();
  }

  return {
    reclaim(options = {}) {
      checkOptions('reclaim', options, ['signal', 'pause']);
      toTimerMs(options.pause ?? PAUSE, 'pause');
      return sweep(backend, options);
    },
    request,
    stop() {
      clearTimeout(timer);
      timer = undefined;
      isWanted = false;
      running?.abort();
    },
  };
}

/** One sweep under the lock. Never rejects. */
async function* sweep(backend: Backend, { signal, pause = PAUSE }: ReclaimOptions): AsyncGenerator<ReclaimProgress> {
  const nothing = { scanned: 0, removed: 0 };
  let lock: Lock | undefined;
  try {
    lock = await createLocks(backend.place).tryAcquire('reclaim', LOCK_TTL_MS);
  } catch {
    yield { ...nothing, state: 'degraded' };
    return;
  }
  if (lock === undefined) {
    yield { ...nothing, state: 'skipped' };
    return;
  }
  let last: ReclaimProgress = { ...nothing, state: 'running' };
  try {
    const ends = AbortSignal.any([lock.lost, ...(signal === undefined ? [] : [signal])]);
    for await (const progress of sweepEntries(backend, { signal: ends, pauseMs: toTimerMs(pause, 'pause') })) {
      last = progress.state === 'aborted' && signal?.aborted !== true ? { ...progress, state: 'degraded' } : progress;
      yield last;
    }
  } finally {
    await lock.release();
    const { scanned, removed } = last;
    if (removed > 0) backend.events.tell('cache:reclaimed', { scanned, removed });
  }
}
