import type { WarmOptions, WarmProgress } from '../warm/warm.ts';
import { createDisplay } from './display.ts';
import { loadPlan, type PlanModule } from './load-plan.ts';

/** Options of the command. */
export interface WarmCommandOptions extends Pick<WarmOptions, 'concurrency' | 'perSecond' | 'resume'> {
  readonly isQuiet: boolean;
}

/**
 * Warms the plan of a module, shows how far it is, and closes the suite. Resolves the exit code.
 *
 * @throws {Error} When the plan cannot be loaded or run.
 */
export async function warmCommand(file: string, { isQuiet, ...options }: WarmCommandOptions): Promise<number> {
  const module = await loadPlan(file);
  try {
    const last = await run(module, options, isQuiet);
    process.stdout.write(`${ending(last)}\n`);
    for (const { item, error } of last.errors) process.stderr.write(`  ${item}: ${error.message}\n`);
    return codeOf(last);
  } finally {
    await module.suite.close();
    await module.close?.();
  }
}

async function run({ suite, plan }: PlanModule, options: WarmOptions, isQuiet: boolean): Promise<WarmProgress> {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort();
  const display = isQuiet ? undefined : createDisplay(process.stdout);
  // Once: who presses Ctrl-C again wants it to end at once.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt);
  let last: WarmProgress | undefined;
  try {
    for await (const progress of suite.warm(plan, { ...options, signal: controller.signal })) {
      display?.show(progress);
      last = progress;
    }
  } finally {
    display?.end();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
  }
  if (last === undefined) throw new Error('The suite told nothing about warming.');
  return last;
}

function ending({ state, done, failed, total, resumedFrom }: WarmProgress): string {
  const counts = `${done}${total === undefined ? '' : ` of ${total}`} warmed, ${failed} failed`;
  const before = resumedFrom > 0 ? ` (${resumedFrom} by an earlier run)` : '';
  const goOn = 'Run the same command again within an hour to go on from there.';
  if (state === 'skipped') return 'Another process is warming: nothing was done.';
  if (state === 'degraded') return `Redis is away or takes nothing: ${counts}${before}. ${goOn}`;
  if (state === 'aborted') return `Interrupted: ${counts}${before}. ${goOn}`;
  return `Done: ${counts}${before}.`;
}

function codeOf({ state, failed }: WarmProgress): number {
  if (state === 'aborted') return 130;
  if (state === 'skipped') return 0;
  return state === 'done' && failed === 0 ? 0 : 1;
}
