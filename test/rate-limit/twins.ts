import { expect } from '@jest/globals';
import { type Arbitrary, array, assert, asyncProperty } from 'fast-check';
import { setTimeout as sleep } from 'node:timers/promises';
import { createMemoryStore } from '../../src/rate-limit/memory-store.ts';
import type { Policy, Receipt } from '../../src/rate-limit/policy.ts';
import type { LimitCall, LimitStore } from '../../src/rate-limit/store.ts';
import { uniquePrefix } from '../support/connections.ts';
import { anyStep, callOf } from './calls.ts';

const BAN = { after: 3, withinUs: 20_000, durationUs: 4_000, maxDurationUs: 600_000_000 };

/** Does the same to Redis and to its twin in memory, on the times that Redis tells: every answer must be the same. Returns how many clients it tried. */
export async function compareTwins(
  redis: LimitStore,
  anyPolicies: Arbitrary<Policy[]>,
  numRuns: number,
): Promise<number> {
  const prefix = uniquePrefix();
  let run = 0;
  const steps = array(anyStep, { minLength: 5, maxLength: 40 });
  await assert(
    asyncProperty(anyPolicies, steps, async (policies, steps) => {
      const place = `${prefix}:${run++}`;
      let clockUs = 0;
      const memory = createMemoryStore(1_000, () => clockUs);
      const admitted: { call: LimitCall; receipt: Receipt }[] = [];
      for (const { what, cost, waitUs, countRefused, lower } of steps) {
        if (waitUs > 1_000) await sleep(waitUs / 1_000);
        const priced = policies.map((policy): Policy => price(policy, cost, lower));
        const call = callOf(priced, { prefix: place, countRefused, ban: run % 3 === 0 ? BAN : { ...BAN, after: 0 } });
        if (what === 'refund') {
          const last = admitted.pop();
          if (last === undefined) continue;
          await redis.refund(last.call, last.receipt);
          await memory.refund(last.call, last.receipt);
        } else if (what === 'forget') {
          if (lower > 2) continue;
          await redis.forget(call.names);
          await memory.forget(call.names);
        } else {
          const asked = { ...call, mode: what };
          const told = await redis.decide(asked);
          clockUs = told.clockUs;
          expect(await memory.decide(asked)).toEqual(told);
          if (what === 'take' && told.status === 'admitted')
            admitted.push({ call, receipt: { atUs: told.nowUs, id: call.id } });
        }
      }
    }),
    { numRuns },
  );
  return run;
}

/** Limits change while they are in use. */
function price(policy: Policy, cost: number, lower: number): Policy {
  const limit = lower === 0 ? Math.floor(policy.limit / 2) : policy.limit;
  return policy.algorithm === 'concurrency' ? { ...policy, limit } : { ...policy, limit, cost };
}
