import type { LoadContext, LoaderOfMany, Loader } from './data-cache.ts';

/** Gathers the loads of many keys into one call of their loader. */
export interface Batch<T> {
  /** The loader of one of the keys. */
  readonly load: Loader<T>;
  /** A key of the batch will not be loaded now: it is there, or somebody else loads it. To be called once for each that does not come to `load`. */
  pass(key: string): void;
}

interface Waiting<T> {
  readonly key: string;
  readonly signal: AbortSignal;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** Creates the batch of some keys: their loader is called once all of them have come to load, or passed. What comes later is gathered per turn of the event loop. */
export function createBatch<T>(
  keys: readonly string[],
  loadMany: LoaderOfMany<T>,
  nameOf: (key: string) => string,
): Batch<T> {
  const undecided = new Set(keys);
  const places = new Map(keys.map((key, i) => [key, i]));
  let waiting: Waiting<T>[] = [];
  let isScheduled = false;

  function decide(key: string): void {
    const wasDecided = !undecided.delete(key);
    if (undecided.size === 0 && !wasDecided) dispatch();
    else if (undecided.size === 0 && !isScheduled) {
      isScheduled = true;
      setImmediate(() => {
        isScheduled = false;
        dispatch();
      });
    }
  }

  function dispatch(): void {
    const due = waiting.toSorted((a, b) => (places.get(a.key) ?? 0) - (places.get(b.key) ?? 0));
    waiting = [];
    if (due.length > 0) void run(due);
  }

  async function run(due: readonly Waiting<T>[]): Promise<void> {
    const names = due.map(({ key }) => nameOf(key));
    try {
      const loaded = await loadMany(names, { signal: signalOf(due.map(({ signal }) => signal)) });
      const values = isMap(loaded) ? names.map((name) => loaded.get(name)) : loaded;
      // Where rows are missing nobody knows whose the others are.
      if (values.length !== names.length) {
        throw new TypeError(
          `getOrSetMany: ${names.length} keys, but ${values.length} items. Put undefined where one is missing, or return a Map by key.`,
        );
      }
      // What is left out is `undefined`, which `T` of a caller who leaves something out contains.
      due.forEach(({ resolve }, i) => resolve(values[i] as T));
    } catch (error) {
      for (const { reject } of due) reject(error);
    }
  }

  return {
    load: ({ key, signal }: LoadContext<T>) =>
      new Promise<T>((resolve, reject) => {
        waiting.push({ key, signal, resolve, reject });
        decide(key);
      }),
    pass: (key) => void (undecided.has(key) && decide(key)),
  };
}

function isMap<T>(loaded: ReadonlyMap<string, T> | readonly (T | undefined)[]): loaded is ReadonlyMap<string, T> {
  if (loaded instanceof Map) return true;
  if (Array.isArray(loaded)) return false;
  throw new TypeError('getOrSetMany: the loader must return a Map by key, or an array in the order of the keys.');
}

/** Aborted once all are. */
function signalOf(signals: readonly AbortSignal[]): AbortSignal {
  const controller = new AbortController();
  let left = signals.length;
  for (const signal of signals) {
    const leave = (): void => void (--left === 0 && controller.abort());
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
  }
  return controller.signal;
}
