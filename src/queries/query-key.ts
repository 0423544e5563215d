import { digest } from '../core/digest.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { type TextRules, typedText } from '../core/typed-text.ts';
import { checkTenant, tagsOfQuery, toTables } from './query-tags.ts';
import type { Statement } from './sql.ts';

const MAX_READABLE = 80;

/** Values of a statement's placeholders, in order or by name. */
export type QueryParams = readonly unknown[] | Readonly<Record<string, unknown>>;

interface QueryFields {
  /** Values of the placeholders. 1 and '1' are two queries; names may come in any order. */
  readonly params?: QueryParams | undefined;
  /** The tables whose rows it shows, those behind views and functions too. `changed` of one of them drops it. None: it depends on no table. */
  readonly tables: readonly string[];
  /** Whose rows it shows, where rows have owners: part of the key. */
  readonly tenant?: string | undefined;
  /** Tells apart what different functions make of one statement: its rows, or their count. Default: none. */
  readonly as?: string | undefined;
}

/** What is asked of the database: a statement in SQL, or the name of an operation (`Order.findMany`), with its values and the tables it reads. */
export type Query = QueryFields &
  ({ readonly sql: string; readonly operation?: undefined } | { readonly operation: string; readonly sql?: undefined });

const FIELDS = ['sql', 'operation', 'params', 'tables', 'tenant', 'as'];

/** A query as the cache knows it. */
export interface QueryPlan {
  readonly key: string;
  readonly tags: readonly string[];
  readonly refusal: string | undefined;
}

/**
 * The key and tags of a query: two have the same key if, and only if, they ask the same.
 *
 * @throws {ConfigError} When it is not said what is asked, of which tables, or with which values.
 */
export function planOf(query: Query, read: (sql: string) => Statement): QueryPlan {
  checkOptions('queries.run', query, FIELDS);
  const { params = [], tenant, as } = query;
  const text = textOf(query);
  const tables = toTables(query.tables, 'queries.run');
  checkTenant(tenant);
  const { spelling, refusal } = query.sql === undefined ? { spelling: text, refusal: undefined } : read(text);
  // The tables too: an entry that was stored under fewer would outlive a change of the others.
  const identity = typedText([query.sql === undefined, spelling, params, tables, tenant, as], RULES);
  const readable = tables.join('+').slice(0, MAX_READABLE).toWellFormed();
  return { key: `query:${readable}:${digest(identity)}`, tags: tagsOfQuery(tables, tenant), refusal };
}

function textOf({ sql, operation }: { readonly sql?: unknown; readonly operation?: unknown }): string {
  const text = sql ?? operation;
  if (typeof text === 'string' && text !== '' && (sql === undefined || operation === undefined)) return text;
  throw new ConfigError('queries.run: give either sql, a statement, or operation, the name of one that is not SQL.');
}

const RULES: TextRules = {
  refusal: (what) =>
    new ConfigError(`params: ${what} cannot be part of a key. Pass its text, or give its class toJSON().`),
  /** What an object is to the database: node-postgres asks for the one, and for the other where that is not there. */
  standIn(instance) {
    const { toPostgres, toJSON } = instance as { toPostgres?: unknown; toJSON?: unknown };
    if (typeof toPostgres === 'function')
      return { value: toPostgres.call(instance, (item: unknown) => item) as unknown };
    return typeof toJSON === 'function' ? { value: toJSON.call(instance) as unknown } : undefined;
  },
};
