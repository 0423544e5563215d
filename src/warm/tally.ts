import type { Checkpoint } from './checkpoint.ts';
import type { Task } from './tasks.ts';

/** One item that could not be warmed. */
export interface WarmFailure {
  /** Its key (of a batch the first), or its URL. */
  readonly item: string;
  readonly error: Error;
}

/** How far warming has come. */
export interface WarmProgress {
  /**
   * `done`: everything was tried. `aborted`: by the signal, or the suite was closed. `degraded`: Redis is away or takes nothing (it is full, a read-only replica), or was away for so long that another process may have begun. `skipped`: another process is at it.
   * A run that was aborted or degraded is gone on with by the next one.
   */
  readonly state: 'running' | 'done' | 'aborted' | 'degraded' | 'skipped';
  /** Entries that are warm, those of an interrupted run included. */
  readonly done: number;
  readonly failed: number;
  /** How many there are; absent where that is not known. */
  readonly total?: number;
  /** How many an interrupted run had finished before. */
  readonly resumedFrom: number;
  /** Entries per second, on average since it began. */
  readonly rate: number;
  /** About so many milliseconds are left; absent where that is not known. */
  readonly etaMs?: number;
  /** The latest failures. */
  readonly errors: readonly WarmFailure[];
}

/** Counts what is finished. */
export interface Tally {
  finish(index: number, task: Task, error: Error | undefined): void;
  progress(state: WarmProgress['state']): WarmProgress;
  checkpoint(): Checkpoint;
  /** Tells the progress whenever it has changed since it was last asked for, until the end. */
  follow(end: Promise<unknown>): AsyncGenerator<WarmProgress>;
}

const MAX_ERRORS = 5;

/** Creates a tally that goes on from a checkpoint. */
export function createTally(total: number | undefined, from: Checkpoint | undefined): Tally {
  const startedAt = performance.now();
  const resumedFrom = (from?.done ?? 0) + (from?.failed ?? 0);
  let { next, lastId, done, failed } = from ?? { next: 0, lastId: '', done: 0, failed: 0 };
  /** Finished before their turn. */
  const ahead = new Map<number, { readonly task: Task; readonly isFailed: boolean }>();
  /** What stands in `done` and `failed` at the checkpoint. */
  const sure = { done, failed };
  let errors: readonly WarmFailure[] = [];
  let isNews = true;
  let wake = (): void => undefined;

  function progress(state: WarmProgress['state']): WarmProgress {
    const finished = done + failed;
    const rate = ((finished - resumedFrom) * 1_000) / Math.max(1, performance.now() - startedAt);
    const etaMs =
      total !== undefined && rate > 0 ? Math.round((Math.max(0, total - finished) * 1_000) / rate) : undefined;
    return {
      state,
      done,
      failed,
      resumedFrom,
      rate,
      errors,
      ...(total !== undefined && { total }),
      ...(etaMs !== undefined && { etaMs }),
    };
  }

  return {
    progress,
    finish(index, task, error) {
      if (error === undefined) done += task.size;
      else {
        failed += task.size;
        errors = [...errors, { item: task.id, error }].slice(-MAX_ERRORS);
      }
      ahead.set(index, { task, isFailed: error !== undefined });
      for (let found = ahead.get(next); found !== undefined; found = ahead.get(next)) {
        ahead.delete(next++);
        lastId = found.task.id;
        sure[found.isFailed ? 'failed' : 'done'] += found.task.size;
      }
      isNews = true;
      wake();
    },
    checkpoint: () => ({ next, lastId, ...sure }),
    async *follow(end) {
      const over = new AbortController();
      const finish = (): void => {
        over.abort();
        wake();
      };
      end.then(finish, finish);
      while (!over.signal.aborted) {
        if (isNews) {
          isNews = false;
          yield progress('running');
          continue;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
