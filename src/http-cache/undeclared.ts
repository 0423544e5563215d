import type { Tracker } from './track.ts';

const MAX_TOLD = 1_000;
const told = new Set<string>();

/** In development: says once for each route what its handler reads and the key does not hold. */
export function warnOfUndeclared(route: string, tracker: Tracker, varyNames: readonly string[]): void {
  const names = tracker.undeclared().filter((name) => !varyNames.includes(name.replace('header ', '')));
  for (const name of names) {
    const text = `The cached route ${route} reads ${name}, which is not part of its key.`;
    if (told.has(text) || told.size >= MAX_TOLD) continue;
    told.add(text);
    process.emitWarning(
      `${text} Declare it (vary, user, cookies) if the response depends on it.`,
      'ExpressRedisSuiteWarning',
    );
  }
}
