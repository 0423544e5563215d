import { expireAfter } from '../core/deadline.ts';

/** Loads of one key one after another, each for all who came while the one before was under way. */
export interface Turnstile<Outcome> {
  /**
   * The outcome of a load that begins after this call: its own if none is under way, else the next one, which all who wait share. So nobody is given what was begun before he asked, and
   * however many ask, one load at a time is made. `onWait` is called where it is not its own.
   */
  share(address: string, load: () => Promise<Outcome>, onWait?: () => void): Promise<Outcome>;
}

/** A load that takes longer is not waited for. */
const MAX_WAIT_MS = 5_000;

/** Creates a turnstile at which nobody waits. */
export function createTurnstile<Outcome>(): Turnstile<Outcome> {
  const running = new Map<string, Promise<Outcome>>();
  const next = new Map<string, Promise<Outcome>>();

  function run(address: string, load: () => Promise<Outcome>): Promise<Outcome> {
    const outcome = load();
    running.set(address, outcome);
    const end = (): void => {
      if (running.get(address) === outcome) running.delete(address);
    };
    outcome.then(end, end);
    return outcome;
  }

  return {
    share(address, load, onWait) {
      const current = running.get(address);
      if (current === undefined) return run(address, load);
      onWait?.();
      const waiting = next.get(address);
      if (waiting !== undefined) return waiting;
      const ended = current.then(
        () => undefined,
        () => undefined,
      );
      const queued = expireAfter(MAX_WAIT_MS, ended, undefined).then(() => {
        next.delete(address);
        return run(address, load);
      });
      next.set(address, queued);
      return queued;
    },
  };
}
