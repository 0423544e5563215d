import { randomBytes } from 'node:crypto';
import { RedisError, SuiteError } from '../core/errors.ts';
import { clientName } from '../redis/keys.ts';
import { toStanding } from './limit-result.ts';
import type { LimiterConfig } from './limiter-options.ts';
import type { LimitPlace } from './place.ts';
import type { Policy } from './policy.ts';
import { partOf, type PolicyConfig, toPolicy } from './policy-options.ts';
import { type Decision, isCounted, type LimitCall, type LimitStore } from './store.ts';

/** What is asked of a limiter. */
export interface Asked {
  readonly key: string;
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

/** Makes the decisions of one limiter. */
export interface Decider {
  decide(asked: Asked, mode: LimitCall['mode']): Promise<Outcome>;
  takeBack(outcome: Outcome): Promise<void>;
  /** The policies with what was changed of them. */
  policies(): readonly PolicyConfig[];
}

/** Ids tell leases apart: a random beginning per process, then a count. */
const processId = randomBytes(6).toString('base64url');
let count = 0;

/** Creates the decider of a limiter. */
export function createDecider(place: LimitPlace, config: LimiterConfig): Decider {
  const { name, keySecret, countRefused, ban } = config;
  const { denials, settings, statistics } = place.limiter(name);

  let current: readonly PolicyConfig[] = config.policies;
  let changes = settings.changes;
  if (Object.keys(changes).length > 0) current = changed();

  function changed(): readonly PolicyConfig[] {
    return config.policies.map((policy) => ({ ...policy, ...changes[policy.name] }));
  }

  function policies(): readonly PolicyConfig[] {
    if (changes !== settings.changes) {
      ({ changes } = settings);
      current = changed();
    }
    return current;
  }

  function callOf({ key, cost, limits }: Asked, mode: LimitCall['mode']): LimitCall {
    const configs = policies().filter(({ algorithm }) => mode !== 'charge' || algorithm !== 'concurrency');
    const client = place.keys.limit(name, key, '', keySecret);
    return {
      mode,
      id: `${processId}${(count++).toString(36)}`,
      conduct: `${client}!`,
      names: configs.map((each) => client + partOf(each)),
      policies: configs.map((each) => {
        const limit = settings.changes[each.name]?.limit ?? limits?.[each.name] ?? each.limit;
        if (limit !== undefined) return toPolicy(each, limit, cost);
        throw new SuiteError('ERR_LIMIT_VALUE', `limits: say what the limit of "${each.name}" is for this client.`);
      }),
      countRefused,
      ban,
    };
  }

  /** What is known without asking. While Redis is away it is known for longer, or an outage would let everyone begin anew. */
  function denied(asked: Asked, call: LimitCall, isAway: boolean): Outcome | undefined {
    if (!config.usesDenyCache || place.connection === undefined) return undefined;
    const denial = denials.find(
      clientName(asked.key, name, keySecret),
      { cost: asked.cost, limits: limitsOf(call) },
      isAway,
    );
    if (denial === undefined) return undefined;
    statistics.count('refusedFromMemory');
    const elapsedUs = Math.floor((performance.now() - denial.atMs) * 1_000);
    const { memory } = denial;
    return { call, decision: { ...memory, isNewBan: false, clockUs: memory.clockUs + elapsedUs }, store: undefined };
  }

  /** Only what is certain: nobody knows when a response ends. */
  function remember({ key, cost }: Asked, { call, decision }: Outcome): void {
    const isWaiting = decision.status === 'refused' && isWaitingForOthers(call, decision);
    if (place.connection === undefined || !config.usesDenyCache || decision.status === 'admitted' || isWaiting) return;
    const { retryAfterMs } = toStanding(decision, call.policies, false);
    if (retryAfterMs > 0)
      denials.add(clientName(key, name, keySecret), { cost, limits: limitsOf(call) }, retryAfterMs, decision);
  }

  async function ask(asked: Asked, call: LimitCall, checked: Promise<boolean> | undefined): Promise<Outcome> {
    const { store } = place;
    try {
      const pending = store.decide(call);
      const [decision, isChanged] = checked === undefined ? [await pending] : await Promise.all([pending, checked]);
      const outcome = { call, decision, store };
      if (isChanged !== true) {
        if (call.mode === 'take') remember(asked, outcome);
        return outcome;
      }
      // Decided by limits that no longer hold.
      if (call.mode !== 'peek') await takeBack(outcome);
    } catch (error) {
      if (!(error instanceof RedisError)) throw error;
      return (call.mode === 'take' ? denied(asked, call, true) : undefined) ?? decideWithout(call);
    }
    return ask(asked, callOf(asked, call.mode), undefined);
  }

  /** By this process's share of the limits, or not at all. */
  async function decideWithout(call: LimitCall): Promise<Outcome> {
    statistics.count('withoutRedis');
    if (config.onRedisError === 'memory') {
      const shared = { ...call, policies: call.policies.map((policy) => shareOf(policy, config.processes)) };
      return { call: shared, decision: await place.fallback.decide(shared), store: place.fallback };
    }
    const status = config.onRedisError === 'allow' ? 'admitted' : 'refused';
    const decision = { status, nowUs: 0, clockUs: 0, bannedUntilUs: 0, isNewBan: false, views: [] } as const;
    return { call, decision, store: undefined };
  }

  async function takeBack({ call, decision, store }: Outcome): Promise<void> {
    if (store === undefined || !isCounted(call, decision)) return;
    await store.refund(call, { atUs: decision.nowUs, id: call.id }).catch(() => undefined); // Redis is away: it expires.
  }

  return {
    policies,
    takeBack,
    async decide(asked, mode) {
      const call = callOf(asked, mode);
      const checked = settings.check();
      const known = mode === 'take' ? denied(asked, call, false) : undefined;
      return known ?? ask(asked, call, checked);
    },
  };
}

function limitsOf({ policies }: LimitCall): string {
  return policies.map(({ limit, detail, windowUs }) => `${limit}/${detail}/${windowUs}`).join();
}

function isWaitingForOthers({ policies }: LimitCall, { views }: Decision): boolean {
  return views.some(({ fits }, i) => !fits && policies[i]?.algorithm === 'concurrency');
}

function shareOf(policy: Policy, processes: number): Policy {
  const divide = (whole: number): number => (whole === 0 ? 0 : Math.max(1, Math.floor(whole / processes)));
  const detail = policy.algorithm === 'token-bucket' ? divide(policy.detail) : policy.detail;
  return { ...policy, limit: divide(policy.limit), detail };
}
