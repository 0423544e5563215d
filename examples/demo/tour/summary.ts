import type { Suite } from '../../../src/index.ts';
import { formatCount, line, step, style } from '../print.ts';

/** What `suite.stats()` has counted. */
export function showSummary(suite: Suite): void {
  step(
    'What was counted',
    'suite.stats() counts per route. The rate of a real API is higher: this tour asks for the unusual.',
  );
  const { routes, ...total } = suite.stats().cache;
  line(style('dim', row('route', ['hits', 'misses', 'bypasses', 'stores', 'errors', 'hit rate'])));
  for (const [route, counters] of [...Object.entries(routes), ['together', total] as const]) {
    const { hits, misses, bypasses, stores, errors, hitRate } = counters;
    line(row(route, [...[hits, misses, bypasses, stores, errors].map(formatCount), `${Math.round(hitRate * 100)} %`]));
  }
}

function row(name: string, cells: readonly string[]): string {
  return `    ${name.padEnd(24)}${cells.map((cell) => cell.padStart(10)).join('')}`;
}
