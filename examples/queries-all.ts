/**
 * The examples of the query cache, one after another on one database.
 *
 *   npx tsx examples/queries-all.ts
 */
for (const example of ['pg', 'prisma', 'drizzle']) {
  console.log(`# ${example}`);
  await import(`./queries-${example}.ts`);
}
