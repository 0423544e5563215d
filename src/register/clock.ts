/** Redis' time as this process knows it. Ages come from it and not from the host's clock, which differs between hosts and steps. */
export interface ServerClock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Learns from a reply: the server said `serverMs` somewhere between the call being sent and its reply (monotonic milliseconds). */
  observe(serverMs: number, sentAt: number): void;
  /** Whether the last observation, or the last attempt at one, is older than a minute. */
  readonly isOld: boolean;
  /** An attempt at an observation begins. */
  postpone(): void;
}

const MAX_AGE_MS = 60_000;
/** A reply that took longer says little about what time it is. */
const MAX_TRIP_MS = 250;

/** Creates a clock that follows the host's until it has learned better. `monotonic` counts milliseconds. */
export function createServerClock(monotonic: () => number = () => performance.now()): ServerClock {
  let offset = Date.now() - monotonic();
  let attemptedAt = -Infinity;
  return {
    now: () => monotonic() + offset,
    observe(serverMs, sentAt) {
      attemptedAt = monotonic();
      if (attemptedAt - sentAt > MAX_TRIP_MS) return;
      offset = serverMs - (sentAt + attemptedAt) / 2;
    },
    postpone() {
      attemptedAt = monotonic();
    },
    get isOld() {
      return monotonic() - attemptedAt > MAX_AGE_MS;
    },
  };
}
