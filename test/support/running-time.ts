const TICK_MS = 5;

let ranMs = 0;
let seenAt = performance.now();

/**
 * Milliseconds that this process could have used, for measuring how long something waits. Like `performance.now()`, but a pause in which the event loop could not turn,
 * because other programs had the cores, counts for two ticks at most: a busy machine makes nobody wait for Redis. A wait for a timer or for an answer counts in full.
 */
export function runningTime(): number {
  const now = performance.now();
  ranMs += Math.min(now - seenAt, 2 * TICK_MS);
  seenAt = now;
  return ranMs;
}

setInterval(runningTime, TICK_MS).unref();
