// How long it takes to invalidate a tag, by the number of entries that carry it: node bench/invalidation.mjs <redis port> <calls> <count> [<count> ...]
import { keyOf, openSuite, tagOf } from './entries.mjs';
import { readRedisUsage, redisUsageBetween } from './redis-usage.mjs';
import { medianWithRange, percentile } from './statistics.mjs';

const SAMPLE = 500;
const WARM_UP_CALLS = 500;
const COUNTED_CALLS = 50;

const [port, calls, ...counts] = process.argv.slice(2).map(Number);
const { redis, suite } = await openSuite(port);

async function hitsInSample(count) {
  const step = Math.max(1, Math.floor(count / SAMPLE));
  let hits = 0;
  let asked = 0;
  for (let i = 0; i < count; i += step) {
    asked++;
    if ((await suite.data.get(keyOf(count, i))) !== undefined) hits++;
  }
  return { hits, asked };
}

async function timeInvalidation(count) {
  const startedAt = performance.now();
  await suite.invalidate([tagOf(count)]);
  return performance.now() - startedAt;
}

/** Commands and Redis CPU of one call, counted apart from the timing: reading the counters in between would disturb it. */
async function countCommands(subject) {
  const before = await readRedisUsage(redis);
  for (let i = 0; i < COUNTED_CALLS; i++) await suite.invalidate([tagOf(subject.count)]);
  const { cpuUs, commands } = redisUsageBetween(before, await readRedisUsage(redis));
  subject.redisCpuUs = Number((cpuUs / COUNTED_CALLS).toFixed(1));
  const each = Object.entries(commands).map(([name, total]) => [name, Number((total / COUNTED_CALLS).toFixed(2))]);
  subject.redisCommands = Object.fromEntries(each);
}

async function run() {
  const subjects = [];
  for (const count of counts) subjects.push({ count, before: await hitsInSample(count), times: [] });
  const keys = await redis.dbsize();
  for (let i = 0; i < WARM_UP_CALLS; i++) await suite.invalidate(['carried-by-nobody']); // Warms up the path, touches no subject.

  for (const subject of subjects) {
    subject.firstMs = await timeInvalidation(subject.count);
    subject.after = await hitsInSample(subject.count);
  }
  for (let i = 0; i < calls; i++)
    for (const subject of subjects) subject.times.push(await timeInvalidation(subject.count));
  for (const subject of subjects) await countCommands(subject);
  return { keys, calls, subjects: subjects.map(summarise) };
}

function summarise({ times, ...rest }, _index, [smallest]) {
  const ratios = times.map((ms, i) => ms / smallest.times[i]);
  return { ...rest, ms: medianWithRange(times), p99Ms: percentile(times, 0.99), ratioToFirst: medianWithRange(ratios) };
}

async function reply({ id }) {
  process.send({ id, answer: await run() });
}

process.on('message', (message) => void reply(message));
process.on('disconnect', () => process.exit());
process.send({ ready: {} });
