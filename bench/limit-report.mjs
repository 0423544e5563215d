// The part of docs/benchmarks.md about limiters.
import { decisionTable, httpTable, limitAims, memoryTable } from './limit-figures.mjs';
import { HTTP_SCENARIOS } from './limit-http-rounds.mjs';
import { SCENARIOS } from './limit-rounds.mjs';

/** Markdown of all runs, `''` when there was none. `table(headers, rows)` writes a table. */
export function limitReport({ limits = [] }, table) {
  if (limits.length === 0) return '';
  const tableOf = ([headers, ...rows]) => table(headers, rows);
  const runs = limits.map(({ node, ...run }) => {
    const scenarios = Object.entries(SCENARIOS).map(
      ([name, { title }]) => `#### Node ${node}, ${title}\n\n${tableOf(decisionTable(run, name))}`,
    );
    // Runs from before there were requests have none.
    const overHttp = run.http === undefined ? [] : Object.entries(HTTP_SCENARIOS);
    const requests = overHttp.map(
      ([name, { title }]) => `#### Node ${node}, over HTTP, ${title}\n\n${tableOf(httpTable(run, name))}`,
    );
    const aims = table(['aim', 'measured', ''], limitAims(run));
    return `### Node ${node}\n\n${aims}\n\n${[...scenarios, ...requests].join('\n\n')}\n\n#### Node ${node}, bytes of one client\n\n${tableOf(memoryTable(run))}`;
  });
  return `## Limiters

Every limiter is its own process with one connection and 50 decisions under way, made by its own function: no HTTP, and of express-rate-limit only its store for Redis (\`increment\`), not the
middleware. Below the limit a thousand clients take turns, many times a second each, or a hundred thousand, which hardly ever come twice; in a flood a hundred that have used up their limit of 100 per minute go on asking. With three policies rate-limit-redis and the sorted set ask three times, as
three middlewares do. rate-limit-redis and rate-limiter-flexible count in fixed windows, which let up to twice the limit pass around an edge. Trips are counted with one request at a time. What one client
occupies is \`MEMORY USAGE\` of its keys after its limit was used up, at once and evenly over the window. Over HTTP each is the middleware of an Express application with one
route, loaded over 50 connections by 300 clients, and the header fields of the newest draft it knows are sent.

${runs.join('\n\n')}`;
}
