import { BACKEND_OPTIONS, type Backend, backendOf, type BackendOptions } from '../cache/backend.ts';
import { checkOptions } from '../core/options.ts';
import { createInvalidateAfter, type InvalidateAfter } from './invalidate-after.ts';
import { type Invalidation, toPurges } from './purges.ts';

export type { InvalidateAfter } from './invalidate-after.ts';

export type { Invalidation, InvalidationFields } from './purges.ts';

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
}

/** Creates the invalidator of a connection and prefix. */
export function createInvalidation(options: BackendOptions = {}): Invalidator {
  checkOptions('createInvalidation', options, BACKEND_OPTIONS);
  return createInvalidator(backendOf(options));
}

/** {@link createInvalidation} on a backend that is already there. */
export function createInvalidator(backend: Backend): Invalidator {
  const { register } = backend.store;
  return {
    invalidateAfter: createInvalidateAfter(backend),
    async invalidate(what) {
      const purges = toPurges(what);
      if (purges.length > 0) await register.invalidate(purges);
    },
  };
}
