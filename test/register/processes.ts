import { afterAll } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRedisStore } from '../../src/cache/redis-store.ts';
import type { CacheStore } from '../../src/cache/store.ts';
import { keyPrefixOf, type RedisClient } from '../../src/redis/client.ts';
import { connectionOf } from '../../src/redis/connection.ts';
import { createKeys, type Keys } from '../../src/redis/keys.ts';
import type { Stamp, Verdict } from '../../src/register/mirror.ts';
import type { Purge } from '../../src/register/records.ts';
import { createRedisRegister } from '../../src/register/redis-register.ts';
import type { Register } from '../../src/register/register.ts';

export interface ProcessOptions {
  readonly prefix: string;
  readonly maxStalenessMs?: number;
  readonly maxRecords?: number;
  readonly deadlineMs?: number;
}

/** One process of an application: a connection, and what the suite keeps for it. */
export interface Process {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly register: Register;
  readonly store: CacheStore;
  /** The stamp of a computation that begins now. */
  stampNow(): Promise<Stamp>;
  /** What a read that begins now makes of something computed at `stamp`; `unknown` when the register cannot be asked. */
  verdictOn(stamp: Stamp, tags: readonly string[], key?: string): Promise<Verdict | 'unknown'>;
  purgeTags(...tags: readonly string[]): Promise<Stamp>;
}

const opened: Register[] = [];

afterAll(() => {
  for (const register of opened) register.close();
});

/** Plays a process on a client of its own. */
export function openProcess(
  client: RedisClient,
  { prefix, maxStalenessMs = 0, maxRecords, deadlineMs = 1_000 }: ProcessOptions,
): Process {
  const connection = connectionOf(client, deadlineMs);
  const keys = createKeys(prefix, keyPrefixOf(client));
  const register = createRedisRegister({
    connection,
    keys,
    maxStalenessMs,
    ...(maxRecords !== undefined && { maxRecords }),
  });
  register.open();
  opened.push(register);
  return {
    client,
    keys,
    register,
    store: createRedisStore(connection, keys, register),
    async stampNow() {
      await until(async () => register.refresh());
      const stamp = register.stamp();
      if (stamp === undefined) throw new Error('The register could not be read');
      return stamp;
    },
    async verdictOn(stamp, tags, key = 'd:key') {
      if (!(await register.refresh())) return 'unknown';
      return register.judge(stamp, () => ({ key, tags }));
    },
    purgeTags: (...tags) => register.invalidate(tags.map(tagPurge)),
  };
}

/** A hard purge of one tag. */
function tagPurge(value: string): Purge {
  return { mode: 'hard', kind: 'tag', value };
}

/** Waits until something holds, and returns how many milliseconds that took; gives up after five seconds. */
export async function until(holds: () => Promise<boolean>): Promise<number> {
  const startedAt = performance.now();
  while (!(await holds())) {
    if (performance.now() - startedAt > 5_000) throw new Error('Waited five seconds in vain');
    await sleep(5);
  }
  return performance.now() - startedAt;
}
