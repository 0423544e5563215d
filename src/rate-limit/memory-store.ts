import { type BanRules, type Conduct, forgottenAt } from './ban.ts';
import { type Leases, latestOf } from './concurrency.ts';
import { decide, rulesOf } from './decide.ts';
import type { Decision, LimitCall, LimitStore } from './store.ts';

/** A thing kept until it means nothing any more. */
interface Kept {
  readonly value: unknown;
  readonly expiresAtUs: number;
}

/** The table is searched for what has expired at most so often. */
const SWEEP_INTERVAL_US = 1_000_000;

/**
 * Keeps what clients have used in this process: the embedded backend, and what decides while Redis is away. Bounded: when `maxStates` are alive, clients that are not
 * known yet are refused, because forgetting one that is known would let it begin anew.
 */
export function createMemoryStore(maxStates = 200_000, clockUs: () => number = monotonicUs): LimitStore {
  const states = new Map<string, Kept>();
  let sweptAtUs = 0;

  function get(name: string, nowUs: number): unknown {
    const kept = states.get(name);
    if (kept === undefined || kept.expiresAtUs > nowUs) return kept?.value;
    states.delete(name);
    return undefined;
  }

  function hasRoom(names: readonly string[], nowUs: number): boolean {
    const isFull = (): boolean => states.size + names.length > maxStates;
    if (!isFull() || names.some((name) => states.has(name))) return true;
    if (nowUs - sweptAtUs >= SWEEP_INTERVAL_US || nowUs < sweptAtUs) {
      sweptAtUs = nowUs;
      for (const [name, { expiresAtUs }] of states) if (expiresAtUs <= nowUs) states.delete(name);
    }
    return !isFull();
  }

  function keepConduct(name: string, conduct: Conduct, ban: BanRules): void {
    states.set(name, { value: conduct, expiresAtUs: forgottenAt(conduct, ban) });
  }

  return {
    async decide(call) {
      const nowUs = clockUs();
      const { conduct, names, policies, ban } = call;
      const before = {
        used: names.map((name) => get(name, nowUs)),
        conduct: get(conduct, nowUs) as Conduct | undefined,
      };
      if (call.mode === 'take' && !hasRoom([conduct, ...names], nowUs)) return fullDecision(call, nowUs);
      const [decision, after] = decide(before, call, nowUs);
      if (after === before) return decision;
      for (const [i, policy] of policies.entries()) {
        const value = after.used[i];
        const name = names[i];
        if (value === undefined || name === undefined || value === before.used[i]) continue;
        states.set(name, { value, expiresAtUs: rulesOf(policy).expiresAt(value, policy) });
      }
      if (after.conduct !== undefined && after.conduct !== before.conduct) keepConduct(conduct, after.conduct, ban);
      return decision;
    },
    async refund({ names, policies }, receipt) {
      const nowUs = clockUs();
      for (const [i, policy] of policies.entries()) {
        const name = names[i] ?? '';
        const value = get(name, nowUs);
        if (value === undefined) continue;
        const expiresAtUs = states.get(name)?.expiresAtUs ?? 0;
        states.set(name, { value: rulesOf(policy).refund(value, policy, receipt), expiresAtUs });
      }
    },
    async renew(name, id, leaseUs) {
      const nowUs = clockUs();
      const leases = get(name, nowUs) as Leases | undefined;
      if (leases?.has(id) !== true) return false;
      const renewed = new Map([...leases, [id, nowUs + leaseUs]]);
      states.set(name, { value: renewed, expiresAtUs: latestOf(renewed) });
      return true;
    },
    async block(conduct, durationUs) {
      const nowUs = clockUs();
      const known = get(conduct, nowUs) as Conduct | undefined;
      const { level = 0, refusals = 0, sinceUs = nowUs } = known ?? {};
      const untilUs = nowUs + durationUs;
      const expiresAtUs = Math.max(untilUs, states.get(conduct)?.expiresAtUs ?? 0);
      states.set(conduct, { value: { untilUs, level, refusals, sinceUs }, expiresAtUs });
    },
    async forget(names) {
      for (const name of names) states.delete(name);
    },
  };
}

/** Refused by every policy, to be tried again soon. */
function fullDecision({ policies }: LimitCall, nowUs: number): Decision {
  const view = { fits: false, remaining: 0, retryAtUs: nowUs + SWEEP_INTERVAL_US, resetAtUs: 0 };
  return {
    status: 'refused',
    nowUs,
    clockUs: nowUs,
    bannedUntilUs: 0,
    isNewBan: false,
    views: policies.map(() => view),
  };
}

/** Monotonic, so that a step of the system's clock neither blocks nor releases anyone. */
function monotonicUs(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1_000);
}
