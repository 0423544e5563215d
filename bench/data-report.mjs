// Turns bench/results/data.json into docs/benchmarks-data.md: node bench/data-report.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { dataContestants } from './data-contestants.mjs';
import { median, medianWithRange, percentile } from './statistics.mjs';

const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));
const titleOf = (name) => dataContestants[name].title;
const rangeText = ({ median: middle, low, high }) => `${middle.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`;
const ratioText = (ours, theirs) => rangeText(medianWithRange(ours.map((value, round) => value / theirs[round])));

function table(headers, rows) {
  return [headers, headers.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function runText({ date, seconds, versions, load, cpu }, how) {
  const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const placing = cpu.pinned ? 'cores given to each process' : 'processes placed by the operating system';
  return `${how} ${date}, ${seconds} s, load of the machine before it ${load}; ${cpu.model}, ${cpu.cores} cores, ${placing}; ${software.join(', ')}.`;
}

const SECTIONS = {
  hits({ meta, rows }) {
    const { rounds, slice, warmup } = meta.settings;
    const tables = [...new Set(rows.map(({ size }) => size))].flatMap((size) => {
      const ofSize = rows.filter((row) => row.size === size);
      const raw = ofSize.find(({ contestant }) => contestant === 'raw');
      return ['redis', 'memory'].map((reads) => hitTable(ofSize, raw, reads, size));
    });
    return `## A hit of getOrSet

Requests per second as a multiple of \`GET\` + \`JSON.parse\` in the same round: the median of the ratios and, in brackets, the range that holds the true median with 95 % confidence. 50 calls under way at a time,
300 keys, ${rounds} interleaved rounds of ${slice} ms after ${warmup} s of warm-up each. Commands include those inside scripts. Every call must be a hit.

${tables.join('\n\n')}

${runText(meta, 'Made on')}`;
  },
  codec({ meta, rows }) {
    const cells = ({ size, what, encode, decode }) => [
      size,
      what,
      ...[encode, decode].map((r) => rangeText(medianWithRange(r))),
    ];
    return `## Writing and reading values

Time as a multiple of \`JSON.stringify\` and \`JSON.parse\` with the bytes made and read: smaller is better. What JSON keeps is written as JSON; tags are looked for only where a value has something else in it.

${table(['value', '', 'encode', 'decode'], rows.map(cells))}

${runText(meta, 'Made on')}`;
  },
  bursts({ meta, rows }) {
    const cells = ({ contestant, loads, waits }) => [
      titleOf(contestant),
      median(loads),
      Math.max(...loads),
      percentile(waits, 0.5).toFixed(0),
      percentile(waits, 0.99).toFixed(0),
    ];
    return `## A burst over four processes

100 calls in each of four processes at the same moment, for a key that nobody has and whose loader takes 100 ms; ${meta.settings.bursts} bursts of each, in turn.

${table(['', 'loads (median)', 'most', 'wait p50, ms', 'wait p99, ms'], rows.map(cells))}

${runText(meta, 'Made on')}`;
  },
  invalidations({ meta, rows }) {
    const cells = ({ contestant, count, stored, ms }) => [
      titleOf(contestant),
      count,
      ms.length === 0
        ? `not measured: ${stored} were stored in ${meta.settings.fillMs / 1_000} s`
        : median(ms).toFixed(2),
      ms.length,
    ];
    return `## Invalidating a tag

How long the call takes when so many entries have the tag, in a process that has made two hundred such calls before. bentocache and cacheable note a time or number per tag, and ask for those of an entry at every hit of it; async-cache-dedupe deletes the entries.

${table(['', 'entries with the tag', 'ms (median)', 'calls'], rows.map(cells))}

${runText(meta, 'Made on')}`;
  },
  memory({ meta, rows }) {
    const raw = rows.find(({ contestant }) => contestant === 'raw')?.bytes;
    const cells = ({ contestant, bytes }) => [titleOf(contestant), bytes, (bytes / raw).toFixed(2)];
    return `## Memory of an entry

Bytes of Redis for a value of 300 bytes with one tag, which ten entries share (without tag for \`GET\`); everything that is stored beside it included.

${table(['', 'bytes', 'to `SET`'], rows.map(cells))}

${runText(meta, 'Made on')}`;
  },
};

function hitTable(rows, raw, reads, size) {
  const cells = ({ contestant, perSecond, cpuUs, redisCpuUs, commands }) => [
    titleOf(contestant),
    ratioText(perSecond, raw.perSecond),
    median(cpuUs).toFixed(1),
    commands.toFixed(2),
    median(redisCpuUs).toFixed(1),
    median(perSecond),
  ];
  const shown = rows.filter(({ contestant }) => dataContestants[contestant].reads === reads);
  const headers = [
    reads === 'redis' ? 'from Redis' : 'from memory',
    'to raw',
    'CPU µs',
    'commands',
    'Redis CPU µs',
    'per second',
  ];
  return `### ${size}, from ${reads === 'redis' ? 'Redis' : 'memory'}\n\n${table(headers, shown.map(cells))}`;
}

/** Writes the page from what was measured last. */
export async function writeDataReport() {
  const results = JSON.parse(readFileSync(pathOf('results/data.json'), 'utf8'));
  const sections = Object.entries(SECTIONS).filter(([name]) => results[name] !== undefined);
  const parts = sections.map(([name, section]) => section(results[name]));
  const page = `# Benchmarks: the data cache

<!-- Generated by bench/data-report.mjs. Do not edit: run npm run bench:data. -->

Each contestant in its own processes and database, with default options but for what a row says. **Only ratios carry over to other machines.** bentocache asks for ioredis 5 and ran on the one that is named below.

${readFileSync(pathOf('data-findings.md'), 'utf8')}

${parts.join('\n\n')}
`;
  writeFileSync(pathOf('../docs/benchmarks-data.md'), await format(page, { parser: 'markdown', printWidth: 120 }));
}

if (process.argv[1]?.endsWith('data-report.mjs')) await writeDataReport();
