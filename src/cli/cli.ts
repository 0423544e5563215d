#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { warmCommand } from './warm-command.ts';

const USAGE = `Usage: express-redis-suite warm <plan.mjs> [options]

Warms what a plan names. The module exports "suite" and "plan", by name or as properties of its default export.

  --concurrency <n>   so many items at a time (default: 4, or the plan's)
  --per-second <n>    so many items per second at most (default: no limit, or the plan's)
  --restart           from the beginning, even if an interrupted run can be gone on with
  --quiet             tells only how it ended
  --help              this text

Exit codes: 0 all warmed, or another process is warming; 1 items failed, or Redis is away; 2 wrong usage, or a plan that cannot be
loaded; 130 interrupted.
`;

/** Runs the command and resolves its exit code. */
async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      concurrency: { type: 'string' },
      'per-second': { type: 'string' },
      restart: { type: 'boolean' },
      quiet: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [command, file, ...more] = positionals;
  if (command !== 'warm' || file === undefined || more.length > 0) {
    process.stderr.write(USAGE);
    return 2;
  }
  return warmCommand(file, {
    concurrency: numberOf(values.concurrency),
    perSecond: numberOf(values['per-second']),
    resume: values.restart === true ? 'restart' : undefined,
    isQuiet: values.quiet === true,
  });
}

/** What is no number is told by `warm`, as what it is not. */
function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

main(process.argv.slice(2)).then(
  (code) => process.stdout.write('', () => process.exit(code)), // The plan's connection may still be open.
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`, () => process.exit(2));
  },
);
