import { join } from 'node:path';

/** Names the folder of the bundled programs; set by globalSetup. */
export const PROGRAMS = 'TEST_PROGRAMS';

/** The bundle of one, named by its source: `examples/tags.ts`. */
export function programFile(source: string): string {
  const folder = process.env[PROGRAMS];
  if (folder === undefined)
    throw new Error(`${PROGRAMS} is not set: run the tests through jest, whose globalSetup sets it.`);
  return join(folder, source.replace(/\.ts$/, '.mjs'));
}
