import type { Audience } from './audience.ts';
import type { Claim } from './claims.ts';
import type { StandardSchema } from './schema.ts';

/** A value that has been computed, and may be shared. */
export interface Computed {
  /** The value, as those get it who read it later. */
  take(schema: StandardSchema | undefined): unknown;
  /** Resolves when it is in the store, or will not be. */
  readonly written: Promise<boolean>;
  /** Whether no invalidation that is known here has hit it. */
  isValid(): boolean;
}

/** Those who share one computation. */
export interface Party {
  readonly audience: Audience;
  /** Absent until it begins. */
  claim?: Claim;
}
