import type { Purge } from '../register/records.ts';
import { toMember } from '../register/records.ts';
import { type Invalidation, isReclaimed, toPurges } from './purges.ts';

/** What one rule has answered. */
interface Answer {
  readonly results: readonly Invalidation[];
  readonly debounceMs: number;
}

interface Batch {
  readonly purges: Map<string, Purge>;
  readonly written: Promise<void>;
  write(): void;
}

/** Writes what rules have answered: at once, or together with what follows within their debounce. */
export interface Triggers {
  /**
   * Resolves when all of it is written.
   *
   * @throws {TypeError} When one answer names nothing: then nothing is written.
   */
  write(answers: readonly Answer[]): Promise<void>;
  /** Writes at once what waits, and resolves when it is written or has failed. */
  flush(): Promise<void>;
}

/** Creates the writer of one suite's rules. */
export function createTriggers(
  invalidate: (purges: readonly Purge[]) => Promise<unknown>,
  reclaim: () => void,
): Triggers {
  const batches = new Map<number, Batch>();
  let isClosed = false;

  /** Events of one debounce share a write, whatever rules they come from. */
  function batchOf(debounceMs: number): Batch {
    const existing = batches.get(debounceMs);
    if (existing !== undefined) return existing;
    const purges = new Map<string, Purge>();
    let write = (): void => undefined;
    const written = new Promise<void>((resolve, reject) => {
      write = () => {
        clearTimeout(timer);
        batches.delete(debounceMs);
        invalidate([...purges.values()]).then(() => resolve(), reject);
      };
    });
    const timer = setTimeout(() => write(), debounceMs);
    const batch: Batch = { purges, written, write };
    batches.set(debounceMs, batch);
    return batch;
  }

  return {
    async write(answers) {
      const purges = answers.map(({ results, debounceMs }) => ({
        debounceMs: isClosed ? 0 : debounceMs,
        members: new Map(results.flatMap(toPurges).map((purge) => [toMember(purge), purge])),
      }));
      const atOnce = new Map<string, Purge>();
      for (const { debounceMs, members } of purges) {
        if (debounceMs === 0) members.forEach((purge, member) => atOnce.set(member, purge));
      }
      const writes: Promise<unknown>[] = atOnce.size > 0 ? [invalidate([...atOnce.values()])] : [];
      for (const { debounceMs, members } of purges) {
        if (debounceMs === 0 || members.size === 0) continue;
        const batch = batchOf(debounceMs);
        members.forEach((purge, member) => batch.purges.set(member, purge));
        writes.push(batch.written);
      }
      await Promise.all(writes);
      if (answers.some(({ results }) => results.some(isReclaimed))) reclaim();
    },
    async flush() {
      isClosed = true;
      const waiting = [...batches.values()];
      for (const batch of waiting) batch.write();
      await Promise.allSettled(waiting.map(({ written }) => written));
    },
  };
}
