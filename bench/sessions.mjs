// npm run bench:sessions: measures every contestant with every use of a session, writes bench/results/sessions.json and docs/benchmarks-sessions.md.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { format } from 'prettier';
import { buildIfOlder } from './build-if-older.mjs';
import { createPinning, startProcess, startRedis } from './processes.mjs';
import { SESSION_SIZES, sessionContestants, USES } from './session-contestants.mjs';
import { sessionLines, writeSessionReport } from './session-report.mjs';
import { measureIdleBytes, runSessionRounds } from './session-rounds.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const text = { type: 'string' };
const flag = { type: 'boolean' };
const { values } = parseArgs({
  allowNegative: true,
  options: {
    rounds: text,
    slice: text,
    warmup: text,
    connections: text,
    sizes: text,
    uses: text,
    only: text,
    pin: flag,
    report: flag,
  },
});
const listed = (value, known) => (value === undefined ? known : value.split(',').filter((one) => known.includes(one)));
const options = {
  rounds: Number(values.rounds ?? 60),
  slice: Number(values.slice ?? 100),
  warmup: Number(values.warmup ?? 2),
  connections: Number(values.connections ?? 50),
  sizes: listed(values.sizes, Object.keys(SESSION_SIZES)),
  uses: listed(values.uses, USES),
  contestants: listed(values.only, Object.keys(sessionContestants)),
};
buildIfOlder();

const startedAt = Date.now();
const pinning = createPinning(values.pin !== false);
const problems = [];
const rows = [];
const loads = [loadavg()[0]];
const versions = { node: process.versions.node };
for (const size of options.sizes) await benchSize(size);

const results = { meta: describe(), rows, problems };
for (const line of sessionLines(results)) console.log(line);
for (const problem of problems) console.error(`PROBLEM ${problem}`);
if (values.report !== false) await save();
process.exitCode = problems.length > 0 ? 1 : 0;

async function benchSize(size) {
  const server = await startRedis();
  const redis = new Redis({ host: server.host, port: server.port });
  const loader = await startProcess(process.execPath, 'session-load.mjs');
  pinning.pin('redis', server.pid);
  pinning.pin('load', loader.pid);
  try {
    versions.redis = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1];
    const idleBytes = await measureIdleBytes(redis);
    const bench = { options, redis, redisPort: server.port, loader, pinning, problems, idleBytes };
    for (const row of await runSessionRounds(bench, SESSION_SIZES[size])) rows.push({ size, ...row });
    loads.push(loadavg()[0]);
  } finally {
    loader.stop();
    redis.disconnect();
    await server.stop();
  }
}

function versionOf(name) {
  return JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
}

function describe() {
  for (const name of ['express', 'express-session', 'connect-redis', 'ioredis']) versions[name] = versionOf(name);
  const args = process.argv.slice(2);
  return {
    date: new Date(startedAt).toISOString().slice(0, 10),
    command: ['npm run bench:sessions', ...(args.length > 0 ? ['--', ...args] : [])].join(' '),
    seconds: Math.round((Date.now() - startedAt) / 1000),
    settings: options,
    versions,
    loads: loads.map((load) => Number(load.toFixed(1))),
    cpu: { model: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), pinned: pinning.active },
    platform: process.platform,
  };
}

async function save() {
  mkdirSync('bench/results', { recursive: true });
  const json = await format(JSON.stringify(results), { parser: 'json', printWidth: 120 });
  writeFileSync('bench/results/sessions.json', json);
  await writeSessionReport();
}
