import { array, constantFrom, integer, oneof, record } from 'fast-check';
import { NO_BANS } from '../../src/rate-limit/ban.ts';
import type { Policy } from '../../src/rate-limit/policy.ts';
import { grainOf } from '../../src/rate-limit/sliding-window.ts';
import type { LimitCall } from '../../src/rate-limit/store.ts';

let ids = 0;

/** A decision of one client, with what is not given as it is most often. */
export function callOf(policies: readonly Policy[], given: Partial<LimitCall> & { prefix?: string } = {}): LimitCall {
  const { prefix = 'p', ...rest } = given;
  const names = policies.map(({ name }) => `${prefix}:{c}:${name}`);
  const base = { mode: 'take', id: `i${ids++}`, conduct: `${prefix}:{c}:!`, names, policies } as const;
  return { ...base, countRefused: false, ban: NO_BANS, ...rest };
}

/** A sliding window. */
export function sliding(limit: number, windowUs: number, { precision = 60, cost = 1, name = 's' } = {}): Policy {
  return { name, algorithm: 'sliding-window', limit, windowUs, cost, detail: grainOf({ limit, windowUs }, precision) };
}

export function bucket(limit: number, windowUs: number, { burst = limit, cost = 1, name = 'b' } = {}): Policy {
  return { name, algorithm: 'token-bucket', limit, windowUs, cost, detail: burst };
}

export function fixed(limit: number, windowUs: number, { cost = 1, name = 'f' } = {}): Policy {
  return { name, algorithm: 'fixed-window', limit, windowUs, cost, detail: 0 };
}

export function leases(limit: number, leaseUs: number, { name = 'c' } = {}): Policy {
  return { name, algorithm: 'concurrency', limit, windowUs: leaseUs, cost: 1, detail: 0 };
}

/** Any policies of one guard, with windows up to `maxWindowUs`. */
export function anyPolicies(maxWindowUs: number) {
  const limit = integer({ min: 0, max: 12 });
  const windowUs = integer({ min: 1_000, max: maxWindowUs });
  const precision = constantFrom(1, 2, 5, 60);
  const one = oneof(
    record({ limit, windowUs, precision }).map((p) => sliding(p.limit, p.windowUs, { precision: p.precision })),
    record({ limit, windowUs }).map((p) => fixed(p.limit, p.windowUs)),
    record({ limit, windowUs, burst: limit }).map((p) => bucket(p.limit, p.windowUs, { burst: p.burst })),
    record({ limit: integer({ min: 0, max: 4 }), windowUs }).map((p) => leases(p.limit, p.windowUs)),
  );
  return array(one, { minLength: 1, maxLength: 4 }).map((list) =>
    list.map((p, i) => ({ ...p, name: `${p.name}${i}` })),
  );
}

/** One sliding window, which a script of its own decides: coarse and fine ones, with logs of many entries. */
export function anyWindow(maxWindowUs: number) {
  const limit = oneof(integer({ min: 0, max: 12 }), integer({ min: 20, max: 200 }));
  const windowUs = integer({ min: 1_000, max: maxWindowUs });
  const precision = constantFrom(1, 2, 5, 60);
  return record({ limit, windowUs, precision }).map((p) => [sliding(p.limit, p.windowUs, { precision: p.precision })]);
}

/** What a client may do next. */
export const anyStep = record({
  what: constantFrom('take', 'take', 'take', 'take', 'peek', 'charge', 'refund', 'forget'),
  cost: constantFrom(1, 1, 1, 1, 1, 1, 0, 0, 2, 2, 5, 5, 2 ** 46),
  waitUs: oneof(integer({ min: 0, max: 500 }), integer({ min: 0, max: 8_000 })),
  countRefused: constantFrom(false, false, false, true),
  lower: integer({ min: 0, max: 9 }),
});
