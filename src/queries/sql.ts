import { LRUCache } from 'lru-cache';
import { type Dialect, DIALECTS, type DialectName } from './sql-dialects.ts';
import { refusalOf } from './sql-refusals.ts';
import { oneSpelling } from './sql-spelling.ts';
import { readTokens, type Token } from './sql-tokens.ts';

const MAX_REMEMBERED = 1_000;
const MAX_REMEMBERED_LENGTH = 10_000;

/** What is known of a statement from its text. */
export interface Statement {
  /** The same for all spellings that mean the same, as far as that can be told for sure. */
  readonly spelling: string;
  /** Why its result should not be kept; `undefined` when nothing speaks against it. */
  readonly refusal: string | undefined;
}

/** Reads statements, and remembers what it has read: programs have few, and run them often. Never throws. */
export function createSqlReader(dialectName: DialectName): (sql: string) => Statement {
  const dialect = DIALECTS[dialectName];
  const known = new LRUCache<string, Statement>({ max: MAX_REMEMBERED });
  return (sql) => {
    const found = known.get(sql);
    if (found !== undefined) return found;
    const statement = readStatement(sql, dialect);
    if (sql.length <= MAX_REMEMBERED_LENGTH) known.set(sql, statement);
    return statement;
  };
}

/** Where servers read a text differently, no spelling but its own can be trusted, and what any of them would refuse is refused. */
function readStatement(sql: string, dialect: Dialect): Statement {
  const readings = dialect.readings.map((reading) => readTokens(sql, reading)).filter((tokens) => tokens !== undefined);
  const [tokens, ...others] = readings;
  if (tokens === undefined) return { spelling: exactly(sql), refusal: 'a string, name or comment in it has no end' };
  const isClear = others.every((other) => isSame(tokens, other));
  return {
    spelling: isClear ? oneSpelling(tokens, dialect) : exactly(sql),
    refusal: readings.map((reading) => refusalOf(reading, dialect)).find((reason) => reason !== undefined),
  };
}

function isSame(some: readonly Token[], others: readonly Token[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ kind, text, gap }, i) => {
      const other = others[i];
      return other?.kind === kind && other.text === text && other.gap === gap;
    })
  );
}

/** As no spelling of tokens begins. */
function exactly(sql: string): string {
  return ` ${sql}`;
}
