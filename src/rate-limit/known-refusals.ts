import { type Refusal, toStanding } from './limit-result.ts';
import type { LimiterConfig } from './limiter-options.ts';
import type { LimitPlace } from './place.ts';
import { type Decision, type LimitCall } from './store.ts';

/** What it takes to recognise a question. */
interface Question {
  /** The client as in keys. */
  readonly client: string;
  readonly cost: number;
  /** The limits it is judged by, in one word. */
  readonly limits: string;
}

/** A question that can be recognised when it is asked again. */
export type PlannedCall = LimitCall & Question;

/** A refusal that nobody was asked about. */
export interface KnownRefusal extends Refusal {
  readonly retryAfterMs: number;
  /** It is counted nowhere. */
  readonly store: undefined;
}

/** What is known of refused clients without asking. */
export interface KnownRefusals {
  /** The refusal, if it would be the same for certain. While Redis is away it is known for longer, or an outage would let everyone begin anew. */
  find(question: Question, isAway: boolean): KnownRefusal | undefined;
  remember(call: PlannedCall, decision: Decision): void;
}

/** Creates the memory of a limiter; without Redis, or where every refusal must reach the store, it remembers nothing. */
export function createKnownRefusals(place: LimitPlace, { name, usesDenyCache }: LimiterConfig): KnownRefusals {
  if (place.connection === undefined || !usesDenyCache) return { find: () => undefined, remember: () => undefined };
  const { denials, statistics } = place.limiter(name);
  return {
    find(question, isAway) {
      const denial = denials.find(question.client, question, isAway);
      if (denial === undefined) return undefined;
      statistics.count('refusedFromMemory');
      const { memory, retryAfterMs } = denial;
      return { reason: memory.reason, standing: memory.standing, retryAfterMs, store: undefined };
    },
    /** Only what is certain: nobody knows when a response ends. */
    remember(call, decision) {
      if (decision.status === 'admitted' || isWaitingForOthers(call, decision)) return;
      const standing = toStanding(decision, call.policies, false);
      const reason = decision.status === 'banned' ? 'banned' : 'limit';
      if (standing.retryAfterMs > 0) denials.add(call.client, call, standing.retryAfterMs, { reason, standing });
    },
  };
}

function isWaitingForOthers({ policies }: LimitCall, { status, views }: Decision): boolean {
  return status === 'refused' && views.some(({ fits }, i) => !fits && policies[i]?.algorithm === 'concurrency');
}
