import { startDeadline } from '../core/deadline.ts';
import { LoadTimeoutError } from '../core/errors.ts';
import type { LoadSettings } from './settings.ts';

/** How long one caller waits for a value. */
export interface Patience<T> extends Pick<LoadSettings<never>, 'softMs' | 'hardMs' | 'signal'> {
  readonly key: string;
  /** A stale value that may stand in. */
  readonly standIn: { readonly value: T } | undefined;
  /** The caller waits no more. */
  onLeave(): void;
  /** The work has failed after it was given up: nobody else may hear of it. */
  onLateFailure(error: unknown): void;
}

/**
 * The outcome of `work`, or what stands in for it when it takes long. What was begun goes on.
 *
 * @throws {LoadTimeoutError} After the hard timeout, where nothing stands in.
 */
export function waitFor<T>(work: Promise<T>, patience: Patience<T>): Promise<T> {
  const { softMs, hardMs, signal, standIn, key, onLeave, onLateFailure } = patience;
  if (softMs === Infinity && hardMs === Infinity && signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const giveUpMs = standIn === undefined ? hardMs : Math.min(softMs, hardMs);
    const cancel = giveUpMs === Infinity ? () => undefined : startDeadline(giveUpMs, giveUp);
    signal?.addEventListener('abort', leave);
    work.finally(end).then(resolve, reject);

    function giveUp(): void {
      end();
      work.catch(onLateFailure);
      if (standIn !== undefined) resolve(standIn.value);
      else reject(new LoadTimeoutError(key, hardMs));
    }
    function leave(): void {
      end();
      onLeave();
      reject(signal?.reason as Error);
    }
    function end(): void {
      cancel();
      signal?.removeEventListener('abort', leave);
    }
  });
}
