import { setTimeout as sleep } from 'node:timers/promises';

/** Lets so much begin per second. Resolves when it is the caller's turn; rejects when the signal says that it will never be. */
export type Pace = (size: number) => Promise<void>;

/** Creates a pace. Nothing is saved up: a pause is followed by no burst. */
export function createPace(perSecond: number, signal: AbortSignal): Pace {
  let freeAt = 0;
  return async function pace(size) {
    const now = performance.now();
    const turnAt = Math.max(freeAt, now);
    freeAt = turnAt + (size * 1_000) / perSecond;
    if (turnAt > now) await sleep(turnAt - now, undefined, { signal });
  };
}
