import type { Policy, View } from './policy.ts';
import type { Decision } from './store.ts';

/** Where a client stands with one policy, after the decision. */
export interface PolicyResult {
  readonly name: string;
  readonly limit: number;
  readonly used: number;
  readonly remaining: number;
  /** When nothing will be in use any more, if nothing else is used. */
  readonly resetAt: Date;
  /** Whether it refused. */
  readonly isViolated: boolean;
  /** Length of the window; `undefined` for a limit of what runs at a time. */
  readonly windowMs: number | undefined;
}

/** Why it was decided so. */
export type LimitReason =
  | 'within-limit'
  | 'limit'
  /** Was refused too often, or blocked by an administrator. */
  | 'banned'
  | 'allow-list'
  | 'deny-list'
  /** Redis is away, and `onRedisError` says what happens. */
  | 'redis-error';

/** What was decided about a client. */
export interface LimitResult {
  readonly allowed: boolean;
  readonly reason: LimitReason;
  /** Of the policy that is closest to its limit, or has refused. */
  readonly limit: number;
  readonly remaining: number;
  readonly resetAt: Date;
  /** Milliseconds until the same request would fit in: exact, unless it waits for others to end; Infinity: never. 0 when allowed. */
  readonly retryAfterMs: number;
  readonly policy: string;
  readonly policies: readonly PolicyResult[];
  /** Gives back what this request used, and its leases. Safe to call twice. */
  refund(): Promise<void>;
  /** With a limit of what runs at a time: says that this request has ended. Safe to call twice. */
  release?(): Promise<void>;
}

/** The part of a result that says where the client stands. */
export type Standing = Omit<LimitResult, 'refund' | 'release' | 'reason' | 'allowed'>;

/** What is remembered of a refusal: with the next of its kind only the time that is left has changed. */
export interface Refusal {
  readonly reason: 'limit' | 'banned';
  readonly standing: Standing;
}

/** Reads a decision. Dates are on the clock of this process. */
export function toStanding(decision: Decision, policies: readonly Policy[], isTaken: boolean): Standing {
  const offsetMs = Date.now() - decision.clockUs / 1_000;
  const results = policies.map((policy, i) =>
    toPolicyResult(policy, decision.views[i] ?? UNKNOWN, {
      isTaken: isTaken && (decision.status === 'admitted' || policy.algorithm !== 'concurrency'),
      nowUs: decision.nowUs,
      offsetMs,
    }),
  );
  const tightest = tightestOf(results);
  return {
    limit: tightest?.limit ?? 0,
    remaining: tightest?.remaining ?? 0,
    resetAt: tightest?.resetAt ?? new Date(),
    policy: tightest?.name ?? '',
    retryAfterMs: toRetryAfterMs(decision),
    policies: results,
  };
}

const UNKNOWN: View = { fits: true, remaining: 0, retryAtUs: 0, resetAtUs: 0 };

interface Moment {
  readonly isTaken: boolean;
  readonly nowUs: number;
  /** What the clock of this process is ahead of the store's. */
  readonly offsetMs: number;
}

function toPolicyResult(policy: Policy, view: View, { isTaken, nowUs, offsetMs }: Moment): PolicyResult {
  const { name, limit, algorithm, windowUs, cost } = policy;
  const used = isTaken ? cost : 0;
  const remaining = Math.max(0, view.remaining - used);
  return {
    name,
    limit,
    remaining,
    used: Math.max(0, limit - remaining),
    resetAt: new Date(Math.ceil(offsetMs + resetAtUs(policy, view, used, nowUs) / 1_000)),
    isViolated: !view.fits,
    windowMs: algorithm === 'concurrency' ? undefined : windowUs / 1_000,
  };
}

function resetAtUs({ algorithm, windowUs, limit }: Policy, view: View, used: number, nowUs: number): number {
  if (used === 0 || algorithm === 'concurrency') return view.resetAtUs === 0 ? nowUs : view.resetAtUs;
  if (algorithm === 'sliding-window') return nowUs + windowUs;
  if (algorithm === 'fixed-window') return view.resetAtUs === 0 ? nowUs + windowUs : view.resetAtUs;
  return Math.max(view.resetAtUs, nowUs) + (limit > 0 ? (used * windowUs) / limit : 0);
}

function tightestOf(results: readonly PolicyResult[]): PolicyResult | undefined {
  if (results.length === 1) return results[0];
  const violated = results.filter(({ isViolated }) => isViolated);
  const candidates = violated.length > 0 ? violated : results;
  const share = ({ remaining, limit }: PolicyResult): number => (limit === 0 ? 0 : remaining / limit);
  return candidates.toSorted((a, b) => share(a) - share(b) || b.resetAt.getTime() - a.resetAt.getTime())[0];
}

/** All policies must fit at the same time: the latest of them says when. */
function toRetryAfterMs({ status, views, clockUs, bannedUntilUs }: Decision): number {
  if (status === 'admitted') return 0;
  if (views.some(({ retryAtUs }) => retryAtUs < 0)) return Infinity;
  return Math.max(0, bannedUntilUs - clockUs, ...views.map(({ retryAtUs }) => retryAtUs - clockUs)) / 1_000;
}
