import { createMirror } from './mirror.ts';
import { toMember } from './records.ts';
import { MAX_RECORDS, MAX_SCANNED_PURGES, type Register } from './register.ts';

/** The register of one process: its mirror is all there is, and always up to date. */
export function createMemoryRegister(maxRecords: number = MAX_RECORDS): Register {
  const mirror = createMirror(1);
  const started = Date.now() - performance.now();
  const register: Register = {
    owe: (purges) => void register.invalidate(purges),
    refresh: () => true,
    judge: mirror.judge,
    blame: mirror.blame,
    stamp: () => ({ generation: mirror.generation, clock: mirror.syncedClock }),
    async invalidate(purges) {
      const previousClock = mirror.syncedClock;
      const clock = previousClock + 2; // Records lie between two clocks, as in Redis.
      const everything = purges.some(({ mode, kind }) => mode === 'hard' && kind === 'everything');
      mirror.apply(purges.map((purge) => [toMember(purge), clock - 1]));
      mirror.advance(clock);
      mirror.raiseFloor(everything ? clock - 1 : mirror.overflowOf(MAX_SCANNED_PURGES));
      mirror.trim(maxRecords);
      return { generation: mirror.generation, clock, previousClock };
    },
    now: () => started + performance.now(),
    open: () => undefined,
    close: () => undefined,
  };
  return register;
}
