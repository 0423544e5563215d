import type { Ttl } from '../core/duration.ts';

/** What writers need of a data cache. */
export interface ValueCache {
  /** The value, or `undefined` when there is none. */
  get<T>(key: string): Promise<T | undefined>;
  /** Resolves whether it was stored. Where it was not, the former value is dropped as soon as Redis can be reached. */
  set(
    key: string,
    value: unknown,
    options?: { readonly ttl?: Ttl | undefined; readonly tags?: readonly string[] | undefined },
  ): Promise<boolean>;
  /** Rejects when it could not be confirmed; it is then tried again in the background. */
  delete(key: string): Promise<void>;
}
