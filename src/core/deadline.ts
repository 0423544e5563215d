/**
 * Calls `onExpired` after `ms`, unless the returned function is called first. A stalled event loop fires timers before it reads replies that have
 * already arrived, so an expired timer lets pending input be read first (two turns) before it calls.
 */
export function startDeadline(ms: number, onExpired: () => void): () => void {
  let isCancelled = false;
  const timer = setTimeout(() => {
    setImmediate(() =>
      setImmediate(() => {
        if (!isCancelled) onExpired();
      }),
    );
  }, ms);
  return () => {
    isCancelled = true;
    clearTimeout(timer);
  };
}

/** The outcome of `work`, or `instead` when it takes longer than `ms`. What was begun goes on. */
export function expireAfter<T>(ms: number, work: Promise<T>, instead: T): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = startDeadline(ms, () => resolve(instead));
    work.finally(cancel).then(resolve, reject);
  });
}

/** {@link within} what is left until a moment on the clock of this process. */
export function inTime<T>(deadlineAt: number, work: Promise<T>, instead: T): Promise<T> {
  const leftMs = Math.max(0, deadlineAt - performance.now());
  return leftMs === Infinity ? work.catch(() => instead) : within(leftMs, work, instead);
}

/** The outcome of `work`, or `instead` when it fails or takes longer than `ms`. */
export function within<T>(ms: number, work: Promise<T>, instead: T): Promise<T> {
  return expireAfter(
    ms,
    work.catch(() => instead),
    instead,
  );
}
