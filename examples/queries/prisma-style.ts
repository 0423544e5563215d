/** Stands in for Prisma Client, which needs a generated package: models with operations, and `$extends` with a hook around each of them. */
import type { Database } from './database.ts';

/** What a hook of `$extends({ query: { $allModels: { $allOperations } } })` is given. */
interface Operation {
  readonly model: string;
  readonly operation: string;
  readonly args: {
    readonly where?: { readonly id?: number };
    readonly data?: { readonly id: number; readonly total: number };
  };
  query(args: Operation['args']): Promise<unknown>;
}

export interface PrismaStyle {
  readonly order: {
    findMany(args?: Operation['args']): Promise<unknown>;
    create(args: Operation['args']): Promise<unknown>;
  };
  $extends(extension: Extension): PrismaStyle;
}

export interface Extension {
  readonly query: { readonly $allModels: { $allOperations(operation: Operation): Promise<unknown> } };
}

export function prismaStyle(database: Database, hook: Hook = ({ query, args }) => query(args)): PrismaStyle {
  const call = (operation: string, args: Operation['args'], query: Operation['query']): Promise<unknown> =>
    hook({ model: 'Order', operation, args, query });
  return {
    order: {
      findMany: (args = {}) =>
        call('findMany', args, async ({ where }) => {
          const sql = 'SELECT id, total FROM orders WHERE id = coalesce($1, id) ORDER BY id';
          return (await database.query(sql, [where?.id ?? null])).rows;
        }),
      create: (args) =>
        call('create', args, async ({ data }) => {
          const sql = 'INSERT INTO orders VALUES ($1, 1, $2) RETURNING id, total';
          return (await database.query(sql, [data?.id, data?.total])).rows[0];
        }),
    },
    $extends: (extension) => prismaStyle(database, (operation) => extension.query.$allModels.$allOperations(operation)),
  };
}

type Hook = (operation: Operation) => Promise<unknown>;
