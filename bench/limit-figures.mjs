// From the rounds of the limiters to the figures of the report.
import { limitApps } from './limit-apps.mjs';
import { limiters } from './limit-contestants.mjs';
import { HTTP_SCENARIOS } from './limit-http-rounds.mjs';
import { SCENARIOS } from './limit-rounds.mjs';
import { median, medianWithRange } from './statistics.mjs';

/** What `suite` is compared with, and from which ratio on the aim counts as met. */
const AIMS = [
  {
    scenario: 'below',
    to: 'rate-limit-redis',
    least: 0.8,
    text: "below the limit at 0.8 of rate-limit-redis' decisions or more",
  },
  {
    scenario: 'many',
    to: 'rate-limit-redis',
    least: 0.8,
    text: 'the same for a hundred thousand clients that hardly ever come twice',
  },
  ...Object.keys(limiters)
    .filter((name) => name !== 'suite')
    .map((to) => ({ scenario: 'flood', to, least: 1, text: `ahead of ${limiters[to].title} in a flood` })),
];

function rowsOf({ decisions }, scenario) {
  return decisions.filter((row) => row.scenario === scenario);
}

function ratioBetween(rows, of, to) {
  const [ours, theirs] = [of, to].map((name) => rows.find(({ contestant }) => contestant === name));
  return medianWithRange(ours.perSecond.map((value, round) => value / theirs.perSecond[round]));
}

/** One line per aim: text, ratio, whether it was met. */
export function limitAims(run) {
  const aims = AIMS.map(({ scenario, to, least, text }) => {
    const { median: ratio } = ratioBetween(rowsOf(run, scenario), 'suite', to);
    return [text, ratio.toFixed(2), ratio >= least ? 'met' : '**missed**'];
  });
  const trips = rowsOf(run, 'below-3').find(({ contestant }) => contestant === 'suite').trips;
  return [...aims, ['one trip for three policies', trips.toFixed(2), trips === 1 ? 'met' : '**missed**']];
}

/** Headers and rows of one scenario. */
export function decisionTable(run, scenario) {
  const rows = rowsOf(run, scenario);
  const headers = [
    'limiter',
    'decisions to rate-limit-redis',
    'decisions/s',
    'Node CPU µs',
    'Redis CPU µs',
    'trips',
    'Redis commands',
  ];
  return [headers, ...rows.map((row) => [limiters[row.contestant].title].concat(cellsOf(row, rows)))];
}

/** Headers and rows of one scenario over HTTP. */
export function httpTable({ http }, scenario) {
  const rows = http.filter((row) => row.scenario === scenario);
  const headers = [
    'middleware',
    'requests to rate-limit-redis',
    'requests/s',
    'Node CPU µs',
    'Redis CPU µs',
    'trips',
    'Redis commands',
  ];
  return [headers, ...rows.map((row) => [limitApps[row.contestant].title].concat(cellsOf(row, rows)))];
}

function cellsOf(row, rows) {
  const { median: ratio, low, high } = ratioBetween(rows, row.contestant, 'rate-limit-redis');
  const commands = Object.entries(row.redisCommands).map(([name, count]) => `${name} ${count.toFixed(2)}`);
  return [
    `${ratio.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`,
    median(row.perSecond).toFixed(0),
    median(row.cpuUs).toFixed(1),
    median(row.redisCpuUs).toFixed(1),
    row.trips.toFixed(2),
    commands.length === 0 ? 'none' : commands.join(', '),
  ];
}

/** Headers and rows of what one client occupies. */
export function memoryTable({ memory }) {
  const columns = [...new Set(memory.map(({ limit, steady }) => `${limit} ${steady}`))];
  const cell = (name, column) =>
    memory.find(({ contestant, limit, steady }) => contestant === name && `${limit} ${steady}` === column).bytes;
  const titles = columns.map((column) => {
    const [limit, steady] = column.split(' ');
    return `limit ${Number(limit).toLocaleString('en')}, ${steady === 'true' ? 'evenly over the window' : 'at once'}`;
  });
  const bytesOf = (name) => columns.map((column) => cell(name, column).toLocaleString('en'));
  const rows = Object.keys(limiters).map((name) => [limiters[name].title].concat(bytesOf(name)));
  return [['limiter', ...titles], ...rows];
}

/** The run as plain lines for the terminal. */
export function limitLines({ node, ...run }) {
  const lines = [];
  const addTable = (title, rows) => lines.push(`${title}:`, ...rows.map((cells) => `  ${cells.join(' | ')}`));
  for (const [name, { title }] of Object.entries(SCENARIOS))
    addTable(`Node ${node}, ${title}`, decisionTable(run, name));
  for (const [name, { title }] of Object.entries(HTTP_SCENARIOS))
    addTable(`Node ${node}, over HTTP, ${title}`, httpTable(run, name));
  addTable(`Node ${node}, bytes of one client`, memoryTable(run));
  return [...lines, ...limitAims(run).map((cells) => cells.join(': '))];
}
