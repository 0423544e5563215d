import { BACKEND_OPTIONS, type Backend, backendOf, type BackendOptions } from '../cache/backend.ts';
import { checkOptions } from '../core/options.ts';
import { createInvalidateAfter, type InvalidateAfter } from './invalidate-after.ts';
import { type Invalidation, isReclaimed, toPurges } from './purges.ts';
import { type Reclaimer, reclaimerOf } from './reclaim.ts';

export type { InvalidateAfter } from './invalidate-after.ts';

export type { ReclaimProgress } from '../cache/reclaim.ts';
export type { Affected, DryRun } from './dry-run.ts';
export type { Invalidation, InvalidationFields } from './purges.ts';
export type { ReclaimOptions } from './reclaim.ts';
export { defineGroups, type EntityEvent, type EntityRuleOptions, entityRules } from './rule-sets.ts';
export {
  createRules,
  defineRules,
  type Rule,
  type RuleOptions,
  type RuleResult,
  type Rules,
  type RuleSet,
} from './rules.ts';

/** Invalidates what the caches of one connection and prefix hold. */
export interface Invalidator {
  /**
   * Invalidates everything that is named, in one round trip, whether it is one entry or a million. Once it has resolved, no process serves what it hit, not
   * even what was being computed meanwhile (with `maxStaleness`: within that bound, and at once in this process).
   *
   * @throws {TypeError} When it names nothing, or not in the way it should be named.
   * @throws {RedisError} When Redis did not confirm it. This process heeds it all the same, and writes it as soon as Redis can be reached.
   */
  invalidate(what: Invalidation): Promise<void>;
  readonly invalidateAfter: InvalidateAfter;
  readonly reclaim: Reclaimer['reclaim'];
}

/** Creates the invalidator of a connection and prefix. */
export function createInvalidation(options: BackendOptions = {}): Invalidator {
  checkOptions('createInvalidation', options, BACKEND_OPTIONS);
  return createInvalidator(backendOf(options));
}

/** {@link createInvalidation} on a backend that is already there. */
export function createInvalidator(backend: Backend): Invalidator {
  const { register } = backend.store;
  const { reclaim, request } = reclaimerOf(backend);
  return {
    invalidateAfter: createInvalidateAfter(backend),
    reclaim,
    async invalidate(what) {
      const purges = toPurges(what);
      if (purges.length > 0) await register.invalidate(purges);
      if (isReclaimed(what)) request();
    },
  };
}
