/**
 * Queries of node-postgres (here PGlite, which takes the same) are cached until one of their tables changes: after the commit, in every process, and not when it is rolled back.
 *
 *   npx tsx examples/queries-pg.ts        needs a Redis: REDIS_URL, else localhost:6379
 */
import { cachedPg, createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'
import { openDatabase, untilStored } from './queries/database.ts';

interface Order {
  readonly id: number;
  readonly customer: string;
}

const database = await openDatabase();

// Two processes of your API, as it were: a connection and a suite each. This is no API and has time: hence the deadline.
const clients = [createRedis(), createRedis()];
const suites = clients.map((redis) =>
  createSuite({ redis, prefix: 'queries-pg', deadline: '5s', queries: { dialect: 'postgres' } }),
);

const readers = suites.map(({ queries, events }) => ({ db: cachedPg(queries, database), events }));
await suites[0]?.queries.changed(['orders', 'customers']); // What an earlier run has left in Redis.

async function show(when: string): Promise<void> {
  for (const [i, { db, events }] of readers.entries()) {
    const before = database.asked();
    const { rows } = await untilStored(events, database, () =>
      db.query<Order>(
        `SELECT orders.id, customers.name AS customer -- the comment makes no difference
           FROM orders JOIN customers ON customers.id = customer_id WHERE total > $1 ORDER BY orders.id`,
        [10],
        { tables: ['orders', 'customers'], ttl: '1h' },
      ),
    );
    const from = database.asked() > before ? 'the database' : 'the cache';
    console.log(
      `${when}, process ${i + 1}: ${rows.map(({ id, customer }) => `${id} ${customer}`).join(', ')} from ${from}`,
    );
  }
}

/** The transaction of the database stands inside: when it has resolved it is committed, and what has changed is dropped. */
async function addOrder(id: number, total: number): Promise<void> {
  await suites[0]?.queries.transaction((tx) =>
    database.postgres.transaction(async (sql) => {
      await sql.query('INSERT INTO orders VALUES ($1, 1, $2)', [id, total]);
      tx.changed('orders');
      const { rows } = await tx.run({ sql: 'SELECT sum(total)::int AS sum FROM orders', tables: ['orders'] }, () =>
        sql.query<{ sum: number }>('SELECT sum(total)::int AS sum FROM orders'),
      );
      if ((rows[0]?.sum ?? 0) > 100) throw new Error('Too much for today');
    }),
  );
}

await show('at first');
await show('once more');
await addOrder(3, 1_000).catch((error: Error) => console.log(`rolled back: ${error.message}`));
await show('after the rollback');
await addOrder(4, 15);
await show('after the commit');

for (const suite of suites) await suite.close();
for (const redis of clients) redis?.disconnect();
