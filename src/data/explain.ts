/** What is known about one key. */
export interface Explanation {
  /** `fresh`: returned. `stale`: past its lifetime or softly purged, returned only in place of a failed or slow load. `invalid`: an invalidation has hit it. */
  readonly state: 'fresh' | 'stale' | 'invalid' | 'absent' | 'unavailable';
  /** In words. */
  readonly reason: string;
  /** Where it was found. */
  readonly tier: 'memory' | 'redis' | undefined;
  readonly ageMs?: number;
  /** How long it is still fresh; below 0 since when it is not. */
  readonly ttlMs?: number;
  readonly tags?: readonly string[];
  /** Bytes of the stored value. */
  readonly bytes?: number;
  /** How long loading it took. */
  readonly computeMs?: number;
  readonly validator?: string | undefined;
  /** The invalidations that hit it, newest first: `tag product:7`. */
  readonly invalidatedBy?: readonly string[];
}
