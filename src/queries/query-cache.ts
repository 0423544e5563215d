import { type Duration, toTimerMs } from '../core/duration.ts';
import { ConfigError, QueryRefusedError, RedisError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import type { LoadContext, LoadOptions } from '../data/data-cache.ts';
import { bothTags } from '../data/typed-key.ts';
import type { Loads } from './loads.ts';
import { planOf, type Query } from './query-key.ts';
import { checkTenant, tagsOfChange, toTables } from './query-tags.ts';
import { type ChangeScope, noteChanges, type QueryTransaction } from './query-transaction.ts';
import { createSqlReader } from './sql.ts';
import { DIALECTS, type DialectName } from './sql-dialects.ts';

/** Options of {@link createQueries}. */
export interface QueriesOptions {
  /** Which server reads the statements. Knowing it, more spellings share an entry. Default: `any`, which is right for all of them. */
  readonly dialect?: DialectName | undefined;
  /** Changes are purged once more after so long, for queries that read from replicas lagging behind. Default: not. */
  readonly settle?: Duration | undefined;
}

/** How one query is run: `getOrSet`'s options, and these. */
export interface RunOptions<T = unknown> extends Omit<LoadOptions<T>, 'fresh'> {
  /** Past the cache: neither read nor stored. Default: false. */
  readonly skipCache?: boolean | undefined;
  /** Run anew whatever is cached, and then stored. Default: false. */
  readonly noCache?: boolean | undefined;
  /** Cached although it is not a query, or one whose result depends on more than its tables. Default: false. */
  readonly force?: boolean | undefined;
}

/** How a change is told. */
export interface ChangeOptions extends ChangeScope {
  /** Default: that of the query cache. */
  readonly settle?: Duration | undefined;
}

/** Runs the query. Its context is that of a loader; there is none where the cache is left out. */
export type Execute<T> = (context?: LoadContext<T>) => T | Promise<T>;

/** Results of database queries, kept until a table they were read from changes. */
export interface Queries {
  /**
   * The result of a query, from the cache or from `execute`. Errors of `execute` pass through. When Redis is away it runs.
   *
   * @throws {QueryRefusedError} When the statement changes something, or its result depends on more than tables and params, and `force` is not given.
   * @throws {ConfigError} When something is not named, or cannot be part of a key.
   */
  run<T>(query: Query, execute: Execute<T>, options?: RunOptions<T>): Promise<T>;
  /**
   * Drops every result that was read from these tables, in one round trip; one being computed is not stored. Call it after the commit.
   *
   * @throws {ConfigError} When no tables are named.
   * @throws {RedisError} When Redis did not confirm it. This process heeds it all the same, and writes it as soon as Redis can be reached.
   */
  changed(tables: string | readonly string[], options?: ChangeOptions): Promise<void>;
  /**
   * Runs `work`, which runs and commits a transaction of the database, and then drops what it noted by `tx.changed`. When `work` fails nothing is dropped. When Redis does not confirm it
   * the result is returned all the same, because the database has committed: see {@link Queries.changed}.
   */
  transaction<T>(work: (tx: QueryTransaction) => T | Promise<T>): Promise<T>;
}

/** What drops entries by tags. */
interface Invalidating {
  invalidate(what: { readonly tags: readonly string[] }): Promise<void>;
}

/**
 * Creates a query cache on a data cache (or a namespace of one) and what invalidates it.
 *
 * @throws {ConfigError} When an option is wrong.
 */
export function createQueries(data: Loads, invalidator: Invalidating, options: QueriesOptions = {}): Queries {
  checkOptions('createQueries', options, ['dialect', 'settle']);
  const { dialect = 'any', settle = 0 } = options;
  if (!Object.hasOwn(DIALECTS, dialect)) {
    throw new ConfigError(`dialect: write one of ${Object.keys(DIALECTS).join(', ')}.`);
  }
  const readSql = createSqlReader(dialect);
  const settleMs = toTimerMs(settle, 'settle');

  async function purge(tags: readonly string[], afterMs: number): Promise<void> {
    if (tags.length === 0) return;
    if (afterMs > 0) setTimeout(() => void invalidator.invalidate({ tags }).catch(() => undefined), afterMs).unref();
    await invalidator.invalidate({ tags });
  }

  return {
    async run(query, execute, { skipCache = false, noCache = false, force = false, tags, ...load } = {}) {
      const plan = planOf(query, readSql);
      if (skipCache) return execute();
      if (plan.refusal !== undefined && !force) throw new QueryRefusedError(plan.refusal);
      return data.getOrSet(plan.key, execute, { ...load, tags: bothTags(plan.tags, tags), fresh: noCache });
    },
    async changed(tables, scope = {}) {
      checkOptions('queries.changed', scope, ['tenant', 'settle']);
      checkTenant(scope.tenant);
      const tags = tagsOfChange(toTables(tables, 'queries.changed'), scope.tenant);
      await purge(tags, scope.settle === undefined ? settleMs : toTimerMs(scope.settle, 'settle'));
    },
    async transaction(work) {
      const { result, tags } = await noteChanges(work);
      await confirmed(purge(tags, settleMs));
      return result;
    },
  };
}

/** The database has committed: what Redis did not confirm is written when it is back, and the guard has told of it. */
async function confirmed(purge: Promise<void>): Promise<void> {
  try {
    await purge;
  } catch (error) {
    if (!(error instanceof RedisError)) throw error;
  }
}
