import { describe, expect, it } from '@jest/globals';
import { array, assert, asyncProperty, constantFrom, integer, record } from 'fast-check';
import { createMemoryStore } from '../../src/rate-limit/memory-store.ts';
import type { Policy } from '../../src/rate-limit/policy.ts';
import { grainOf } from '../../src/rate-limit/sliding-window.ts';
import type { Decision } from '../../src/rate-limit/store.ts';
import { anyPolicies, anyStep, bucket, callOf, fixed, leases, sliding } from './calls.ts';

const START_US = 1_700_000_000_000_000;

/** A store on a clock that stands still until it is moved. */
function stopped(maxStates?: number) {
  const clock = { us: START_US };
  return { clock, store: createMemoryStore(maxStates, () => clock.us) };
}

type Admission = readonly [atUs: number, cost: number];

/** The most that was admitted in any span of a window's length, found by adding up. */
function worst(admissions: readonly Admission[], windowUs: number): number {
  const ending = admissions.map(([endUs]) =>
    admissions.reduce((sum, [atUs, cost]) => sum + (atUs <= endUs && atUs > endUs - windowUs ? cost : 0), 0),
  );
  return Math.max(0, ...ending);
}

/** When requests come: waiting times between them, in microseconds. */
const PATTERNS: Record<string, (windowUs: number, i: number) => number> = {
  steady: (windowUs) => Math.floor(windowUs / 50),
  bursts: (windowUs, i) => (i % 40 === 0 ? Math.floor(windowUs / 3) : 1),
  'at the boundary': (windowUs, i) => (i % 60 === 0 ? windowUs - 30 : 1),
  'late in the window': (windowUs, i) => (i % 60 === 0 ? Math.floor(windowUs * 0.9) : 7),
  'first hit, then all': (windowUs, i) => (i % 60 === 1 ? windowUs - 100 : i % 60 === 2 ? 99 : 1),
};

