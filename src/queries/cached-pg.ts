import type { Queries, RunOptions } from './query-cache.ts';
import type { Query } from './query-key.ts';

/** What of a client is used: node-postgres' Client and Pool, PGlite, and others have it. */
export interface PgClient {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: unknown[] }>;
}

/** Which tables a query reads, and how it is kept. */
export type PgCaching = Pick<Query, 'tables' | 'tenant'> & RunOptions<PgRows<unknown>>;

/** Of a result its rows are kept. */
export interface PgRows<Row> {
  readonly rows: Row[];
}

/** A client whose queries are cached where it is said which tables they read. */
export interface CachedPg {
  query<Row>(text: string, values?: readonly unknown[], caching?: PgCaching): Promise<PgRows<Row>>;
}

/** Puts a query cache before a client in the style of node-postgres. */
export function cachedPg(queries: Queries, client: PgClient): CachedPg {
  return {
    async query<Row>(text: string, values: readonly unknown[] = [], caching?: PgCaching) {
      const execute = async (): Promise<PgRows<unknown>> => ({ rows: (await client.query(text, [...values])).rows });
      if (caching === undefined) return (await execute()) as PgRows<Row>;
      const { tables, tenant, ...options } = caching;
      const query: Query = { sql: text, params: values, tables, tenant, as: 'pg' };
      return (await queries.run<PgRows<unknown>>(query, execute, options)) as PgRows<Row>;
    },
  };
}
