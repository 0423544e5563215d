import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { bumpRegister } from '../../src/register/bump-register.lua.ts';
import { toBumpReply, toRegisterPage } from '../../src/register/register-reply.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { bumpModel, rangeModel } from './register-model.ts';

const redis = testRedis();

const steps = fc.array(
  fc.record({
    members: fc.array(fc.constantFrom('hta', 'htb', 'htc', 'sta', 'h^d:', 'h*x', 'sa'), { maxLength: 4 }),
    many: fc.nat({ max: 20 }),
    /** Ahead of time or long past: what another process may have seen. */
    minClock: fc.constantFrom<(now: number) => number>(
      () => 0,
      () => 1,
      (now) => now + 60_000_000,
    ),
    raiseFloorTo: fc.constantFrom<(now: number) => number | 'clock'>(
      () => 0,
      () => 0,
      () => 'clock',
      (now) => now - 1_000,
      (now) => now + 5,
    ),
    cap: fc.constantFrom(0, 3, 1_000),
    retentionUs: fc.constantFrom(0, 2_000, 3_600_000_000),
  }),
  { maxLength: 12 },
);

describe('the bump script', () => {
  it('does what the model says, whatever it is asked', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 2 ** 47 }), async (sequence, newGeneration) => {
        const register = `${uniquePrefix()}:reg`;
        let model: ReadonlyMap<string, number> = new Map();
        let last = Date.now() * 1_000;
        for (const [i, step] of sequence.entries()) {
          const members = [...step.members, ...Array.from({ length: step.many }, (_, at) => `htm${i}:${at}`)];
          const args = {
            newGeneration,
            minClock: step.minClock(last),
            raiseFloorTo: step.raiseFloorTo(last),
            cap: step.cap,
            retentionUs: step.retentionUs,
          };
          const reply = toBumpReply(await bumpRegister(redis, { register }, { ...args, channel: 'nobody' }, members));
          const expected = bumpModel(model, { ...args, members, now: reply.timeUs });
          model = expected.after;
          last = reply.clock;
          expect(reply).toEqual(expected.reply);
          expect(toRegisterPage(await redis.zrangebyscore(register, '-inf', '+inf', 'WITHSCORES'))).toEqual(
            toRegisterPage(rangeModel(model, -Infinity)),
          );
        }
        await redis.unlink(register);
      }),
      { numRuns: 60 },
    );
  });

  it('gives out clocks that only ever grow, also to 200 askers at once', async () => {
    const register = `${uniquePrefix()}:reg`;
    const args = { channel: 'nobody', newGeneration: 1, minClock: 0, raiseFloorTo: 0, cap: 10, retentionUs: 1_000 };
    const replies = await Promise.all(
      Array.from({ length: 200 }, (_, i) => bumpRegister(redis, { register }, args, [`ht${i}`])),
    );
    const clocks = replies.map((reply) => toBumpReply(reply));
    for (const [i, { previousClock, clock }] of clocks.entries()) {
      expect(clock).toBeGreaterThan(previousClock + 1);
      expect(previousClock).toBe(clocks[i - 1]?.clock ?? 0);
    }
    await redis.unlink(register);
  });
});
