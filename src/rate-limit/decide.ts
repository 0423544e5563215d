import { afterRefusal, type Conduct } from './ban.ts';
import { concurrency } from './concurrency.ts';
import { fixedWindow } from './fixed-window.ts';
import type { Algorithm, Policy, Receipt, Rules, View } from './policy.ts';
import { slidingWindow } from './sliding-window.ts';
import { type Decision, isCounted, type LimitCall } from './store.ts';
import { tokenBucket } from './token-bucket.ts';

/** What is kept of one client: of each policy what was used, and its conduct. */
export interface ClientState {
  readonly used: readonly unknown[];
  readonly conduct: Conduct | undefined;
}

/** States are as different as algorithms; each is only ever given back to its own. */
const RULES = {
  'sliding-window': slidingWindow,
  'fixed-window': fixedWindow,
  'token-bucket': tokenBucket,
  concurrency,
} as Readonly<Record<Algorithm, Rules<unknown>>>;

/** The rules of an algorithm. */
export function rulesOf({ algorithm }: Pick<Policy, 'algorithm'>): Rules<unknown> {
  return RULES[algorithm];
}

/** Decides one question: the twin of `decide-limits.lua`. Returns the state afterwards; the same object when nothing changed. */
export function decide(state: ClientState, call: LimitCall, clockUs: number): readonly [Decision, ClientState] {
  const { mode, policies } = call;
  const nowUs = Math.max(clockUs, ...policies.map((policy, i) => newestOf(policy, state.used[i])));
  const views = policies.map((policy, i) => rulesOf(policy).look(state.used[i], policy, nowUs));
  const bannedUntilUs = state.conduct?.untilUs ?? 0;
  const fits = views.every((view) => view.fits);
  const status = bannedUntilUs > clockUs ? 'banned' : fits ? 'admitted' : 'refused';
  const counts = isCounted(call, { status });
  const isServed = mode === 'charge' || status === 'admitted';
  const used = counts ? take(state, policies, { atUs: nowUs, id: call.id }, isServed) : state.used;
  const base = { nowUs, clockUs, views: isServed || !counts ? views : views.map(retriedAfter) };
  if (mode !== 'take' || status !== 'refused' || call.ban.after === 0) {
    const decision = {
      ...base,
      status,
      bannedUntilUs: status === 'banned' ? bannedUntilUs : 0,
      isNewBan: false,
    } as const;
    return [decision, counts ? { ...state, used } : state];
  }

  /** What a refusal uses moves the time when it will fit in. */
  function retriedAfter(view: View, i: number): View {
    const policy = policies[i];
    return policy === undefined ? view : { ...view, retryAtUs: rulesOf(policy).look(used[i], policy, nowUs).retryAtUs };
  }

  const conduct = afterRefusal(state.conduct, call.ban, clockUs);
  const isBanned = conduct.untilUs > clockUs;
  const decision = {
    ...base,
    status: isBanned ? 'banned' : 'refused',
    isNewBan: isBanned,
    bannedUntilUs: isBanned ? conduct.untilUs : 0,
  } as const;
  return [decision, { used, conduct }];
}

function newestOf(policy: Policy, used: unknown): number {
  return used === undefined ? 0 : rulesOf(policy).newestOf(used);
}

/** Who is refused is not being served. */
function take(
  { used }: ClientState,
  policies: readonly Policy[],
  receipt: Receipt,
  isServed: boolean,
): readonly unknown[] {
  return policies.map((policy, i) =>
    isServed || policy.algorithm !== 'concurrency' ? rulesOf(policy).take(used[i], policy, receipt) : used[i],
  );
}
