/**
 * A query cache for Prisma, as an extension: reads come from the cache, writes drop what was read from their model. Prisma's hook knows no SQL, so that operations are cached by name and arguments.
 *
 *   npx tsx examples/queries-prisma.ts        needs a Redis: REDIS_URL, else localhost:6379
 */
import { createRedis, createSuite } from '../src/index.ts'; // In your program: from 'express-redis-suite'
import { openDatabase, untilStored } from './queries/database.ts';
import { type Extension, prismaStyle } from './queries/prisma-style.ts';

const redis = createRedis();
const { queries, events, close } = createSuite({ redis, prefix: 'queries-prisma', deadline: '5s' });
const READS = /^(?:find|count|aggregate|groupBy)/;

/** Models that a query of one may show or filter by: its relations. A change of any of them drops it. */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  Order: ['Order', 'Customer'],
  Customer: ['Customer', 'Order'],
};

const cached: Extension = {
  query: {
    $allModels: {
      async $allOperations({ model, operation, args, query }) {
        const tables = TABLES[model] ?? [model];
        if (READS.test(operation)) {
          return queries.run({ operation: `${model}.${operation}`, params: args, tables }, () => query(args));
        }
        const result = await query(args);
        await queries.changed(model); // In a `$transaction` this is before the commit: see docs/queries.md.
        return result;
      },
    },
  },
};

const database = await openDatabase();
const prisma = prismaStyle(database).$extends(cached); // In your program: new PrismaClient().$extends(cached)
await queries.changed('Order'); // What an earlier run has left in Redis.

async function show(): Promise<void> {
  const orders = await untilStored(events, database, () => prisma.order.findMany({ where: {} }));
  console.log(`${JSON.stringify(orders)} after ${database.asked()} statements`);
}

await show();
await show();
await prisma.order.create({ data: { id: 3, total: 50 } });
await show();

await close();
redis?.disconnect();
