// From raw rounds to the figures of the report: ratios are taken within a round, between neighbours in time, and only then summed up.
import { contestants } from './contestants.mjs';
import { median, medianWithRange } from './statistics.mjs';

/** What a figure is compared with, and from which ratio on the aim counts as met. */
export const AIMS = [
  { of: 'strong', to: 'raw-get', least: 0.95, text: 'a strong hit at 0.95 of Express + raw `GET` or more' },
  {
    of: 'copies',
    to: 'express',
    least: 0.95,
    text: 'a bounded hit in memory at 0.95 of Express + prepared buffer or more',
  },
  { of: 'embedded', to: 'express', least: 0.95, text: 'an embedded hit at 0.95 of Express + prepared buffer or more' },
  { of: 'embedded', to: 'apicache', least: 1, text: 'an embedded hit ahead of apicache' },
];

/** How far the median invalidation of the largest tag may be from that of the smallest to count as equal. */
export const EQUAL_WITHIN = 1.1;

/** `results.http` of one Node version and size. */
export function groupOf(results, node, size) {
  return results.http.filter((row) => row.node === node && row.size === size);
}

/** Ratio of requests per second, round by round, of one contestant to another; `undefined` when one of them did not run. */
export function ratioBetween(group, of, to) {
  const [ours, theirs] = [of, to].map((name) => group.find((row) => row.contestant === name)?.perSecond);
  if (ours === undefined || theirs === undefined) return undefined;
  return medianWithRange(ours.map((value, round) => value / theirs[round]));
}

/** Whether an aim was met in one group of results; `undefined` when it was not measured. */
export function isMet({ of, to, least }, group) {
  const ratio = ratioBetween(group, of, to);
  return ratio === undefined ? undefined : ratio.median >= least;
}

/** The combinations that were run, in order. */
export function combinations(results) {
  const seen = new Map(results.http.map(({ node, size }) => [`${node} ${size}`, { node, size }]));
  return [...seen.values()];
}

/** Commands one request took, all names together. */
export function commandsPerRequest(row) {
  return Object.values(row.redisCommands).reduce((sum, count) => sum + count, 0);
}

/** A ratio as text: median and, in brackets, the range of its uncertainty. */
export function ratioText(ratio) {
  if (ratio === undefined) return '';
  return `${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)}-${ratio.high.toFixed(2)})`;
}

/** The run as plain lines for the terminal. */
export function linesOf(results) {
  const lines = [];
  for (const { node, size } of combinations(results)) {
    const group = groupOf(results, node, size);
    lines.push(
      `Node ${node}, ${size}: ratio to prepared buffer | to raw GET | req/s | CPU us | Redis commands | Redis CPU us | busy server/loader | autocannon req/s`,
    );
    for (const row of group) lines.push(`  ${lineOf(row, group)}`);
  }
  for (const { node, subjects } of results.invalidation) {
    for (const { count, ms, firstMs, ratioToFirst, redisCommands } of subjects)
      lines.push(
        `Node ${node}, invalidating ${count} entries: median ${ms.median.toFixed(3)} ms, first ${firstMs.toFixed(3)} ms, ` +
          `${ratioToFirst.median.toFixed(2)} of the smallest, ${JSON.stringify(redisCommands)}`,
      );
  }
  return lines;
}

function lineOf(row, group) {
  const ratios = ['express', 'raw-get'].map((to) => ratioText(ratioBetween(group, row.contestant, to)).padEnd(18));
  const figures = [row.perSecond, row.cpuUs].map((values) => median(values).toFixed(0).padStart(6));
  const redis = [commandsPerRequest(row).toFixed(2), row.redisCpuUs.toFixed(1)];
  const busy = `${row.serverBusy.toFixed(2)}/${row.loaderBusy.toFixed(2)}`;
  return [row.contestant.padEnd(9), ...ratios, ...figures, ...redis, busy, row.autocannon.perSecond].join(' | ');
}

/** The title of a contestant in tables. */
export const titleOf = (name) => contestants[name].title;
