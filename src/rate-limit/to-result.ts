import type { Decider, Outcome, Verdict } from './decider.ts';
import type { KnownRefusal } from './known-refusals.ts';
import { holdLeases } from './leases.ts';
import { type LimitReason, type LimitResult, type Standing, toStanding } from './limit-result.ts';
import { isCounted } from './store.ts';

/** When nothing is known: the next try may find Redis again. */
const RETRY_UNKNOWN_MS = 1_000;

/** What the caller is told of a decision. `onRefund` hears of a refund when it was made. */
export function toResult(outcome: Verdict, isShadow: boolean, decider: Decider, onRefund: () => void): LimitResult {
  if ('standing' in outcome) return knownResult(outcome, isShadow);
  const { call, decision, store } = outcome;
  const isAdmitted = decision.status === 'admitted';
  const { limit, remaining, resetAt, retryAfterMs, policy, policies } = standingOf(outcome);
  const allowed = isAdmitted || isShadow;
  const reason = reasonOf(outcome);
  const told = { allowed, reason, limit, remaining, resetAt, retryAfterMs, policy, policies };
  if (call.mode !== 'take' || !isAdmitted || store === undefined) return Object.assign(told, { refund: nothing });
  const leases = holdLeases(store, call);
  let isGivenBack = false;
  async function refund(): Promise<void> {
    if (isGivenBack) return;
    isGivenBack = true;
    leases?.stop();
    await decider.takeBack(outcome);
    onRefund(); // Not before: a refusal that is on its way would be remembered still.
  }
  const release = leases?.release;
  return release === undefined ? Object.assign(told, { refund }) : Object.assign(told, { refund, release });
}

/** What the caller is told of a client that is known to be refused. */
export function knownResult({ reason, standing, retryAfterMs }: KnownRefusal, isShadow: boolean): LimitResult {
  const { limit, remaining, resetAt, policy, policies } = standing;
  return { allowed: isShadow, reason, limit, remaining, resetAt, retryAfterMs, policy, policies, refund: nothing };
}

/** What the caller is told of a client on a list. */
export function listedResult(list: 'allow' | 'deny', isShadow: boolean): LimitResult {
  const retryAfterMs = list === 'deny' ? Infinity : 0;
  const allowed = list === 'allow' || isShadow;
  return { ...unknownStanding(retryAfterMs), allowed, reason: `${list}-list`, refund: nothing };
}

function standingOf({ call, decision, store }: Outcome): Standing {
  if (decision.views.length > 0)
    return toStanding(decision, call.policies, store !== undefined && isCounted(call, decision));
  return unknownStanding(decision.status === 'admitted' ? 0 : RETRY_UNKNOWN_MS);
}

function unknownStanding(retryAfterMs: number): Standing {
  return { limit: 0, remaining: 0, resetAt: new Date(), retryAfterMs, policy: '', policies: [] };
}

function reasonOf({ decision: { status, views } }: Outcome): LimitReason {
  if (views.length === 0) return 'redis-error';
  return status === 'admitted' ? 'within-limit' : status === 'banned' ? 'banned' : 'limit';
}

async function nothing(): Promise<void> {
  // Nothing was used.
}
