import { expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const BOUND = 4_000_000;

it('the memory that is allowed is what small entries and the values kept beside them take, by and large', async () => {
  // In a process of its own: what others leave behind would be counted too.
  const program = join(__dirname, 'memory-bound-process.ts');
  const args = ['--expose-gc', '--import', 'tsx', program, String(BOUND)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { tier, store, values, heavy } = JSON.parse(stdout) as Readonly<
    Record<'tier' | 'store' | 'values', number> & { heavy: readonly number[] }
  >;
  for (const bytes of [tier, store, values]) {
    expect(bytes).toBeGreaterThan(0.6 * BOUND);
    expect(bytes).toBeLessThan(1.4 * BOUND);
  }
  expect(heavy).toHaveLength(6);
  for (const ratio of heavy) expect(ratio).toBeLessThan(1.2);
});
