import { expect } from '@jest/globals';
import { array, assert, asyncProperty, constantFrom, integer, record } from 'fast-check';
import { createMemoryStore } from '../../src/rate-limit/memory-store.ts';
import type { Policy, Receipt } from '../../src/rate-limit/policy.ts';
import type { LimitCall, LimitStore } from '../../src/rate-limit/store.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { uniquePrefix } from '../support/connections.ts';
import { anyPolicies, callOf, sliding } from './calls.ts';

/** An hour that has not come yet: Redis' own clock is behind all that is kept, so it decides at the newest instant that is kept. */
const START_US = (Date.now() + 3_600_000) * 1_000;
const CLOCK = sliding(2 ** 46, 1_000_000, { cost: 0, name: 'clock' });

/** Steps that meet the edges of windows, entries and leases to the microsecond. */
const steps = array(
  record({
    what: constantFrom('take', 'take', 'take', 'take', 'peek', 'charge', 'refund'),
    cost: constantFrom(1, 1, 1, 1, 1, 1, 0, 0, 2, 2, 5, 5, 12, 12, 2 ** 46),
    waitUs: constantFrom(0, 0, 0, 1, 250, 500, 999, 1_000, 1_001, 2_000, 5_000),
    countRefused: constantFrom(false, false, true),
    which: integer({ min: 0, max: 3 }),
  }),
  { minLength: 10, maxLength: 60 },
);

/** A log with one entry at an instant. */
function logAt(instantUs: number): Buffer {
  const log = Buffer.alloc(33);
  log.writeBigUInt64LE(BigInt(instantUs - 1), 0);
  log.writeBigUInt64LE(BigInt(instantUs + CLOCK.windowUs), 13);
  log.writeBigUInt64LE(BigInt(instantUs), 20);
  log.writeUIntLE(1, 27, 6);
  return log;
}

/** Does the same to Redis and to its twin in memory, at instants that are chosen: Redis takes them from a policy whose last admission is then. Returns how many clients it tried. */
export async function compareAtInstants(client: RedisClient, redis: LimitStore, numRuns: number): Promise<number> {
  const prefix = uniquePrefix();
  let run = 0;
  const windows = array(constantFrom(1_000, 2_000, 6_000), { minLength: 4, maxLength: 4 });
  await assert(
    asyncProperty(anyPolicies(10_000), windows, steps, async (anyOf, windowsUs, steps) => {
      const policies = anyOf.map((policy, i): Policy => withWindow(policy, windowsUs[i] ?? 1_000));
      const place = `${prefix}:${run++}`;
      let nowUs = START_US;
      const memory = createMemoryStore(1_000, () => nowUs);
      const admitted: { call: LimitCall; receipt: Receipt }[] = [];
      for (const { what, cost, waitUs, countRefused, which } of steps) {
        nowUs += waitUs;
        await client.set(`${place}:{c}:clock`, logAt(nowUs), 'PX', 60_000);
        if (what === 'refund') {
          const [given] = which === 3 ? admitted : admitted.splice(which, 1); // Some twice: no more than is there comes back.
          if (given === undefined) continue;
          await redis.refund(given.call, given.receipt);
          await memory.refund(given.call, given.receipt);
          continue;
        }
        const priced = policies.map((policy) => atCost(policy, cost));
        const call = callOf(priced, { prefix: place, mode: what, countRefused });
        const clocked = { ...call, names: [...call.names, `${place}:{c}:clock`], policies: [...priced, CLOCK] };
        const told = await redis.decide(clocked);
        const expected = await memory.decide(call);
        expect({ ...told, clockUs: nowUs, views: told.views.slice(0, -1) }).toEqual(expected);
        const receipt = { atUs: told.nowUs, id: call.id };
        if (what === 'take' && told.status === 'admitted') admitted.push({ call, receipt });
      }
    }),
    { numRuns },
  );
  return run;
}

/** The same limits over another window; entries shared as before. */
function withWindow(policy: Policy, windowUs: number): Policy {
  if (policy.algorithm !== 'sliding-window') return { ...policy, windowUs };
  return {
    ...policy,
    windowUs,
    detail: policy.detail === 0 ? 0 : Math.ceil((policy.detail * windowUs) / policy.windowUs),
  };
}

function atCost(policy: Policy, cost: number): Policy {
  return policy.algorithm === 'concurrency' ? policy : { ...policy, cost };
}
