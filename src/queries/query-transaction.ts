import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { tagsOfChange, toTables, checkTenant } from './query-tags.ts';
import type { Query } from './query-key.ts';

/** Whose rows have changed. */
export interface ChangeScope {
  /** Only this tenant's rows. Default: anybody's. */
  readonly tenant?: string | undefined;
}

/** What a transaction of the database knows of the cache. */
export interface QueryTransaction {
  /**
   * Notes that rows of these tables change. Takes effect when the transaction has been committed.
   *
   * @throws {ConfigError} When no tables are named, or the transaction has ended.
   */
  changed(tables: string | readonly string[], scope?: ChangeScope): void;
  /**
   * Runs a query past the cache: a transaction reads its own writes and its own snapshot, and nobody else may.
   */
  run<T>(query: Query, execute: () => T | Promise<T>): Promise<T>;
  /** A transaction in this one, such as a savepoint. What it notes takes effect with the outer one, also where it fails itself: better one query too many than a stale one. */
  transaction<T>(work: (tx: QueryTransaction) => T | Promise<T>): Promise<T>;
}

/** Runs `work` and resolves its result and what it noted. When it fails nothing has changed. */
export async function noteChanges<T>(
  work: (tx: QueryTransaction) => T | Promise<T>,
): Promise<{ readonly result: T; readonly tags: readonly string[] }> {
  const noted = new Set<string>();
  let isOver = false;
  const tx: QueryTransaction = {
    changed(tables, scope = {}) {
      if (isOver) throw new ConfigError('tx.changed: the transaction has ended. Call queries.changed instead.');
      checkOptions('tx.changed', scope, ['tenant']);
      const { tenant } = scope;
      checkTenant(tenant);
      for (const tag of tagsOfChange(toTables(tables, 'tx.changed'), tenant)) noted.add(tag);
    },
    run: async (_query, execute) => execute(),
    transaction: async (inner) => inner(tx),
  };
  try {
    const result = await work(tx);
    return { result, tags: [...noted] };
  } finally {
    isOver = true;
  }
}
