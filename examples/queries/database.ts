/** What the examples of the query cache share: PostgreSQL inside this process (PGlite), with two tables, and a count of the statements it was asked. */
import { once, type EventEmitter } from 'node:events';
import { PGlite } from '@electric-sql/pglite';

const SCHEMA = `
  DROP TABLE IF EXISTS orders, customers;
  CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
  CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, total int NOT NULL);
  INSERT INTO customers VALUES (1, 'Ada'), (2, 'Ben');
  INSERT INTO orders VALUES (1, 1, 20), (2, 2, 35);`;

export interface Database {
  readonly postgres: PGlite;
  /** A client as node-postgres has it: `new Pool().query` takes and gives the same. */
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  /** How often `query` was asked. */
  asked(): number;
}

let server: Promise<PGlite> | undefined;

/** The database as it is at first. One server a process: starting it takes seconds. */
export async function openDatabase(): Promise<Database> {
  server ??= PGlite.create();
  const postgres = await server;
  await postgres.exec(SCHEMA);
  let asked = 0;
  return {
    postgres,
    query(text, values) {
      asked++;
      return postgres.query(text, values);
    },
    asked: () => asked,
  };
}

/** Does it, and waits until what it read from the database is stored, which happens behind the answer. */
export async function untilStored<T>(events: EventEmitter, database: Database, work: () => Promise<T>): Promise<T> {
  const stored = once(events, 'cache:store');
  const before = database.asked();
  const result = await work();
  if (database.asked() > before) await stored;
  return result;
}
