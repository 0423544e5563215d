/** When a circuit opens: so many failures in a row, or more than half of so many calls within a window. */
const FAILURES_IN_A_ROW = 5;
const FAILURES_IN_WINDOW = 20;
const WINDOW_MS = 10_000;

/** Remembers whether something answers. It only counts: probing and waiting are its owner's. */
export interface CircuitBreaker {
  readonly isOpen: boolean;
  /** Counts an answer. Returns true when this closed an open circuit. */
  succeed(): boolean;
  /** Counts a failure. Returns true when this opened the circuit. */
  fail(): boolean;
  /** Opens at once. Returns true when it was closed. */
  open(): boolean;
}

/** Creates a closed circuit. `now` is a monotonic clock in milliseconds. */
export function createCircuitBreaker(now: () => number = () => performance.now()): CircuitBreaker {
  let isOpen = false;
  let inARow = 0;
  let windowEndsAt = 0;
  let calls = 0;
  let failures = 0;

  const open = (): boolean => {
    const opened = !isOpen;
    isOpen = true;
    return opened;
  };

  return {
    get isOpen() {
      return isOpen;
    },
    open,
    succeed() {
      inARow = 0;
      calls++;
      const closed = isOpen;
      isOpen = false;
      if (closed) windowEndsAt = 0;
      return closed;
    },
    fail() {
      if (now() >= windowEndsAt) {
        windowEndsAt = now() + WINDOW_MS;
        calls = 0;
        failures = 0;
      }
      calls++;
      failures++;
      inARow++;
      const often = failures >= FAILURES_IN_WINDOW && failures * 2 > calls;
      return inARow >= FAILURES_IN_A_ROW || often ? open() : false;
    },
  };
}
