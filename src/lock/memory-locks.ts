import type { Locks } from './locks.ts';

/** Locks of one process. A holder is alive as long as those who wait, so they are held until they are released. */
export function createMemoryLocks(): Locks {
  const held = new Set<string>();
  let fence = 0;
  return {
    async tryAcquire(name) {
      if (held.has(name)) return undefined;
      held.add(name);
      let isHeld = true;
      return {
        name,
        fence: ++fence,
        lost: new AbortController().signal,
        async release() {
          if (!isHeld) return false;
          isHeld = false;
          return held.delete(name);
        },
      };
    },
  };
}
