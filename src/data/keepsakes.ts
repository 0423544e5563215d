import type { Beside } from '../cache/beside.ts';
import type { Entry } from '../cache/entry.ts';
import { type Codec, UNREADABLE } from '../codec/codec.ts';
import { copierOf } from '../codec/copy-plain.ts';
import { heapBytesOf } from '../codec/heap-bytes.ts';

/** Whether every caller gets a value of his own, or all share one that nobody can change. */
export type ValueMode = 'copies' | 'frozen';

/** Values of entries in memory that are plain JSON. What is used often is kept as it was read: to be copied for each caller, or frozen and for all. */
export interface Keepsakes {
  valueOf(entry: Entry, beside: Beside): unknown;
}

/** From which use on. Before a value is kept to be copied, as much has been spent on parsing it as keeping it costs. */
const FIRST_USE: Readonly<Record<ValueMode, number>> = { copies: 4, frozen: 1 };
/** How much of the memory for entries it may take: what is to be copied is no reason to have many fewer of them. */
const MAX_SHARE: Readonly<Record<ValueMode, number>> = { copies: 1 / 4, frozen: 1 };

/** Creates the keepsakes of one cache. */
export function createKeepsakes(codec: Codec, mode: ValueMode): Keepsakes {
  const owner = Symbol(mode);

  /** Nobody else has the value. What is kept to be copied is not handed out. */
  function settle(value: unknown, beside: Beside, isDue: boolean): unknown {
    if (mode === 'frozen') deepFreeze(value);
    if (!isDue || value === UNREADABLE) return value;
    const copier = mode === 'frozen' ? undefined : copierOf(value);
    const take = mode === 'frozen' ? (): unknown => value : copier?.copy;
    const bytes = heapBytesOf(value) + (copier?.bytes ?? 0);
    const isKept = take && beside.keep(beside, { owner, bytes, take }, MAX_SHARE[mode]);
    return isKept === true ? take() : value;
  }

  return {
    valueOf({ flags, body }, beside) {
      const { made } = beside;
      if (made?.owner === owner) return made.take();
      const isDue = ++beside.uses >= FIRST_USE[mode] && isPowerOfTwo(beside.uses);
      return whenThere(codec.decode(flags, body), (value) => settle(value, beside, isDue));
    },
  };
}

/** What could not be kept is tried again, ever more rarely: there may be room by then. */
function isPowerOfTwo(uses: number): boolean {
  return (uses & (uses - 1)) === 0;
}

/** Goes on at once with what is no promise. */
export function whenThere<T, R>(value: T | Promise<T>, next: (value: T) => R): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Of what JSON can hold, so there are no cycles. It may be deeper than the stack. */
export function deepFreeze<T>(value: T): T {
  const parts: unknown[] = [value];
  while (parts.length > 0) {
    const part = parts.pop();
    if (typeof part !== 'object' || part === null) continue;
    for (const inner of Object.values(part)) parts.push(inner);
    Object.freeze(part);
  }
  return value;
}
