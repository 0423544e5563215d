// npm run bench:kinds: what different kinds of hits cost, each against a plain hit of the same round, and what a burst over four processes makes handlers do.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { format } from 'prettier';
import { buildIfOlder } from './build-if-older.mjs';
import { runBursts } from './bursts.mjs';
import { KINDS } from './hit-kinds.mjs';
import { createPinning, startProcess, startRedis } from './processes.mjs';
import { readRedisUsage, redisUsageBetween } from './redis-usage.mjs';
import { openConnections } from './slices.mjs';
import { median, medianWithRange } from './statistics.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '60' },
    bursts: { type: 'string', default: '30' },
    'bursts-only': { type: 'boolean', default: false }, // Keeps the hits of the run before.
  },
});
const SLICE_MS = 100;
const CONNECTIONS = 50;
const SIZES = { '5KB': 5 * 1024, '100KB': 100 * 1024 };

buildIfOlder();
const pinning = createPinning(true);
const redisServer = await startRedis();
pinning.pin('redis', redisServer.pid);
pinning.pin('load', process.pid);
const redis = new Redis({ host: redisServer.host, port: redisServer.port });
const results = { hits: [], bursts: [] };
try {
  if (values['bursts-only']) Object.assign(results, JSON.parse(readFileSync('bench/results/kinds.json', 'utf8')));
  else for (const [sizeName, size] of Object.entries(SIZES)) results.hits.push(...(await measureHits(sizeName, size)));
  results.bursts = await runBursts(redisServer.port, Number(values.bursts));
} finally {
  redis.disconnect();
  await redisServer.stop();
}
await save();

/** All kinds up, then rounds in which each has its turn. */
async function measureHits(sizeName, size) {
  const servers = [];
  for (const [name, kind] of Object.entries(KINDS)) {
    const server = await startProcess(process.execPath, 'hit-kinds.mjs', [name, size, redisServer.port]);
    pinning.pin('server', server.pid);
    await fill(server, kind);
    const expected = await expectedOf(server, kind);
    const connections = await openConnections({ port: server.port, connections: CONNECTIONS, ...expected, ...kind });
    servers.push({ name, kind, ...server, connections, rounds: [] });
  }
  for (let round = -5; round < Number(values.rounds); round++) {
    for (let i = 0; i < servers.length; i++)
      await measure(servers[(i + Math.max(0, round)) % servers.length], round >= 0);
  }
  const rows = servers.map((server) => summary(sizeName, server, servers[0]));
  for (const server of servers) {
    server.connections.close();
    server.stop();
  }
  return rows;
}

/** Every variant of every URL is stored before anything is measured. */
async function fill({ port, urls }, { fieldsOf, variants = 1 }) {
  for (let variant = 0; variant < variants; variant++) {
    for (const [i, url] of urls.entries()) await fetchRaw(port, url, fieldsOf(i + variant));
  }
}

async function expectedOf({ port, urls }, { fieldsOf, status, isPacked = false }) {
  const head = await fetchRaw(port, urls[0], fieldsOf(0));
  if (head.status !== status) throw new Error(`answered ${head.status}, not ${status}`);
  return isPacked ? {} : { size: head.bytes }; // How small a body becomes depends on it.
}

async function fetchRaw(port, url, lines) {
  const fields = lines
    .split('\r\n')
    .filter(Boolean)
    .map((line) => line.split(': '));
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', path: url, headers: Object.fromEntries(fields) }, (response) => {
      let bytes = 0;
      response.on('data', (chunk) => (bytes += chunk.length));
      response.on('end', () => resolve({ status: response.statusCode, bytes }));
    });
    asked.on('error', reject).end();
  });
}

async function measure(server, counts) {
  const redisBefore = await readRedisUsage(redis);
  const before = await server.ask({ ask: 'usage' });
  const load = await server.connections.slice(SLICE_MS);
  const after = await server.ask({ ask: 'usage' });
  if (!counts) return;
  const used = redisUsageBetween(redisBefore, await readRedisUsage(redis));
  if (load.failed > 0 || after.handlerRuns > before.handlerRuns) server.misses = (server.misses ?? 0) + 1;
  server.rounds.push({
    perSecond: (load.counted / load.elapsedMs) * 1_000,
    cpuUs: (after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system) / load.done,
    commands: Object.values(used.commands).reduce((sum, count) => sum + count, 0) / load.done,
    redisCpuUs: used.cpuUs / load.done,
  });
}

function summary(size, { name, kind, rounds, misses = 0 }, plain) {
  const ratios = rounds.map(({ perSecond }, i) => perSecond / plain.rounds[i].perSecond);
  const of = (figure) => median(rounds.map((round) => round[figure]));
  return {
    size,
    name,
    title: kind.title,
    ratio: medianWithRange(ratios),
    perSecond: Math.round(of('perSecond')),
    cpuUs: of('cpuUs'),
    commands: of('commands'),
    redisCpuUs: of('redisCpuUs'),
    roundsWithMisses: misses,
  };
}

async function save() {
  const ratio = ({ median: middle, low, high }) => `${middle.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`;
  const hit = ({ size, title, ratio: r, perSecond, cpuUs, commands, redisCpuUs, roundsWithMisses }) =>
    `| ${size} | ${title} | ${ratio(r)} | ${perSecond} | ${cpuUs.toFixed(0)} | ${commands.toFixed(2)} | ${redisCpuUs.toFixed(1)} | ${roundsWithMisses} |`;
  const burst = ({ title, runs, ms }) =>
    `| ${title} | ${median(runs)} | ${Math.max(...runs)} | ${median(ms).toFixed(0)} |`;
  const text = `# Benchmarks: kinds of hits, and bursts

<!-- Generated by bench/kinds.mjs. Do not edit: run npm run bench:kinds. -->

Made on ${new Date().toISOString().slice(0, 10)} with Node ${process.versions.node}: ${values.rounds} interleaved rounds of ${SLICE_MS} ms per kind, ${CONNECTIONS} connections, 300 URLs, strong mode; a ratio is taken within
a round, between neighbours in time. Only ratios carry over to other machines.

| body | kind of hit | requests per second, to a plain hit | per second | CPU µs | Redis commands | Redis CPU µs | rounds with misses |
|---|---|---|---|---|---|---|---|
${results.hits.map(hit).join('\n')}

Redis commands include those inside scripts. A 304 reads only the beginning of an entry.

## A burst over four processes

100 requests to each of four processes at the same moment, for a response that nobody has and that takes its handler 100 ms; ${values.bursts} bursts.

| | handler runs (median) | most | all answered after, ms (median) |
|---|---|---|---|
${results.bursts.map(burst).join('\n')}
`;
  mkdirSync('bench/results', { recursive: true });
  writeFileSync('bench/results/kinds.json', `${JSON.stringify(results)}\n`);
  writeFileSync('docs/benchmarks-kinds.md', await format(text, { parser: 'markdown', printWidth: 120 }));
  process.stdout.write(text);
}