describe('a sliding window', () => {
  it.each(Object.keys(PATTERNS))('never admits more than the limit in any window: requests %s', async (pattern) => {
    const waitOf = PATTERNS[pattern] ?? (() => 0);
    const options = record({
      limit: integer({ min: 0, max: 80 }),
      windowUs: integer({ min: 1_000, max: 5_000_000 }),
      precision: constantFrom(1, 3, 10, 60),
      costs: array(integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 5 }),
      jitterUs: array(integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 7 }),
    });
    await assert(
      asyncProperty(options, async ({ limit, windowUs, precision, costs, jitterUs }) => {
        const { clock, store } = stopped();
        const admissions: Admission[] = [];
        for (let i = 0; i < 250; i++) {
          clock.us += waitOf(windowUs, i) + (i % 9 === 0 ? (jitterUs[i % jitterUs.length] ?? 0) : 0);
          const cost = costs[i % costs.length] ?? 1;
          const { status, nowUs } = await store.decide(callOf([sliding(limit, windowUs, { precision, cost })]));
          if (status === 'admitted') admissions.push([nowUs, cost]);
        }
        expect(worst(admissions, windowUs)).toBeLessThanOrEqual(limit);
      }),
      { numRuns: 40 },
    );
  });

  it('admits no more than the limit when limit and precision change while it is in use, or time steps back', async () => {
    const step = record({
      waitUs: integer({ min: -40_000, max: 60_000 }),
      limit: constantFrom(20, 20, 15, 7, 40),
      precision: constantFrom(1, 4, 60),
    });
    await assert(
      asyncProperty(array(step, { minLength: 20, maxLength: 200 }), async (steps) => {
        const { clock, store } = stopped();
        const admissions: Admission[] = [];
        for (const { waitUs, limit, precision } of steps) {
          clock.us += waitUs;
          const { status, nowUs } = await store.decide(callOf([sliding(limit, 500_000, { precision })]));
          if (status !== 'admitted') continue;
          admissions.push([nowUs, 1]);
          const inWindow = admissions.filter(([atUs]) => atUs > nowUs - 500_000).length;
          expect(inWindow).toBeLessThanOrEqual(limit);
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    [100, 1_000_000],
    [61, 1_000_000],
    [400, 60_000_000],
    [10, 250_000],
  ])(
    'lets a client that keeps trying have 98 %% of what a log of every request would: %d in %d µs',
    async (limit, windowUs) => {
      for (const pace of [1.05, 1.5, 2, 7]) {
        const { clock, store } = stopped();
        const exact: number[] = [];
        let admitted = 0;
        for (let i = 0; i < 10 * limit * pace; i++) {
          clock.us += Math.floor(windowUs / limit / pace);
          if ((await store.decide(callOf([sliding(limit, windowUs)]))).status === 'admitted') admitted++;
          const oldest = exact.at(-limit);
          if (oldest === undefined || oldest <= clock.us - windowUs) exact.push(clock.us);
        }
        expect(admitted).toBeGreaterThanOrEqual(0.98 * exact.length);
      }
    },
  );

  it('says to the microsecond when a refused request will fit in', async () => {
    const waits = array(integer({ min: 0, max: 200_000 }), { minLength: 30, maxLength: 80 });
    await assert(
      asyncProperty(waits, integer({ min: 1, max: 5 }), async (waits, cost) => {
        const { clock, store } = stopped();
        const policy = sliding(12, 1_000_000, { precision: 6, cost });
        for (const waitUs of waits) {
          clock.us += waitUs;
          const { status, views } = await store.decide(callOf([policy]));
          if (status === 'admitted') continue;
          clock.us = (views[0]?.retryAtUs ?? 0) - 1;
          expect((await store.decide(callOf([policy], { mode: 'peek' }))).status).toBe('refused');
          clock.us++;
          expect((await store.decide(callOf([policy], { mode: 'peek' }))).status).toBe('admitted');
        }
      }),
      { numRuns: 60 },
    );
  });

  it('never fits in what costs more than the limit', async () => {
    const { store } = stopped();
    const { status, views } = await store.decide(callOf([sliding(3, 1_000, { cost: 4 })]));
    expect([status, views[0]?.retryAtUs]).toEqual(['refused', -1]);
  });

  it('spans windows of months', async () => {
    const { clock, store } = stopped();
    const monthUs = 31 * 86_400_000_000;
    const policy = sliding(1_000, monthUs, { cost: 500 });
    const statuses: string[] = [];
    for (const dayUs of [0, 20, 29, 30.9, 31.1].map((day) => day * 86_400_000_000)) {
      clock.us = START_US + dayUs;
      statuses.push((await store.decide(callOf([policy]))).status);
    }
    expect(statuses).toEqual(['admitted', 'admitted', 'refused', 'refused', 'admitted']);
  });

  it('keeps few entries for few requests, exactly', () => {
    expect(grainOf({ limit: 60, windowUs: 60_000_000 }, 60)).toBe(0);
    expect(grainOf({ limit: 61, windowUs: 60_000_000 }, 60)).toBe(1_000_000);
  });
});

describe('a token bucket', () => {
  it('admits at most burst + refill in any span', async () => {
    const options = record({
      limit: integer({ min: 1, max: 30 }),
      burst: integer({ min: 1, max: 30 }),
      waits: array(integer({ min: 0, max: 90_000 }), { minLength: 20, maxLength: 150 }),
    });
    await assert(
      asyncProperty(options, async ({ limit, burst, waits }) => {
        const { clock, store } = stopped();
        const admissions: number[] = [];
        for (const waitUs of waits) {
          clock.us += waitUs;
          const { status, nowUs } = await store.decide(callOf([bucket(limit, 1_000_000, { burst })]));
          if (status === 'admitted') admissions.push(nowUs);
        }
        const excess = admissions.flatMap((fromUs, i) =>
          admissions.slice(i).map((toUs, n) => n + 1 - burst - ((toUs - fromUs + 1) * limit) / 1_000_000),
        );
        expect(Math.max(0, ...excess)).toBeLessThan(1e-6);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a token bucket that is empty', () => {
  it('gives the next token when it is there, a microsecond early at most', async () => {
    const { clock, store } = stopped();
    const ask = async (): Promise<string> => (await store.decide(callOf([bucket(1, 1_000_000)]))).status;
    expect([await ask(), await ask()]).toEqual(['admitted', 'refused']);
    clock.us += 999_998;
    expect(await ask()).toBe('refused');
    clock.us += 1;
    expect(await ask()).toBe('admitted');
  });
});

describe('a fixed window', () => {
  it('admits the limit between two starts, and twice the limit around one', async () => {
    const { clock, store } = stopped();
    let admitted = 0;
    const tryTimes = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++)
        if ((await store.decide(callOf([fixed(5, 1_000)]))).status === 'admitted') admitted++;
    };
    await tryTimes(1);
    clock.us += 999;
    await tryTimes(20);
    expect(admitted).toBe(5);
    clock.us += 1;
    await tryTimes(20);
    expect(admitted).toBe(10);
  });
});

describe('concurrency', () => {
  it('never has more leases than the limit, and takes back those that expired', async () => {
    const { clock, store } = stopped();
    const policies = [leases(3, 1_000)];
    const held: Decision[] = [];
    const calls = Array.from({ length: 5 }, () => callOf(policies));
    for (const call of calls) held.push(await store.decide(call));
    expect(held.map(({ status }) => status)).toEqual(['admitted', 'admitted', 'admitted', 'refused', 'refused']);
    await store.refund(callOf(policies), { atUs: START_US, id: calls[0]?.id ?? '' });
    expect((await store.decide(callOf(policies))).status).toBe('admitted');
    expect((await store.decide(callOf(policies))).status).toBe('refused');
    clock.us += 1_000;
    expect((await store.decide(callOf(policies))).views[0]?.remaining).toBe(3);
  });
});

describe('several policies', () => {
  it('are counted all or not at all', async () => {
    await assert(
      asyncProperty(anyPolicies(50_000), array(anyStep, { minLength: 5, maxLength: 60 }), async (policies, steps) => {
        const { clock, store } = stopped();
        for (const { cost, waitUs } of steps) {
          clock.us += waitUs;
          const priced = policies.map((p): Policy => (p.algorithm === 'concurrency' ? p : { ...p, cost }));
          const before = await store.decide(callOf(priced, { mode: 'peek' }));
          const { status } = await store.decide(callOf(priced));
          expect(status === 'admitted').toBe(before.views.every(({ fits }) => fits));
          const after = await store.decide(callOf(priced, { mode: 'peek' }));
          const used = after.views.map(({ remaining }, i) => (before.views[i]?.remaining ?? 0) - remaining);
          expect(used).toEqual(priced.map((policy) => (status === 'admitted' ? policy.cost : 0)));
        }
      }),
      { numRuns: 80 },
    );
  });
});

describe('refunds', () => {
  it('leave what would have been without the admission', async () => {
    const waits = array(integer({ min: 0, max: 300 }), { minLength: 2, maxLength: 40 });
    await assert(
      asyncProperty(waits, integer({ min: 0, max: 39 }), async (waits, which) => {
        const [with_, without] = [stopped(), stopped()];
        const policies = [sliding(1_000, 5_000, { precision: 1_000 }), fixed(1_000, 1e9), bucket(1_000, 1e9)];
        const refunded = which % waits.length;
        let receipt = { atUs: 0, id: '' };
        for (const [i, waitUs] of waits.entries()) {
          with_.clock.us += waitUs;
          without.clock.us += waitUs;
          const call = callOf(policies);
          const { nowUs } = await with_.store.decide(call);
          if (i === refunded) receipt = { atUs: nowUs, id: call.id };
          else if (i > 0) await without.store.decide(call);
          if (i === 0 && refunded > 0) await without.store.decide(call);
        }
        await with_.store.refund(callOf(policies), receipt);
        const [a, b] = [await with_.store.decide(callOf(policies)), await without.store.decide(callOf(policies))];
        expect(a.views[0]?.remaining).toBe(b.views[0]?.remaining);
        expect(a.views[1]?.remaining).toBe(b.views[1]?.remaining);
      }),
      { numRuns: 100 },
    );
  });

  it('of what does not count any more take nothing from what does', async () => {
    const { clock, store } = stopped();
    const call = callOf([sliding(5, 1_000)]);
    const taken: number[] = [];
    for (let i = 0; i < 3; i++) {
      clock.us += 10;
      taken.push((await store.decide(call)).nowUs);
    }
    clock.us += 1_500;
    await store.decide(call);
    for (const atUs of taken) await store.refund(call, { atUs, id: call.id });
    expect((await store.decide({ ...call, mode: 'peek' })).views[0]?.remaining).toBe(4);
  });

  it('made twice give back once, where the admission has an entry of its own', async () => {
    const { clock, store } = stopped();
    const first = callOf([sliding(5, 1_000_000)]);
    const { nowUs } = await store.decide(first);
    clock.us += 10;
    await store.decide(callOf(first.policies));
    for (let i = 0; i < 2; i++) await store.refund(first, { atUs: nowUs, id: first.id });
    expect((await store.decide({ ...first, mode: 'peek' })).views[0]?.remaining).toBe(4);
  });

  it('of what was reset take nothing from what came after', async () => {
    const { clock, store } = stopped();
    const policies = [sliding(5, 1_000_000, { precision: 1 }), fixed(5, 1_000_000), bucket(5, 1_000_000)];
    const first = callOf(policies);
    const { nowUs } = await store.decide(first);
    await store.forget(first.names);
    clock.us += 10;
    await store.decide(callOf(policies));
    await store.refund(first, { atUs: nowUs, id: first.id });
    expect((await store.decide(callOf(policies, { mode: 'peek' }))).views.map((v) => v.remaining)).toEqual([4, 4, 4]);
  });
});

describe('memory that is full', () => {
  it('refuses clients it does not know, and forgets none that it knows', async () => {
    const { clock, store } = stopped(6);
    const policies = [sliding(1, 1_000_000)];
    const ask = (client: string): Promise<Decision> => store.decide(callOf(policies, { prefix: client }));
    for (const client of ['a', 'b', 'c', 'd', 'e']) await ask(client);
    expect((await ask('new')).status).toBe('refused');
    expect((await ask('a')).status).toBe('refused');
    clock.us += 1_000_001;
    expect((await ask('new')).status).toBe('admitted');
  });
});
