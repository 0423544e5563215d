// Data caches side by side: hits in short rounds, one contestant after another; bursts over four processes; invalidations; bytes.
import { dataContestants } from './data-contestants.mjs';
import { VALUE_SIZES } from './data-values.mjs';
import { startProcess } from './processes.mjs';
import { readRedisUsage, redisUsageBetween } from './redis-usage.mjs';

const PROCESSES = 4;
const CALLERS = 100;
const MEMORY_ENTRIES = 2_000;
/** Not counted: what has lapsed while others had their turn (a bound of staleness) is not part of a busy process' hit. */
const LEAD_IN_MS = 15;
const ENTRIES_PER_TAG = 10;

const databases = new Map(Object.keys(dataContestants).map((name, i) => [name, i]));

async function start(bench, name) {
  const child = await startProcess(process.execPath, 'data-process.mjs', [name, bench.redisPort, databases.get(name)]);
  bench.pinning.pin('server', child.pid);
  return { name, ...child };
}

const turned = (list, by) => [...list.slice(by % list.length), ...list.slice(0, by % list.length)];
const namesWith = (is) => Object.keys(dataContestants).filter((name) => is(dataContestants[name]));

/** Hits per second, CPU and commands of each, by round. */
export async function runHits(bench) {
  const children = [];
  const rows = [];
  for (const name of databases.keys()) children.push(await start(bench, name));
  for (const [size, bytes] of Object.entries(VALUE_SIZES)) {
    const all = children.map((child) => ({ child, rounds: [] }));
    for (const { child } of all) {
      await child.ask({ ask: 'fill', bytes });
      await child.ask({ ask: 'slice', bytes, ms: bench.options.warmup * 1_000 });
    }
    for (let round = 0; round < bench.options.rounds; round++)
      for (const one of turned(all, round)) one.rounds.push(await slice(bench, one.child, bytes));
    rows.push(...all.map(({ child, rounds }) => summaryOf(bench, size, child.name, rounds)));
  }
  for (const child of children) child.stop();
  return rows;
}

async function slice(bench, child, bytes) {
  await child.ask({ ask: 'slice', bytes, ms: LEAD_IN_MS });
  const before = await readRedisUsage(bench.redis);
  const load = await child.ask({ ask: 'slice', bytes, ms: bench.options.slice });
  return { ...load, redis: redisUsageBetween(before, await readRedisUsage(bench.redis)) };
}

function summaryOf(bench, size, contestant, rounds) {
  const done = rounds.reduce((sum, round) => sum + round.done, 0);
  const loads = rounds.reduce((sum, round) => sum + round.loads, 0);
  if (loads > 0) bench.problems.push(`${contestant}, ${size}: ${loads} of ${done} were no hits`);
  const commands = rounds.flatMap(({ redis }) => Object.values(redis.commands)).reduce((sum, count) => sum + count, 0);
  return {
    size,
    contestant,
    perSecond: rounds.map((round) => Math.round((round.done / round.elapsedMs) * 1_000)),
    cpuUs: rounds.map((round) => Number((round.cpuUs / round.done).toFixed(2))),
    redisCpuUs: rounds.map((round) => Number((round.redis.cpuUs / round.done).toFixed(2))),
    commands: Number((commands / done).toFixed(3)),
  };
}

/** One key, many callers in four processes at the same moment: how often it was loaded, how long they waited. */
export async function runDataBursts(bench) {
  const groups = [];
  for (const name of namesWith(({ isShared }) => isShared)) {
    const children = await Promise.all(Array.from({ length: PROCESSES }, () => start(bench, name)));
    groups.push({ name, children, loads: [], waits: [] });
  }
  for (let round = -5; round < bench.options.bursts; round++) {
    for (const group of turned(groups, Math.max(0, round))) {
      const question = { ask: 'burst', key: `burst-${round}`, at: Date.now() + 30, callers: CALLERS };
      const answers = await Promise.all(group.children.map((child) => child.ask(question)));
      if (round < 0) continue;
      group.loads.push(answers.reduce((sum, { loads }) => sum + loads, 0));
      group.waits.push(...answers.flatMap(({ waits }) => waits.map((ms) => Number(ms.toFixed(1)))));
    }
  }
  for (const { children } of groups) for (const child of children) child.stop();
  return groups.map(({ name, loads, waits }) => ({ contestant: name, loads, waits }));
}

/** Milliseconds that one call takes to invalidate a tag that so many entries have; how many of them Redis holds before it. */
export async function runDataInvalidations(bench) {
  const rows = [];
  for (const name of namesWith(({ hasTags }) => hasTags)) {
    const child = await start(bench, name);
    for (const count of bench.options.entries) {
      const ms = [];
      let stored = count;
      for (let run = 0; run < (count > 1_000 ? 1 : 10) && stored === count; run++) {
        await bench.redis.flushall();
        const details = { run: `run${run}`, count, perTag: count, bytes: 60, maxMs: bench.options.fillMs };
        stored = await child.ask({ ask: 'fillTagged', ...details });
        if (stored < count) continue;
        const answer = await child.ask({ ask: 'invalidate', ...details });
        if (!answer.isGone) bench.problems.push(`${name}: invalidated entries are still there (${count})`);
        ms.push(answer.ms);
      }
      rows.push({ contestant: name, count, stored, ms });
    }
    child.stop();
  }
  return rows;
}

/** What one entry of 300 bytes with a tag takes of Redis, everything that is stored beside it included. */
export async function measureEntryBytes(bench) {
  const rows = [];
  const usedBytes = async () => Number(/used_memory:(\d+)/.exec(await bench.redis.info('memory'))?.[1]);
  for (const name of ['raw', ...namesWith(({ hasTags }) => hasTags)]) {
    await bench.redis.flushall();
    const child = await start(bench, name);
    const fill = (run, count) =>
      child.ask({ ask: 'fillTagged', run, count, perTag: ENTRIES_PER_TAG, bytes: 300, maxMs: 60_000 });
    await fill('first', 100); // What is there once and for all, and connections.
    const before = await usedBytes();
    await fill('more', MEMORY_ENTRIES);
    rows.push({ contestant: name, bytes: Math.round(((await usedBytes()) - before) / MEMORY_ENTRIES) });
    child.stop();
  }
  return rows;
}
