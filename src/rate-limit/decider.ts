import { randomBytes } from 'node:crypto';
import { RedisError } from '../core/errors.ts';
import { createKnownRefusals, type KnownRefusal, type KnownRefusals, type PlannedCall } from './known-refusals.ts';
import type { LimiterConfig } from './limiter-options.ts';
import type { LimitPlace } from './place.ts';
import { createPlanner, type Planner } from './plans.ts';
import type { Policy } from './policy.ts';
import type { PolicyConfig } from './policy-options.ts';
import { type Decision, isCounted, type LimitCall, type LimitStore } from './store.ts';

/** What is asked of a limiter. */
export interface Asked {
  readonly key: string;
  /** The key as it stands in keys of Redis. */
  readonly client: string;
  readonly cost: number;
  readonly limits: Readonly<Record<string, number>> | undefined;
  readonly address: string | undefined;
}

/** One decision, with where it was made. */
export interface Outcome {
  readonly call: LimitCall;
  readonly decision: Decision;
  /** Where it was counted; `undefined`: nowhere. */
  readonly store: LimitStore | undefined;
}

/** What is decided, or has been before. */
export type Verdict = Outcome | KnownRefusal;

/** Makes the decisions of one limiter. */
export interface Decider {
  /** What `take` would decide for certain, without asking. Throws for what is wrong in the question. */
  known(asked: Asked): KnownRefusal | undefined;
  /** Rejects, or throws, only for what is wrong in the question. */
  decide(asked: Asked, mode: LimitCall['mode']): Promise<Verdict>;
  takeBack(outcome: Verdict): Promise<void>;
  /** The policies with what was changed of them. */
  policies(): readonly PolicyConfig[];
}

interface Parts {
  readonly place: LimitPlace;
  readonly config: LimiterConfig;
  readonly planner: Planner;
  readonly refusals: KnownRefusals;
}

/** Ids tell leases apart: a random beginning per process, then a count. */
const processId = randomBytes(6).toString('base64url');
let count = 0;

/** Creates the decider of a limiter. */
export function createDecider(place: LimitPlace, config: LimiterConfig): Decider {
  const { settings } = place.limiter(config.name);
  const planner = createPlanner(config.policies, settings);
  const parts = { place, config, planner, refusals: createKnownRefusals(place, config) };
  return {
    policies: planner.policies,
    takeBack,
    known({ client, cost, limits }) {
      void settings.check();
      return parts.refusals.find({ client, cost, limits: planner.plan(cost, limits, 'take').limits }, false);
    },
    decide(asked, mode) {
      const call = toCall(parts, asked, mode);
      const checked = settings.check();
      return checked === undefined ? ask(parts, call) : askChecked(parts, asked, call, checked);
    },
  };
}

function toCall({ place, config, planner }: Parts, asked: Asked, mode: LimitCall['mode']): PlannedCall {
  const { client, cost, limits } = asked;
  const plan = planner.plan(cost, limits, mode);
  const base = place.keys.limit(config.name, client, '');
  return {
    mode,
    id: `${processId}${(count++).toString(36)}`,
    conduct: `${base}!`,
    names: plan.parts.map((part) => base + part),
    policies: plan.policies,
    countRefused: config.countRefused,
    ban: config.ban,
    client,
    cost,
    limits: plan.limits,
  };
}

async function ask(parts: Parts, call: PlannedCall): Promise<Verdict> {
  const { store } = parts.place;
  try {
    const decision = await store.decide(call);
    if (call.mode === 'take') parts.refusals.remember(call, decision);
    return { call, decision, store };
  } catch (error) {
    if (!(error instanceof RedisError)) throw error;
    return (call.mode === 'take' ? parts.refusals.find(call, true) : undefined) ?? decideWithout(parts, call);
  }
}

/** What is decided meanwhile is decided again, if the limits it was judged by do not hold any more. */
async function askChecked(parts: Parts, asked: Asked, call: PlannedCall, checked: Promise<boolean>): Promise<Verdict> {
  const [outcome, isChanged] = await Promise.all([ask(parts, call), checked]);
  if (!isChanged || outcome.store !== parts.place.store) return outcome;
  if (call.mode !== 'peek') await takeBack(outcome);
  return ask(parts, toCall(parts, asked, call.mode));
}

/** By this process's share of the limits, or not at all. */
async function decideWithout({ place, config }: Parts, call: PlannedCall): Promise<Outcome> {
  place.limiter(config.name).statistics.count('withoutRedis');
  if (config.onRedisError === 'memory') {
    const shared = { ...call, policies: call.policies.map((policy) => shareOf(policy, config.processes)) };
    return { call: shared, decision: await place.fallback.decide(shared), store: place.fallback };
  }
  const status = config.onRedisError === 'allow' ? 'admitted' : 'refused';
  const decision = { status, nowUs: 0, clockUs: 0, bannedUntilUs: 0, isNewBan: false, views: [] } as const;
  return { call, decision, store: undefined };
}

async function takeBack(outcome: Verdict): Promise<void> {
  if (outcome.store === undefined) return;
  const { call, decision, store } = outcome;
  if (!isCounted(call, decision)) return;
  await store.refund(call, { atUs: decision.nowUs, id: call.id }).catch(() => undefined); // Redis is away: it expires.
}

function shareOf(policy: Policy, processes: number): Policy {
  const divide = (whole: number): number => (whole === 0 ? 0 : Math.max(1, Math.floor(whole / processes)));
  const detail = policy.algorithm === 'token-bucket' ? divide(policy.detail) : policy.detail;
  return { ...policy, limit: divide(policy.limit), detail };
}
