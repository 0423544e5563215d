// Limiters side by side: decisions in short rounds, one contestant after another; then trips, and the memory of one client.
import { limiters } from './limit-contestants.mjs';
import { startProcess } from './processes.mjs';
import { readRedisUsage, redisUsageBetween } from './redis-usage.mjs';

const policiesOf = (name, limit) => ({ name, limit, windowMs: 60_000 });
const three = (name, limit) =>
  [1, 60, 1440].map((minutes) => ({ name: `${name}${minutes}`, limit, windowMs: minutes * 60_000 }));

/**
 * What is decided: below the limit for a thousand clients, which come many times a second each, and for a hundred thousand, which hardly ever come twice; in a flood of a hundred that
 * have used it up.
 */
export const SCENARIOS = {
  below: { title: 'below the limit', policies: [policiesOf('below', 1_000_000)], clients: 250 },
  many: {
    title: 'below the limit, of many clients',
    policies: [policiesOf('many', 1_000_000)],
    clients: 25_000,
  },
  flood: { title: 'in a flood', policies: [policiesOf('flood', 100)], clients: 25 },
  'below-3': { title: 'below three limits', policies: three('below', 1_000_000), clients: 250 },
  'flood-3': { title: 'in a flood, three limits', policies: three('flood', 100), clients: 25 },
};

const TRIP_REQUESTS = 200;
const STEADY_MS = 6_000;

/** Runs the rounds. `bench`: `{ options, binary, redis, redisPort, pinning, problems }`. */
export async function runLimits(bench) {
  const children = [];
  try {
    for (const [db, name] of Object.keys(limiters).entries()) {
      const running = await startProcess(bench.binary, 'limits.mjs', [name, bench.redisPort, db]);
      bench.pinning.pin('server', running.pid);
      children.push({ name, ...running });
    }
    const decisions = [];
    for (const scenario of Object.keys(SCENARIOS)) decisions.push(...(await runScenario(bench, children, scenario)));
    return { decisions, memory: await measureMemory(children) };
  } finally {
    for (const child of children) child.stop();
  }
}

async function runScenario(bench, children, scenario) {
  const { policies, clients } = SCENARIOS[scenario];
  const { rounds, slice, warmup } = bench.options;
  const all = children.map((child) => ({ child, rounds: [] }));
  for (const { child } of all) {
    await child.ask({ ask: 'open', scenario, policies });
    await child.ask({ ask: 'slice', scenario, clients, ms: warmup * 1_000 });
    if (scenario.startsWith('flood')) await useUp(child, scenario, clients);
  }
  for (let round = 0; round < rounds; round++) {
    const start = round % all.length;
    for (const one of [...all.slice(start), ...all.slice(0, start)]) {
      const before = await readRedisUsage(bench.redis);
      const load = await one.child.ask({ ask: 'slice', scenario, clients, ms: slice });
      one.rounds.push({ ...load, redis: redisUsageBetween(before, await readRedisUsage(bench.redis)) });
    }
  }
  return Promise.all(all.map((one) => summaryOf(bench, scenario, one)));
}

/** A flood begins when nobody is admitted any more. */
async function useUp(child, scenario, clients) {
  for (let tries = 0; tries < 100; tries++) {
    const { admitted } = await child.ask({ ask: 'slice', scenario, clients, ms: 200 });
    if (admitted === 0) return;
  }
  throw new Error(`${child.name}, ${scenario}: clients are admitted still`);
}

async function summaryOf(bench, scenario, { child, rounds }) {
  const done = rounds.reduce((sum, round) => sum + round.done, 0);
  const admitted = rounds.reduce((sum, round) => sum + round.admitted, 0);
  if (!scenario.startsWith('flood') && admitted < done)
    bench.problems.push(`${child.name}, ${scenario}: ${done - admitted} of ${done} were refused`);
  const commands = {};
  for (const { redis } of rounds)
    for (const [name, count] of Object.entries(redis.commands)) commands[name] = (commands[name] ?? 0) + count;
  const perDecision = Object.entries(commands).map(([name, count]) => [name, Number((count / done).toFixed(3))]);
  return {
    scenario,
    contestant: child.name,
    perSecond: rounds.map((round) => Math.round((round.done / round.elapsedMs) * 1_000)),
    cpuUs: rounds.map((round) => Number((round.cpuUs / round.done).toFixed(1))),
    redisCpuUs: rounds.map((round) => Number((round.redis.cpuUs / round.done).toFixed(2))),
    redisCommands: Object.fromEntries(perDecision.filter(([, count]) => count >= 0.005)),
    trips: await child.ask({ ask: 'trips', scenario, requests: TRIP_REQUESTS }),
    admitted: Number((admitted / done).toFixed(4)),
  };
}

/** At once, and evenly over the window, where a log has the most entries. */
async function measureMemory(children) {
  const rows = [];
  for (const limit of [100, 10_000]) {
    const scenario = `memory-${limit}`;
    const policies = [{ name: scenario, limit, windowMs: STEADY_MS }];
    for (const overMs of [0, STEADY_MS]) {
      const measured = children.map(async (child) => {
        await child.ask({ ask: 'open', scenario: `${scenario}-${overMs}`, policies });
        const bytes = await child.ask({
          ask: 'bytes',
          scenario: `${scenario}-${overMs}`,
          limit,
          overMs: overMs * 0.95,
        });
        return { limit, steady: overMs > 0, contestant: child.name, bytes };
      });
      rows.push(...(await Promise.all(measured)));
    }
  }
  return rows;
}
