// Limiters as middleware, behind HTTP: requests in short rounds, one application after another; then trips.
import { limitApps } from './limit-apps.mjs';
import { startProcess } from './processes.mjs';
import { readRedisUsage, redisUsageBetween } from './redis-usage.mjs';

/** What is asked for, and the status of every answer. */
export const HTTP_SCENARIOS = {
  below: { title: 'below the limit', status: 200 },
  flood: { title: 'in a flood', status: 429 },
};

const TRIP_REQUESTS = 100;

/** Runs the rounds. `bench`: `{ options, binary, redis, redisPort, pinning, problems }`. Returns a row per application and scenario. */
export async function runLimitHttp(bench) {
  const loader = await startProcess(process.execPath, 'load.mjs');
  bench.pinning.pin('load', loader.pid);
  const servers = [];
  try {
    for (const [i, name] of Object.keys(limitApps).entries()) {
      const running = await startProcess(bench.binary, 'limit-server.mjs', [name, bench.redisPort, 8 + i]);
      bench.pinning.pin('server', running.pid);
      servers.push({ name, ...running });
    }
    const rows = [];
    for (const scenario of Object.keys(HTTP_SCENARIOS))
      rows.push(...(await runScenario(bench, loader, servers, scenario)));
    return rows;
  } finally {
    loader.stop();
    for (const server of servers) server.stop();
  }
}

async function runScenario(bench, loader, servers, scenario) {
  const { rounds, slice, warmup, connections } = bench.options;
  const all = [];
  for (const server of servers) {
    const { name, port } = server;
    const status = name === 'none' ? 200 : HTTP_SCENARIOS[scenario].status;
    const job = `${name} ${scenario}`;
    await loader.ask({ job: 'open', name: job, port, connections, status, base: `/${scenario}`, ofClients: true });
    await loader.ask({ job: 'slice', name: job, ms: warmup * 1_000 });
    all.push({ server, job, rounds: [] });
  }
  for (let round = 0; round < rounds; round++) {
    const start = round % all.length;
    for (const one of [...all.slice(start), ...all.slice(0, start)])
      one.rounds.push(await measure(bench, loader, one, slice));
  }
  return Promise.all(all.map((one) => summaryOf(bench, scenario, one)));
}

async function measure({ redis }, loader, { server, job }, ms) {
  const redisBefore = await readRedisUsage(redis);
  const before = await server.ask({});
  const load = await loader.ask({ job: 'slice', name: job, ms });
  const after = await server.ask({});
  const used = redisUsageBetween(redisBefore, await readRedisUsage(redis));
  const cpuUs = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
  return { ...load, cpuUs, redisCpuUs: used.cpuUs, commands: used.commands };
}

async function summaryOf({ problems }, scenario, { server, rounds }) {
  const sum = (figure) => rounds.reduce((total, round) => total + round[figure], 0);
  const done = sum('done');
  if (sum('failed') > 0) problems.push(`${server.name}, ${scenario} over HTTP: ${sum('failed')} wrong answers`);
  const commands = {};
  for (const round of rounds)
    for (const [name, count] of Object.entries(round.commands)) commands[name] = (commands[name] ?? 0) + count;
  const each = Object.entries(commands).map(([name, count]) => [name, Number((count / done).toFixed(3))]);
  return {
    scenario,
    contestant: server.name,
    perSecond: rounds.map((round) => Math.round((round.counted / round.elapsedMs) * 1_000)),
    cpuUs: rounds.map((round) => Number((round.cpuUs / round.done).toFixed(1))),
    redisCpuUs: rounds.map((round) => Number((round.redisCpuUs / round.done).toFixed(2))),
    redisCommands: Object.fromEntries(each.filter(([, count]) => count >= 0.005)),
    trips: await countTrips(server, scenario),
  };
}

/** One request at a time. */
async function countTrips(server, scenario) {
  const ask = () => fetch(`http://127.0.0.1:${server.port}/${scenario}/x`).then((response) => response.arrayBuffer());
  await ask();
  const before = await server.ask({});
  for (let i = 0; i < TRIP_REQUESTS; i++) await ask();
  return ((await server.ask({})).trips - before.trips) / TRIP_REQUESTS;
}
