import { toRetryAfterMs } from './limit-result.ts';
import type { LimiterConfig } from './limiter-options.ts';
import type { LimitPlace } from './place.ts';
import { type Decision, type LimitCall } from './store.ts';

/** A question with what it takes to recognise it. */
export interface PlannedCall extends LimitCall {
  /** The client as in keys. */
  readonly client: string;
  readonly cost: number;
  /** The limits it is judged by, in one word. */
  readonly limits: string;
}

/** What is known of refused clients without asking. */
export interface KnownRefusals {
  /** The decision, if it would be the same for certain. While Redis is away it is known for longer, or an outage would let everyone begin anew. */
  find(call: PlannedCall, isAway: boolean): Decision | undefined;
  remember(call: PlannedCall, decision: Decision): void;
}

/** Creates the memory of a limiter; without Redis, or where every refusal must reach the store, it remembers nothing. */
export function createKnownRefusals(place: LimitPlace, { name, usesDenyCache }: LimiterConfig): KnownRefusals {
  if (place.connection === undefined || !usesDenyCache) return { find: () => undefined, remember: () => undefined };
  const { denials, statistics } = place.limiter(name);
  return {
    find(call, isAway) {
      const denial = denials.find(call.client, call, isAway);
      if (denial === undefined) return undefined;
      statistics.count('refusedFromMemory');
      const elapsedUs = Math.floor((performance.now() - denial.atMs) * 1_000);
      const { memory } = denial;
      return { ...memory, isNewBan: false, clockUs: memory.clockUs + elapsedUs };
    },
    /** Only what is certain: nobody knows when a response ends. */
    remember(call, decision) {
      if (decision.status === 'admitted' || isWaitingForOthers(call, decision)) return;
      const retryAfterMs = toRetryAfterMs(decision);
      const { cost, limits } = call;
      if (retryAfterMs > 0) denials.add(call.client, { cost, limits }, retryAfterMs, decision);
    },
  };
}

function isWaitingForOthers({ policies }: LimitCall, { status, views }: Decision): boolean {
  return status === 'refused' && views.some(({ fits }, i) => !fits && policies[i]?.algorithm === 'concurrency');
}
