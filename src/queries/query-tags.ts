import { ConfigError } from '../core/errors.ts';

/** Tags of a query: its tables, and its tables as its tenant's, or as those of all tenants together. */
export function tagsOfQuery(tables: readonly string[], tenant: string | undefined): string[] {
  return tables.flatMap((table) => [`table:${table}`, narrowTag(table, tenant)]);
}

/** Tags of a change: of everybody's rows, or of one tenant's. What was read without a tenant shows the rows of them all, so that any tenant's change hits it. */
export function tagsOfChange(tables: readonly string[], tenant: string | undefined): string[] {
  return tables.flatMap((table) =>
    tenant === undefined ? [`table:${table}`] : [narrowTag(table, tenant), narrowTag(table, undefined)],
  );
}

/**
 * Tables in one spelling, each once. Case does not count: servers differ about it, and a change that hits too much costs a query while one that hits too little leaves it stale.
 *
 * @throws {ConfigError} When it is not a list of names.
 */
export function toTables(tables: unknown, where: string): string[] {
  const list: unknown = typeof tables === 'string' ? [tables] : tables;
  if (!Array.isArray(list) || !list.every((table) => typeof table === 'string' && table !== '')) {
    throw new ConfigError(`${where}: name the tables, such as ['orders'].`);
  }
  return [...new Set((list as string[]).map((table) => table.toLowerCase()))].toSorted();
}

/**
 * Checks a tenant. No text is refused: it is nobody, and all who forget theirs would share one.
 *
 * @throws {ConfigError} When there is one and it is not a text.
 */
export function checkTenant(tenant: unknown): void {
  if (tenant === undefined || (typeof tenant === 'string' && tenant !== '')) return;
  throw new ConfigError('tenant must be a text that is not empty. Leave it out where there are none.');
}

/** No name of a tenant has a colon in it once it is encoded, so that it cannot be spelled to reach into the next. */
function narrowTag(table: string, tenant: string | undefined): string {
  return `tenant:${tenant === undefined ? '' : encodeURIComponent(tenant.toWellFormed())}:table:${table}`;
}
