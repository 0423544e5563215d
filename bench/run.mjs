// npm run bench: measures every contestant, the invalidation of tags and limiters, writes bench/results/latest.json and docs/benchmarks.md.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { buildIfOlder } from './build-if-older.mjs';
import { contestants } from './contestants.mjs';
import { runHttp } from './http-rounds.mjs';
import { limitLines } from './limit-figures.mjs';
import { runLimitHttp } from './limit-http-rounds.mjs';
import { runLimits } from './limit-rounds.mjs';
import { readOptions, USAGE } from './options.mjs';
import { SIZES } from './payload.mjs';
import { createPinning, nodeBinary, startProcess, startRedis, versionOfBinary } from './processes.mjs';
import { format } from 'prettier';
import { AIMS, groupOf, isMet, linesOf } from './figures.mjs';
import { compareProfiles } from './profiling.mjs';
import { placeOf, writeReport } from './report.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const options = readOptions(process.argv.slice(2));
if (options.help) {
  console.log(USAGE);
  process.exit();
}
const measuresUs =
  options.parts.some((part) => part !== 'http') || options.contestants.some((name) => contestants[name].own);
if (measuresUs) buildIfOlder();

const FILLERS = 3;
const PROFILE_SECONDS = 3;
const PROFILE_ROWS = 12;
const started = Date.now();
const problems = [];
const nodeVersions = [];
const results = { meta: {}, http: [], invalidation: [], limits: [], profiles: [], problems };
const pinning = createPinning(options.pin);
const say = (text) => process.stderr.write(`${text}\n`);

for (const major of options.nodes) {
  const binary = nodeBinary(major);
  nodeVersions.push(versionOfBinary(binary));
  if (options.parts.includes('http')) await benchHttp(major, binary);
  if (options.profile) await profileMisses(major, binary);
  if (options.parts.includes('invalidation')) await benchInvalidation(major, binary);
  if (options.parts.includes('limits')) await benchLimits(major, binary);
}
results.meta = describe(results.meta.redis);
for (const line of [...linesOf(results), ...results.limits.flatMap(limitLines)]) console.log(line);
if (options.report) await save();
for (const problem of problems) say(`PROBLEM ${problem}`);
process.exitCode = problems.length > 0 ? 1 : 0;

async function benchHttp(major, binary) {
  const loader = await startProcess(process.execPath, 'load.mjs');
  pinning.pin('load', loader.pid);
  try {
    for (const sizeName of options.sizes) {
      say(`Node ${major}, bodies of ${sizeName}`);
      await withRedis(async (redis, redisPort) => {
        const bench = { options, binary, redis, redisPort, loader, pinning, problems };
        for (const one of await runHttp(bench, SIZES[sizeName]))
          results.http.push({ node: major, size: sizeName, ...one });
      });
    }
  } finally {
    loader.stop();
  }
}

/** Where a figure misses its aim, the page says where the time went. */
async function profileMisses(major, binary) {
  const missed = options.sizes.flatMap((size) => {
    const group = groupOf(results, major, size);
    return AIMS.filter((aim) => isMet(aim, group) === false).map(({ of, to }) => ({ node: major, size, of, to }));
  });
  if (missed.length === 0) return;
  say(`Node ${major}, profiling ${missed.length} misses`);
  const loader = await startProcess(process.execPath, 'load.mjs');
  pinning.pin('load', loader.pid);
  await withRedis(async (_redis, redisPort) => {
    const bench = { binary, redisPort, loader, pinning, connections: options.connections };
    for (const miss of missed) {
      const profile = await compareProfiles(bench, { ...miss, size: SIZES[miss.size], seconds: PROFILE_SECONDS });
      const top = (rows) => rows.slice(0, PROFILE_ROWS);
      results.profiles.push({ ...miss, places: top(profile.places), functions: top(profile.functions) });
    }
  });
  loader.stop();
}

async function benchInvalidation(major, binary) {
  say(`Node ${major}, invalidation`);
  await withRedis(async (_redis, redisPort) => {
    for (const count of options.entries) await fill(binary, redisPort, count);
    const child = await startProcess(binary, 'invalidation.mjs', [redisPort, options.calls, ...options.entries]);
    pinning.pin('server', child.pid);
    const outcome = await child.ask({});
    child.stop();
    for (const { count, before, after } of outcome.subjects) {
      if (before.hits < before.asked)
        problems.push(`${count} entries: only ${before.hits} of ${before.asked} were stored`);
      if (after.hits > 0) problems.push(`${count} entries: ${after.hits} of ${after.asked} survived the invalidation`);
    }
    results.invalidation.push({ node: major, ...outcome });
  });
}

async function benchLimits(major, binary) {
  say(`Node ${major}, limiters`);
  await withRedis(async (redis, redisPort) => {
    const bench = { options, binary, redis, redisPort, pinning, problems };
    results.limits.push({ node: major, ...(await runLimits(bench)), http: await runLimitHttp(bench) });
  });
}

/** Stores the entries of one tag, from several processes where there are many. */
async function fill(binary, redisPort, count) {
  const fillers = count > 1_000 ? FILLERS : 1;
  const startedAt = performance.now();
  const starting = Array.from({ length: fillers }, (_, first) =>
    startProcess(binary, 'fill.mjs', [redisPort, count, first, fillers]),
  );
  const children = await Promise.all(starting);
  await Promise.all(children.map((child) => child.ask({})));
  for (const child of children) child.stop();
  say(`  stored ${count} entries in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}

/** A fresh server for each combination: nobody inherits the memory or the counters of another. */
async function withRedis(use) {
  const server = await startRedis();
  pinning.pin('redis', server.pid);
  const redis = new Redis({ host: server.host, port: server.port });
  try {
    results.meta.redis ??= /redis_version:(\S+)/.exec(await redis.info('server'))?.[1];
    await use(redis, server.port);
  } finally {
    redis.disconnect();
    await server.stop();
  }
}

function versionOf(name) {
  return JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
}

function describe(redis) {
  const { contestants: names, nodes, rounds, slice, warmup, connections, calls, quick } = options;
  const args = process.argv.slice(2);
  return {
    date: new Date(started).toISOString().slice(0, 10),
    command: ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' '),
    seconds: Math.round((Date.now() - started) / 1000),
    settings: { contestants: names, nodes, rounds, slice, warmup, connections, calls, quick },
    versions: {
      node: nodeVersions.join(', '),
      redis,
      'express-redis-suite': JSON.parse(readFileSync('package.json', 'utf8')).version,
      express: versionOf('express'),
      ioredis: versionOf('ioredis'),
      apicache: versionOf('apicache'),
      'rate-limit-redis': versionOf('rate-limit-redis'),
      'rate-limiter-flexible': versionOf('rate-limiter-flexible'),
      autocannon: versionOf('autocannon'),
    },
    cpu: { model: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), pinned: pinning.active },
    platform: process.platform,
  };
}

async function save() {
  mkdirSync('bench/results', { recursive: true });
  const place = placeOf(options.parts);
  writeFileSync(place.results, await format(JSON.stringify(results), { parser: 'json', printWidth: 120 }));
  await writeReport(place);
  say(`wrote ${place.results} and ${place.page}`);
}
