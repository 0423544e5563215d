// npm run bench:data: data caches side by side; writes bench/results/data.json and docs/benchmarks-data.md.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { format } from 'prettier';
import { buildIfOlder } from './build-if-older.mjs';
import { measureCodec } from './data-codec.mjs';
import { writeDataReport } from './data-report.mjs';
import { measureEntryBytes, runDataBursts, runDataInvalidations, runHits } from './data-rounds.mjs';
import { createPinning, startRedis } from './processes.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const text = { type: 'string' };
const flag = { type: 'boolean' };
const { values } = parseArgs({
  allowNegative: true,
  options: { rounds: text, slice: text, warmup: text, bursts: text, entries: text, parts: text, pin: flag },
});
/** Parts of a run; those left out keep the figures of the run before. */
const PARTS = {
  codec: () => measureCodec(),
  hits: runHits,
  bursts: runDataBursts,
  invalidations: runDataInvalidations,
  memory: measureEntryBytes,
};
const options = {
  rounds: Number(values.rounds ?? 40),
  slice: Number(values.slice ?? 100),
  warmup: Number(values.warmup ?? 5),
  bursts: Number(values.bursts ?? 20),
  entries: (values.entries ?? '10,10000,1000000').split(',').map(Number),
  fillMs: 300_000, // An entry that takes longer than this for so many is not waited for.
  parts: (values.parts ?? Object.keys(PARTS).join()).split(','),
};
buildIfOlder();

const FILE = 'bench/results/data.json';
const pinning = createPinning(values.pin !== false);
const server = await startRedis();
const redis = new Redis({ host: server.host, port: server.port });
pinning.pin('redis', server.pid);
const bench = { options, redis, redisPort: server.port, pinning, problems: [] };
const results = readResults();
try {
  for (const part of options.parts) {
    const startedAt = Date.now();
    const load = loadavg()[0].toFixed(1);
    const rows = await PARTS[part](bench);
    await redis.flushall();
    results[part] = { meta: await describe(startedAt, load), rows };
  }
} finally {
  redis.disconnect();
  await server.stop();
}
for (const problem of bench.problems) console.error('PROBLEM', problem);
process.exitCode = bench.problems.length > 0 ? 1 : 0;
mkdirSync('bench/results', { recursive: true });
writeFileSync(FILE, await format(JSON.stringify(results), { parser: 'json', printWidth: 120 }));
await writeDataReport();

function readResults() {
  try {
    return JSON.parse(readFileSync(FILE, 'utf8'));
  } catch {
    return {};
  }
}

async function describe(startedAt, load) {
  const names = ['ioredis', 'bentocache', 'cacheable', '@keyv/redis', 'async-cache-dedupe'];
  const versionOf = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
  const server = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1];
  return {
    date: new Date(startedAt).toISOString().slice(0, 10),
    seconds: Math.round((Date.now() - startedAt) / 1_000),
    settings: options,
    versions: {
      node: process.versions.node,
      redis: server,
      ...Object.fromEntries(names.map((name) => [name, versionOf(name)])),
    },
    load,
    cpu: { model: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), pinned: pinning.active },
  };
}
