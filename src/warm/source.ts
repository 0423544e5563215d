import type { Checkpoint } from './checkpoint.ts';
import type { WarmConfig } from './config.ts';
import type { WarmedCache, WarmItem } from './plan.ts';
import { type Task, toTask } from './tasks.ts';

/** The tasks that are left. */
export interface Source {
  /** Where it goes on; absent when it begins at the beginning. */
  readonly from: Checkpoint | undefined;
  /** The next task and its index. May be asked by several at a time. */
  take(): Promise<{ readonly index: number; readonly task: Task } | undefined>;
  /** No more is asked for: what the items hold open, such as a cursor, is theirs to close; when they are being asked, after their answer. */
  close(): Promise<void>;
}

/** Where a run begins, and what ends it. */
interface Beginning {
  readonly from: Checkpoint | undefined;
  readonly signal: AbortSignal;
}

/** Opens the items of a plan behind what is finished: at the beginning, when they are not those that were finished; somewhere, when it is stopped. */
export async function openSource(config: WarmConfig, data: WarmedCache, { from, signal }: Beginning): Promise<Source> {
  const items = iteratorOf(config);
  let last: WarmItem | undefined;
  for (let index = 0; index < (from?.next ?? 0) && !signal.aborted; index++) {
    const { done, value } = await items.next();
    last = done === true ? undefined : value;
    if (done === true) break;
  }
  if (from !== undefined && !signal.aborted && (last === undefined || toTask(last, data, config).id !== from.lastId)) {
    if (last !== undefined) await items.return?.();
    return openSource(config, data, { from: undefined, signal });
  }
  let index = from?.next ?? 0;
  let taking: Promise<unknown> = Promise.resolve();
  /** At its end, after an error, and while it is asked: nobody may end it then. */
  let isBusy = false;
  let isClosed = false;

  async function takeNext(): ReturnType<Source['take']> {
    if (isBusy) return undefined;
    isBusy = true;
    const { done, value } = await items.next();
    if (done === true) return undefined;
    isBusy = false;
    if (isClosed) await items.return?.();
    return { index: index++, task: toTask(value, data, config) };
  }

  return {
    from,
    take() {
      const taken = taking.then(takeNext); // One at a time: not every iterator can be asked twice at once.
      taking = taken;
      return taken;
    },
    async close() {
      isClosed = true;
      if (!isBusy) await items.return?.();
    },
  };
}

function iteratorOf(config: WarmConfig): Iterator<WarmItem> | AsyncIterator<WarmItem> {
  const items = config.open();
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
}
