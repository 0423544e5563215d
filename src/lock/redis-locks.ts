import { randomUUID } from 'node:crypto';
import type { Connection } from '../redis/connection.ts';
import { noFallback } from '../redis/guard.ts';
import type { Keys } from '../redis/keys.ts';
import type { Lock, Locks } from './locks.ts';
import { releaseLock } from './release-lock.lua.ts';
import { renewLock } from './renew-lock.lua.ts';
import { takeLock } from './take-lock.lua.ts';

/** Part of its time that a holder relies on: what clocks run apart and timers are late by is less than the rest. */
const RELIABLE = 0.9;
/** Renewed so often within its time: one of them may fail. */
const RENEWALS = 3;

interface Held {
  readonly name: string;
  readonly fence: number;
  readonly ttlMs: number;
  /** Until when it is surely held, on the clock of this process. */
  readonly untilAt: number;
  renew(): Promise<boolean | undefined>;
  release(): Promise<boolean>;
}

/** Locks in Redis: one string each, which expires when its holder has died. */
export function createRedisLocks({ client, guard }: Connection, keys: Pick<Keys, 'lock' | 'fence'>): Locks {
  return {
    async tryAcquire(name, ttlMs) {
      const token = randomUUID();
      const lock = keys.lock(name);
      const release = async (): Promise<boolean> =>
        (await guard({ operation: 'release lock', key: lock, fallback: () => 0 }, () =>
          releaseLock(client, { lock }, { token }),
        )) === 1;
      const renew = async (): Promise<boolean | undefined> => {
        const reply = await guard({ operation: 'renew lock', key: lock, fallback: () => undefined }, () =>
          renewLock(client, { lock }, { token, ttlMs }),
        );
        return reply === undefined ? undefined : reply === 1;
      };
      const untilAt = performance.now() + ttlMs * RELIABLE;
      try {
        const fence = await guard({ operation: 'take lock', key: lock, fallback: noFallback }, () =>
          takeLock(client, { lock, lastFence: keys.fence(name) }, { token, ttlMs }),
        );
        return fence === '' ? undefined : hold({ name, fence: Number(fence), ttlMs, untilAt, renew, release });
      } catch (error) {
        void release(); // It may have been taken all the same, or still be.
        throw error;
      }
    },
  };
}

/** Renews a lock until it is released or lost. */
function hold({ name, fence, ttlMs, untilAt, renew, release }: Held): Lock {
  const lost = new AbortController();
  const renewal = setInterval(() => void prolong(), ttlMs / RENEWALS).unref();
  let end = setTimeout(lose, untilAt - performance.now()).unref();
  let isOver = false;

  async function prolong(): Promise<void> {
    const askedAt = performance.now();
    const isHeld = await renew();
    if (isOver) return;
    if (isHeld === false) lose();
    else if (isHeld === true) {
      clearTimeout(end);
      end = setTimeout(lose, askedAt + ttlMs * RELIABLE - performance.now()).unref();
    }
  }

  function lose(): void {
    stop();
    lost.abort(new Error(`The lock "${name}" is lost.`)); // Not released: what is left of it is for stopping.
  }

  function stop(): void {
    isOver = true;
    clearInterval(renewal);
    clearTimeout(end);
  }

  return {
    name,
    fence,
    lost: lost.signal,
    async release() {
      if (isOver) return false;
      stop();
      return release();
    },
  };
}
