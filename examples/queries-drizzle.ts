/**
 * Queries of a builder that tells its SQL, as Drizzle, Kysely and Knex do: `toSQL()` gives statement and params, `execute()` runs it.
 *
 *   npx tsx examples/queries-drizzle.ts        needs a Redis: REDIS_URL, else localhost:6379
 */
import { createRedis, createSuite, type RunOptions } from '../src/index.ts'; // In your program: from 'express-redis-suite'
import { openDatabase, untilStored } from './queries/database.ts';

/** What is used of a query of Drizzle: `db.select().from(orders)`. */
interface Built<T> {
  toSQL(): { readonly sql: string; readonly params: unknown[] };
  execute(): Promise<T>;
}

const redis = createRedis();
const { queries, events, close } = createSuite({
  redis,
  prefix: 'queries-drizzle',
  deadline: '5s',
  queries: { dialect: 'postgres' },
});

/** The whole adapter. */
function cached<T>(query: Built<T>, tables: readonly string[], options?: RunOptions<T>): Promise<T> {
  const { sql, params } = query.toSQL();
  return queries.run({ sql, params, tables }, () => query.execute(), options);
}

const database = await openDatabase();

/** Stands in for `db.select().from(orders).where(gt(orders.total, total))`. */
function ordersAbove(total: number): Built<unknown[]> {
  const built = {
    sql: 'select "id", "total" from "orders" where "orders"."total" > $1 order by "id"',
    params: [total],
  };
  return {
    toSQL: () => built,
    execute: async () => (await database.query(built.sql, built.params)).rows,
  };
}

async function show(total: number): Promise<void> {
  const orders = await untilStored(events, database, () => cached(ordersAbove(total), ['orders'], { ttl: '10m' }));
  console.log(`${JSON.stringify(orders)} after ${database.asked()} statements`);
}

await queries.changed('orders'); // What an earlier run has left in Redis.
await show(10);
await show(10);
await show(30);
await queries.transaction(async (tx) => {
  await database.query('update "orders" set "total" = 5 where "id" = 1');
  tx.changed('orders');
});
await show(10);

await close();
redis?.disconnect();
