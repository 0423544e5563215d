import type { CacheStore } from '../cache/store.ts';

/** An adapter of the CacheStore port, as its contract sees it. */
export interface CacheStoreAdapter {
  /** A store with nothing in it. Called once for every test. */
  openStore(): CacheStore | Promise<CacheStore>;
  /** Two stores as two processes would have them, on one place with nothing in it. Left out where no two processes can share one. */
  openPair?(): readonly [CacheStore, CacheStore] | Promise<readonly [CacheStore, CacheStore]>;
  /** How far one store may be behind an invalidation by the other. Default: 0. */
  readonly maxStalenessMs?: number;
}
