export { type CachedPg, cachedPg, type PgCaching, type PgClient, type PgRows } from './cached-pg.ts';
export {
  type ChangeOptions,
  createQueries,
  type Execute,
  type Queries,
  type QueriesOptions,
  type RunOptions,
} from './query-cache.ts';
export type { Query, QueryParams } from './query-key.ts';
export type { ChangeScope, QueryTransaction } from './query-transaction.ts';
export type { DialectName } from './sql-dialects.ts';
