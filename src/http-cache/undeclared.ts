import type { Tracker } from './track.ts';

const MAX_TOLD = 1_000;
const told = new Set<string>();

/** In development: says once for each route what its handler reads and the key does not hold. */
export function warnOfUndeclared(route: string, tracker: Tracker, varyNames: readonly string[]): void {
  const names = tracker.undeclared().filter((name) => {
    if (varyNames.includes(name.replace('the header ', '')) || told.has(`${route} ${name}`)) return false;
    if (told.size >= MAX_TOLD) return false;
    told.add(`${route} ${name}`);
    return true;
  });
  if (names.length === 0) return;
  process.emitWarning(
    `The cached route ${route} reads ${names.join(', ')}, which the key does not hold. Declare it (vary, user, cookies) if the response depends on it.`,
    'ExpressRedisSuiteWarning',
  );
}
