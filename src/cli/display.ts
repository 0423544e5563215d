import type { WarmProgress } from '../warm/warm.ts';

/** Shows how far it is. */
export interface Display {
  show(progress: WarmProgress): void;
  end(): void;
}

const BAR = 30;
/** On a terminal the line is drawn anew so often, elsewhere a line is written so often. */
const TTY_INTERVAL_MS = 100;
const LOG_INTERVAL_MS = 5_000;

/** One line that is drawn anew, on a terminal; else a line now and then. */
export function createDisplay(out: NodeJS.WriteStream): Display {
  const intervalMs = out.isTTY ? TTY_INTERVAL_MS : LOG_INTERVAL_MS;
  let shownAt = out.isTTY ? -Infinity : performance.now();
  return {
    show(progress) {
      const isLast = progress.state !== 'running';
      if (performance.now() - shownAt < intervalMs && !(isLast && out.isTTY)) return;
      shownAt = performance.now();
      out.write(out.isTTY ? `\r\u001B[K${lineOf(progress, out.columns)}` : `${lineOf(progress)}\n`);
    },
    end() {
      if (out.isTTY) out.write('\n');
    },
  };
}

/** `[######------------] 120/360 33% · 2 failed · 85/s · 3 s left`, cut to the width of the terminal. */
export function lineOf({ done, failed, total, rate, etaMs }: WarmProgress, columns = Infinity): string {
  const finished = done + failed;
  const part = total === undefined ? undefined : total === 0 ? 1 : Math.min(1, finished / total);
  const filled = Math.round((part ?? 0) * BAR);
  const facts = [
    part === undefined
      ? `${finished}`
      : `[${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}] ${finished}/${total} ${Math.floor(part * 100)}%`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    `${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s`,
    ...(etaMs === undefined ? [] : [`${Math.ceil(etaMs / 1_000)} s left`]),
  ];
  return facts.join(' · ').slice(0, Math.max(0, columns - 1));
}
