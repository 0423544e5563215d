import type { Store } from 'express-session';

/** A store for express-session, as its contract sees it. */
export interface SessionStoreAdapter {
  /** A store with nothing in it. Called once for every test. */
  openStore(): Store | Promise<Store>;
  /** Two stores as two processes would have them, on one place with nothing in it. Left out where no two processes can share one. */
  openPair?(): readonly [Store, Store] | Promise<readonly [Store, Store]>;
}
