/**
 * The examples of the query cache, one after another on one database.
 *
 *   npx tsx examples/queries-all.ts        needs a Redis: REDIS_URL, else localhost:6379
 */
for (const example of ['pg', 'prisma', 'drizzle']) {
  console.log(`# ${example}`);
  await import(`./queries-${example}.ts`);
}
