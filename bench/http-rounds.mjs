// One combination of Node version and body size: all contestants up, every answer checked, then many short rounds, one contestant after another.
import { contestants } from './contestants.mjs';
import { ids, itemBuilder, pathOf, preparedItem } from './payload.mjs';
import { startProcess } from './processes.mjs';
import { readRedisUsage, redisUsageBetween } from './redis-usage.mjs';
import { median } from './statistics.mjs';

/**
 * Runs the rounds and returns, per contestant, its name, the headers it sends and its figures. `bench` holds what the combinations
 * share: `{ options, binary, redis, redisPort, loader, pinning, problems }`.
 */
export async function runHttp(bench, size) {
  const servers = [];
  try {
    for (const name of bench.options.contestants) servers.push(await startContestant(bench, name, size));
    for (const server of servers) await warmUp(bench, server);
    for (let round = 0; round < bench.options.rounds; round++)
      for (const server of rotated(servers, round)) await measureRound(bench, server);
    for (const server of servers) checkFigures(bench, server);
    return servers.map(summaryOf);
  } finally {
    await bench.loader.ask({ job: 'close' });
    for (const server of servers) server.stop();
  }
}

async function startContestant(bench, name, size) {
  const running = await startProcess(bench.binary, 'server.mjs', [name, size, bench.redisPort]);
  bench.pinning.pin('server', running.pid);
  const server = { name, size, ...running, rounds: [] };
  server.headers = await checkAnswers(bench, server);
  const { connections } = bench.options;
  await bench.loader.ask({ job: 'open', name, port: server.port, connections, size });
  return server;
}

/** Fetches every URL twice: the right bytes both times, and for a cache no handler run the second time. Returns the header names. */
async function checkAnswers(bench, server) {
  const itemOf = itemBuilder(server.size);
  let headers = [];
  const fetchAll = async () => {
    for (const id of ids) {
      const response = await fetch(`http://127.0.0.1:${server.port}${pathOf(id)}`);
      const body = Buffer.from(await response.arrayBuffer());
      const right = response.status === 200 && body.equals(preparedItem(itemOf(id)).body);
      if (!right)
        throw new Error(`${server.name} answered ${pathOf(id)} wrongly: ${response.status}, ${body.length} bytes`);
      headers = [...response.headers.keys()];
    }
  };
  await fetchAll();
  const { handlerRuns } = await server.ask({ ask: 'usage' });
  await fetchAll();
  const again = (await server.ask({ ask: 'usage' })).handlerRuns - handlerRuns;
  if (contestants[server.name].cached && again > 0)
    complain(bench, server, `the handler ran ${again} times for URLs fetched before`);
  return headers;
}

async function warmUp(bench, server) {
  const { connections, warmup } = bench.options;
  server.autocannon = await bench.loader.ask({ job: 'autocannon', port: server.port, connections, seconds: warmup });
  if (server.autocannon.failed > 0) complain(bench, server, `${server.autocannon.failed} requests failed`);
}

/** The order moves by one from round to round, so that nobody always follows the same neighbour. */
function rotated(list, by) {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

async function measureRound(bench, server) {
  const redisBefore = await readRedisUsage(bench.redis);
  const before = await server.ask({ ask: 'usage' });
  const load = await bench.loader.ask({ job: 'slice', name: server.name, ms: bench.options.slice });
  const after = await server.ask({ ask: 'usage' });
  const redis = redisUsageBetween(redisBefore, await readRedisUsage(bench.redis));
  server.rounds.push({
    perSecond: Math.round((load.counted / load.elapsedMs) * 1000),
    cpuUs: after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system,
    redisCpuUs: redis.cpuUs,
    redisCommands: redis.commands,
    loaderBusy: load.cpuUs / 1000 / load.elapsedMs,
    handlerRuns: after.handlerRuns - before.handlerRuns,
    elapsedMs: load.elapsedMs,
    done: load.done,
    failed: load.failed,
  });
}

function checkFigures(bench, server) {
  const failed = sumOf(server, 'failed');
  const handlerRuns = sumOf(server, 'handlerRuns');
  if (failed > 0) complain(bench, server, `${failed} answers without status 200 and the full length`);
  if (contestants[server.name].cached && handlerRuns > 0)
    complain(bench, server, `${handlerRuns} requests were no hits`);
}

function complain(bench, { name, size }, text) {
  bench.problems.push(`${name}, ${size} B: ${text}`);
}

const sumOf = ({ rounds }, figure) => rounds.reduce((sum, round) => sum + round[figure], 0);
const rounded = (value, digits) => Number(value.toFixed(digits));

/** The figures that ratios are taken of, round by round; the others summed up. */
function summaryOf(server) {
  const { rounds } = server;
  const done = sumOf(server, 'done');
  return {
    contestant: server.name,
    headers: server.headers,
    perSecond: rounds.map(({ perSecond }) => perSecond),
    cpuUs: rounds.map(({ cpuUs, done }) => rounded(cpuUs / done, 1)),
    redisCpuUs: rounded(sumOf(server, 'redisCpuUs') / done, 2),
    redisCommands: commandsPerRequest(rounds, done),
    requests: done,
    handlerRuns: sumOf(server, 'handlerRuns'),
    serverBusy: rounded(median(rounds.map(({ cpuUs, elapsedMs }) => cpuUs / 1000 / elapsedMs)), 2),
    loaderBusy: rounded(median(rounds.map(({ loaderBusy }) => loaderBusy)), 2),
    autocannon: server.autocannon,
  };
}

function commandsPerRequest(rounds, done) {
  const totals = {};
  for (const { redisCommands } of rounds)
    for (const [name, count] of Object.entries(redisCommands)) totals[name] = (totals[name] ?? 0) + count;
  const each = Object.entries(totals).map(([name, count]) => [name, rounded(count / done, 3)]);
  return Object.fromEntries(each.filter(([, count]) => count > 0));
}
