import { SuiteError } from '../core/errors.ts';
import type { LiveSettings } from './live-settings.ts';
import type { Policy } from './policy.ts';
import { partOf, type PolicyConfig, toPolicy } from './policy-options.ts';
import type { LimitCall } from './store.ts';

/** What is the same for all clients that are judged by the same limits, at the same cost. */
interface Plan {
  readonly policies: readonly Policy[];
  /** Last parts of the keys, one per policy. */
  readonly parts: readonly string[];
  /** Policies and limits in one word, for comparing. */
  readonly limits: string;
}

/** Makes the plans of one limiter. */
export interface Planner {
  /** The policies with what was changed of them. */
  policies(): readonly PolicyConfig[];
  /**
   * The plan of a request.
   *
   * @throws {SuiteError} When a limit that depends on the client was not given.
   */
  plan(cost: number, limits: Readonly<Record<string, number>> | undefined, mode: LimitCall['mode']): Plan;
}

/** Plans that are kept: requests differ in few costs. */
const MAX_KEPT = 100;

/** Creates the planner of a limiter. */
export function createPlanner(configured: readonly PolicyConfig[], settings: LiveSettings): Planner {
  const kept = new Map<number, Plan>();
  let { changes } = settings;
  let current = changed();

  function changed(): readonly PolicyConfig[] {
    return configured.map((policy) => ({ ...policy, ...changes[policy.name] }));
  }

  function policies(): readonly PolicyConfig[] {
    if (changes !== settings.changes) {
      ({ changes } = settings);
      current = changed();
      kept.clear();
    }
    return current;
  }

  return {
    policies,
    plan(cost, limits, mode) {
      const configs = policies();
      const limitOf = (policy: PolicyConfig): number =>
        toLimit(policy, changes[policy.name]?.limit ?? limits?.[policy.name]);
      if (mode === 'charge')
        return toPlan(
          configs.filter(({ algorithm }) => algorithm !== 'concurrency'),
          cost,
          limitOf,
        );
      if (limits !== undefined) return toPlan(configs, cost, limitOf);
      const known = kept.get(cost);
      if (known !== undefined) return known;
      const plan = toPlan(configs, cost, limitOf);
      if (kept.size < MAX_KEPT) kept.set(cost, plan);
      return plan;
    },
  };
}

function toLimit({ name, limit }: PolicyConfig, given: number | undefined): number {
  const value = given ?? limit;
  if (value !== undefined) return value;
  throw new SuiteError('ERR_LIMIT_VALUE', `limits: say what the limit of "${name}" is for this client.`);
}

function toPlan(configs: readonly PolicyConfig[], cost: number, limitOf: (policy: PolicyConfig) => number): Plan {
  const policies = configs.map((each) => toPolicy(each, limitOf(each), cost));
  const parts = configs.map(partOf);
  const limits = policies.map(({ limit, detail }, i) => `${parts[i]}/${limit}/${detail}`).join();
  return { policies, parts, limits };
}
