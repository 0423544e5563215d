// What Redis did between two moments: its CPU time and the commands it ran, by name. Commands inside scripts count too.

/** Reads Redis' own counters. */
export async function readRedisUsage(redis) {
  const [cpu, commands] = [await redis.info('cpu'), await redis.info('commandstats')];
  const seconds = (name) => Number(new RegExp(`${name}:([\\d.]+)`).exec(cpu)?.[1]);
  const calls = new Map();
  for (const [, name, count] of commands.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) calls.set(name, Number(count));
  return { cpuUs: (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6, calls };
}

/** The difference of two readings; the readings' own INFO commands left out. */
export function redisUsageBetween(before, after) {
  const commands = {};
  for (const [name, count] of after.calls) {
    const more = count - (before.calls.get(name) ?? 0);
    if (more > 0 && name !== 'info') commands[name] = more;
  }
  return { cpuUs: after.cpuUs - before.cpuUs, commands };
}
