/** A lock that this process holds, until it releases or loses it. It is renewed as long. */
export interface Lock {
  readonly name: string;
  /** Larger for each later holder of the name: what is written under the lock can be refused when it comes from a former one. */
  readonly fence: number;
  /** Aborted when the lock may not be held any more, though it was not released. */
  readonly lost: AbortSignal;
  /** Lets others have it. Resolves false when it was not held any more, or Redis did not confirm it: then it ends after its `ttlMs`. Never rejects. */
  release(): Promise<boolean>;
}

/**
 * Locks over all processes. The promise: while a holder's event loop runs, `lost` is aborted before anybody else can have the lock, because a holder counts from when it asked and to nine tenths of what
 * it asked for. A holder that was paused (a blocked event loop, a suspended machine) hears of it when it goes on, and another may have the lock since `ttlMs` after the last renewal: what must not
 * happen twice then needs the fence. A failover may lose a lock; its holder hears of it at its next renewal, after a third of `ttlMs`.
 */
export interface Locks {
  /**
   * Takes the lock of a name, for as long as it is held: `ttlMs` is how long it outlives a holder that has died. `undefined` when it is held already.
   *
   * @throws {RedisError} When that could not be found out.
   */
  tryAcquire(name: string, ttlMs: number): Promise<Lock | undefined>;
}
