import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type Program, run } from './program.ts';

jest.setTimeout(120_000); // A PostgreSQL is started, once for all of them.

let program: Program;
let output: string;
beforeAll(async () => {
  const env = { REDIS_URL: process.env['TEST_REDIS_URL'] ?? '', REDIS_KEY_PREFIX: `queries-${process.pid}:` };
  program = run('queries-all.ts', { env });
  const end = await program.ended();
  output = program.output();
  if (end !== 0) throw new Error(`It ended with ${end} and wrote:\n${output}`);
});
afterAll(() => program.end('SIGKILL'));

/** What an example has said. */
function linesOf(example: string): string[] {
  const said = output.split(/^# /m).find((part) => part.startsWith(`${example}\n`)) ?? '';
  return said.trim().split('\n').slice(1);
}

describe('examples/queries-pg.ts', () => {
  it('keeps orders in the cache of two processes until an insert is committed, and over a rollback', () => {
    expect(linesOf('pg')).toEqual([
      'at first, process 1: 1 Ada, 2 Ben from the database',
      'at first, process 2: 1 Ada, 2 Ben from the cache',
      'once more, process 1: 1 Ada, 2 Ben from the cache',
      'once more, process 2: 1 Ada, 2 Ben from the cache',
      'rolled back: Too much for today',
      'after the rollback, process 1: 1 Ada, 2 Ben from the cache',
      'after the rollback, process 2: 1 Ada, 2 Ben from the cache',
      'after the commit, process 1: 1 Ada, 2 Ben, 4 Ada from the database',
      'after the commit, process 2: 1 Ada, 2 Ben, 4 Ada from the cache',
    ]);
  });
});

describe('examples/queries-prisma.ts', () => {
  it('answers operations from the cache until their model is written', () => {
    expect(linesOf('prisma')).toEqual([
      '[{"id":1,"total":20},{"id":2,"total":35}] after 1 statements',
      '[{"id":1,"total":20},{"id":2,"total":35}] after 1 statements',
      '[{"id":1,"total":20},{"id":2,"total":35},{"id":3,"total":50}] after 3 statements',
    ]);
  });
});

describe('examples/queries-drizzle.ts', () => {
  it('answers built queries from the cache until their table changes', () => {
    expect(linesOf('drizzle')).toEqual([
      '[{"id":1,"total":20},{"id":2,"total":35}] after 1 statements',
      '[{"id":1,"total":20},{"id":2,"total":35}] after 1 statements',
      '[{"id":2,"total":35}] after 2 statements',
      '[{"id":2,"total":35}] after 4 statements',
    ]);
  });
});
