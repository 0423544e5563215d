/** What Redis itself says it executed, read from its command statistics: nothing here is assumed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import { mastersOf } from './backend.ts';

/** Entries are stored after the answer has left: give them a moment to arrive. */
const SETTLE_MS = 30;

/** Connecting, looking around and looking at statistics is not what the reader wants to see. */
const HOUSEKEEPING =
  /^(?:info|ping|hello|auth|select|client|cluster|command|config|script|readonly|role|replconf|psync|quit)\b/;

type Counts = ReadonlyMap<string, number>;

/** Runs something and tells which commands Redis executed meanwhile: `GET 1, SET 1`. */
export async function watchRedis<T>(
  redis: Redis | Cluster | undefined,
  run: () => Promise<T>,
): Promise<{ result: T; commands: string }> {
  if (redis === undefined) return { result: await run(), commands: 'embedded: no Redis' };
  const before = await countCommands(redis);
  const result = await run();
  if (before === undefined) return { result, commands: 'Redis is away' };
  await sleep(SETTLE_MS);
  const after = await countCommands(redis);
  return { result, commands: after === undefined ? 'Redis is away' : describe(before, after) };
}

async function countCommands(redis: Redis | Cluster): Promise<Counts | undefined> {
  if (redis.status !== 'ready') return undefined;
  const counts = new Map<string, number>();
  const answers = await Promise.all(mastersOf(redis).map((master) => master.info('commandstats')));
  for (const [, name = '', calls] of answers.join('\n').matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    if (!HOUSEKEEPING.test(name)) counts.set(name, (counts.get(name) ?? 0) + Number(calls));
  }
  return counts;
}

/** What the package sends, in the order worth reading. The rest of the counts are the work of its scripts inside Redis. */
const SENT = ['get', 'zrangebyscore', 'set', 'evalsha', 'eval'];

function describe(before: Counts, after: Counts): string {
  const grown = new Map([...after].map(([name, calls]) => [name, calls - (before.get(name) ?? 0)]));
  const list = (names: readonly string[]): string =>
    names
      .filter((name) => (grown.get(name) ?? 0) > 0)
      .map((name) => `${name.replace('|', ' ').toUpperCase()} ${grown.get(name)}`)
      .join(', ');
  const others = [...grown.keys()].filter((name) => !SENT.includes(name)).toSorted();
  const sent = list(SENT);
  if (!sent.includes('EVAL')) return list([...SENT, ...others]) || 'nothing';
  return list(others) === '' ? sent : `${sent}\n(inside the script: ${list(others)})`;
}
