// All contestants of the session benchmark up at once, then many short rounds: within a round every use of a session, and of each use one contestant after another.
import { startProcess } from './processes.mjs';
import { readRedisUsage, redisUsageBetween } from './redis-usage.mjs';
import { median } from './statistics.mjs';

/** Runs the rounds of one size. `bench` holds `{ options, redis, redisPort, loader, pinning, problems }`. Returns a row per contestant and use. */
export async function runSessionRounds(bench, size) {
  const { options, loader } = bench;
  const servers = [];
  try {
    for (const name of options.contestants) servers.push(await startContestant(bench, name, size));
    for (const use of options.uses) for (const server of servers) await warmUp(bench, server, use);
    for (let round = 0; round < options.rounds; round++)
      for (const use of options.uses)
        for (const server of rotated(servers, round)) await measure(bench, server, use, options.slice);
    return servers.flatMap((server) => options.uses.map((use) => summaryOf(bench, server, use)));
  } finally {
    await loader.ask({ job: 'close' });
    for (const server of servers) server.stop();
  }
}

async function startContestant({ options, redisPort, loader, pinning }, name, size) {
  const running = await startProcess(process.execPath, 'session-server.mjs', [name, size, redisPort]);
  pinning.pin('server', running.pid);
  const { connections, uses } = options;
  await loader.ask({ job: 'open', name, port: running.port, connections, uses });
  return { name, ...running, rounds: Object.fromEntries(uses.map((use) => [use, []])) };
}

/** Long enough that what is done once per minute is done; the last slice says what Redis does per request. */
async function warmUp(bench, server, use) {
  await measure(bench, server, use, bench.options.warmup * 1_000);
  server.rounds[use] = [];
}

/** The order moves by one from round to round, so that nobody always follows the same neighbour. */
function rotated(list, by) {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

async function measure({ redis, loader }, server, use, ms) {
  const redisBefore = await readUsage(redis);
  const before = await server.ask({});
  const load = await loader.ask({ job: 'slice', name: server.name, use, ms });
  const after = await server.ask({});
  const redisAfter = await readUsage(redis);
  const { cpuUs, commands } = redisUsageBetween(redisBefore, redisAfter);
  server.rounds[use].push({
    // All answers, over the time until the last: connections are answered in waves, so that those within a slice come by fifties, or not at all.
    perSecond: Math.round((load.done / load.doneMs) * 1000),
    cpuUs: after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system,
    redisCpuUs: cpuUs,
    redisCommands: commands,
    redisBytes: redisAfter.bytes - redisBefore.bytes,
    loaderBusy: load.cpuUs / 1000 / load.elapsedMs,
    elapsedMs: load.elapsedMs,
    done: load.done,
    failed: load.failed,
  });
}

/** The bytes are read last before, and first after: of the readings themselves they count one `INFO commandstats` and no more than a kilobyte besides. */
async function readUsage(redis) {
  const usage = await readRedisUsage(redis);
  const stats = await redis.info('stats');
  const bytes = (name) => Number(new RegExp(`${name}:(\\d+)`).exec(stats)?.[1]);
  return { ...usage, bytes: bytes('total_net_input_bytes') + bytes('total_net_output_bytes') };
}

const rounded = (value, digits) => Number(value.toFixed(digits));

function summaryOf({ problems, idleBytes }, { name, rounds }, use) {
  const own = rounds[use];
  const sum = (figure) => own.reduce((total, round) => total + round[figure], 0);
  const done = sum('done');
  if (sum('failed') > 0) problems.push(`${name}, ${use}: ${sum('failed')} wrong answers`);
  return {
    contestant: name,
    use,
    perSecond: own.map(({ perSecond }) => perSecond),
    cpuUs: own.map((round) => rounded(round.cpuUs / round.done, 1)),
    redisCpuUs: rounded(sum('redisCpuUs') / done, 2),
    redisCommands: commandsPerRequest(own, done),
    redisBytes: Math.max(0, Math.round((sum('redisBytes') - idleBytes * own.length) / done)),
    requests: done,
    serverBusy: rounded(median(own.map(({ cpuUs, elapsedMs }) => cpuUs / 1000 / elapsedMs)), 2),
    loaderBusy: rounded(median(own.map(({ loaderBusy }) => loaderBusy)), 2),
  };
}

function commandsPerRequest(rounds, done) {
  const totals = {};
  for (const { redisCommands } of rounds)
    for (const [name, count] of Object.entries(redisCommands)) totals[name] = (totals[name] ?? 0) + count;
  const each = Object.entries(totals).map(([name, count]) => [name, rounded(count / done, 3)]);
  return Object.fromEntries(each.filter(([, count]) => count >= 0.005));
}

/** What reading the counters itself adds to the bytes between two readings. */
export async function measureIdleBytes(redis) {
  const samples = [];
  for (let i = 0; i < 5; i++) {
    const before = await readUsage(redis);
    samples.push((await readUsage(redis)).bytes - before.bytes);
  }
  return median(samples);
}
