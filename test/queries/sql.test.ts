import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { createSqlReader, type Statement } from '../../src/queries/sql.ts';
import { DIALECTS, type DialectName } from '../../src/queries/sql-dialects.ts';
import { readTokens, type Token } from '../../src/queries/sql-tokens.ts';

const NAMES = Object.keys(DIALECTS) as DialectName[];
const readers = Object.fromEntries(NAMES.map((name) => [name, createSqlReader(name)]));
const read = (sql: string, dialect: DialectName): Statement => readers[dialect]?.(sql) as Statement;
const isSame = (a: string, b: string, dialect: DialectName): boolean =>
  read(a, dialect).spelling === read(b, dialect).spelling;

/** Pieces between which white space may stand in any amount, and the ones that must have some on both sides. */
const words = fc.constantFrom('select', 'FROM', 'where', 'Orders', 'o', 'id', 'and', 'x1', '$1', '42', 'ärger');
const strings = fc
  .string({
    unit: fc.constantFrom('a', ' ', '  ', '-', '--', '/*', '*/', '#', '$', '"', '`', '[', ']', ';', '\n', "''"),
  })
  .map((text) => `'${text}'`);
const quoted = fc
  .string({ unit: fc.constantFrom('a', 'B', ' ', '--', '/*', "'", ';', '""') })
  .map((text) => `"${text}"`);
const separators = fc.constantFrom('(', ')', ',');
const spaces = fc
  .array(fc.constantFrom(' ', '\n', '\t', '\r\n', '/* ; */', '/**/', "/* it's */", '-- don\'t "\n'), { minLength: 1 })
  .map((parts) => ` ${parts.join('')} `);

describe('two spellings', () => {
  it.each(NAMES)('that differ in white space and comments are one statement to %s', (dialect) => {
    // Outside of a select list: what is in one names columns in MySQL and SQLite.
    const pieces = fc.array(fc.oneof(words, strings, quoted, separators), { minLength: 1, maxLength: 12 });
    const isSelect = /^select$/i;
    fc.assert(
      fc.property(pieces, fc.infiniteStream(spaces), fc.infiniteStream(spaces), (pieces, some, others) => {
        const spell = (gaps: Iterator<string>): string =>
          pieces
            .filter((piece) => !isSelect.test(piece))
            .map((piece) => `${piece}${String(gaps.next().value)}`)
            .join('');
        expect(read(spell(some), dialect).spelling).toBe(read(spell(others), dialect).spelling);
      }),
    );
  });

  it.each<[DialectName[], string, string]>([
    [NAMES, 'SELECT id, name FROM orders WHERE id=1', ' SELECT id,name\n  FROM orders -- those\n WHERE id = 1 ; '],
    [NAMES, 'SELECT a FROM t WHERE b IN (1, 2)', 'SELECT a FROM t WHERE b IN ( 1,2 )'],
    [NAMES, 'SELECT a FROM t WHERE b<=c', 'SELECT a FROM t WHERE b/**/<=/**/c'],
    [NAMES, 'SELECT a FROM t', "SELECT a FROM t /* traceparent='00-1' */"],
    [['postgres'], 'SELECT Id FROM Orders WHERE x = $1', 'select id from orders where X = $1'],
    [['postgres'], 'SELECT count(*) FROM t', 'SELECT count (*) FROM t'],
    [['postgres'], "SELECT a[1], E'\\'--' FROM t /* /* */ */", "SELECT a[1],  E'\\'--' FROM t"],
    [['mysql'], "SELECT a FROM t # it's\n WHERE b = 'it\\'s'", "SELECT a FROM t WHERE b = 'it\\'s'"],
    [['mssql', 'sqlite'], 'SELECT [a  b] FROM t', 'SELECT  [a  b]  FROM t'],
  ])('share an entry where they mean the same: %j %j', (dialects, a, b) => {
    for (const dialect of dialects) expect([dialect, isSame(a, b, dialect)]).toEqual([dialect, true]);
  });

  it.each<[DialectName[], string, string]>([
    [NAMES, "SELECT 'a b'", "SELECT 'a  b'"],
    [NAMES, "SELECT 'a'", "SELECT 'A'"],
    [NAMES, 'SELECT "Id" FROM t', 'SELECT "id" FROM t'],
    [NAMES, "SELECT 'a''b'", "SELECT 'a' 'b'"],
    [NAMES, "SELECT '/* x */'", "SELECT '/* y */'"],
    [NAMES, "SELECT '-- x'", "SELECT '-- y'"],
    [['mysql', 'sqlite', 'any'], 'SELECT `a  b` FROM t', 'SELECT `a b` FROM t'],
    [['postgres', 'mysql', 'any'], "SELECT E'\\' -- x'", "SELECT E'\\' -- y'"],
    [['postgres', 'any'], 'SELECT $$ -- x\n$$', 'SELECT $$ -- y\n$$'],
    [['postgres', 'any'], "SELECT $a$ ' -- x\n$a$", "SELECT $a$ ' -- y\n$a$"],
    [['sqlite', 'mssql', 'any'], 'SELECT [-- x\n] FROM t', 'SELECT [-- y\n] FROM t'],
    [NAMES, 'SELECT a FROM t WHERE b < @ c', 'SELECT a FROM t WHERE b <@ c'],
    [NAMES, 'SELECT a FROM t WHERE b < @c', 'SELECT a FROM t WHERE b<@c'],
    [NAMES, 'SELECT a FROM t WHERE b = 1 . 5', 'SELECT a FROM t WHERE b = 1.5'],
    [NAMES, 'SELECT a FROM t WHERE b = 1 e5', 'SELECT a FROM t WHERE b = 1e5'],
    [NAMES, 'SELECT /*+ SET_VAR(sql_mode=ANSI) */ a', 'SELECT a'],
    [NAMES, 'SELECT a FROM t WHERE x = :Id AND y = :id', 'SELECT a FROM t WHERE x = :id AND y = :Id'],
    [NAMES, 'SELECT a FROM t WHERE x = @Id', 'SELECT a FROM t WHERE x = @id'],
    ...['$(Id)', '$<Id>', '$[ Id ]', '$/Id/', '${ Id }', '${a.Id}', '(:...Ids)', ':a.Id', '@p.Id'].map(
      (name): [DialectName[], string, string] => [
        NAMES,
        `SELECT a FROM t WHERE x = ${name}`,
        `SELECT a FROM t WHERE x = ${name.toLowerCase()}`,
      ],
    ),
    [['postgres', 'mssql'], "SELECT /*+ /* */ ' */ 'a  b' --'\n", "SELECT /*+ /* */ ' */ 'a b' --'\n"],
    [['postgres'], "SELECT /*! /* */ ' */ 'A' --'\n FROM t", "SELECT /*! /* */ ' */ 'a' --'\n FROM t"],
    [['mysql', 'any'], 'SELECT t.order, a+ b FROM t', 'SELECT t.order, a +b FROM t'],
    [['mysql', 'any'], 'SELECT t.order, a  +  b FROM t', 'SELECT t.order, a + b FROM t'],
    [['mysql', 'any'], 'SELECT t.from, a /* x */ + b FROM t', 'SELECT t.from, a + b FROM t'],
    [['postgres'], 'SELECT a -- x\r+ 1', 'SELECT a -- y\r+ 2'],
    [['postgres', 'any'], "SELECT E'a'\n'b\\' -- x'", "SELECT E'a'\n'b\\' -- y'"],
    [['mysql', 'any'], "SELECT 'a\\' -- x'", "SELECT 'a\\' -- y'"],
    [['mysql', 'any'], "SELECT a # it's\n, 'b -- x'", "SELECT a # it's\n, 'b -- y'"],
    [['mysql', 'any'], 'SELECT 5--3', 'SELECT 5--4'],
    [['mysql', 'any'], 'SELECT now ()', 'SELECT now()'],
    [['mysql', 'sqlite', 'any'], 'SELECT a+1 FROM t', 'SELECT a + 1 FROM t'],
    [['mysql', 'sqlite', 'any'], 'SELECT coalesce(a,b) FROM t', 'SELECT coalesce(a, b) FROM t'],
    [['mysql', 'sqlite', 'any'], 'SELECT a IS DISTINCT FROM b+1 FROM t', 'SELECT a IS DISTINCT FROM b +1 FROM t'],
    [['mysql', 'sqlite', 'mssql', 'any'], 'SELECT Id FROM t', 'SELECT id FROM t'],
  ])('do not where they may mean two things: %j %j', (dialects, a, b) => {
    for (const dialect of dialects) expect([dialect, isSame(a, b, dialect)]).toEqual([dialect, false]);
  });

  it.each(NAMES)('with any difference inside of a literal are two statements to %s', (dialect) => {
    const literal = fc.string({ unit: fc.constantFrom('a', 'A', ' ', '\n', '-', '/*', '*/', '\\', '#', "''", '"') });
    const around = fc.constantFrom<[string, string]>(
      ["SELECT a FROM t WHERE b = '", "' AND c = 'x'"],
      ["SELECT a FROM t WHERE b IN ('", "') -- end"],
      ["SELECT a FROM t /* it's */ WHERE b = '", "'"],
    );
    fc.assert(
      fc.property(literal, literal, around, (one, other, [before, after]) => {
        fc.pre(one !== other);
        expect(isSame(before + one + after, before + other + after, dialect)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});

describe('any text', () => {
  const sqlish = fc
    .array(
      fc.oneof(
        words,
        separators,
        fc.constantFrom("'", '"', '`', '[', ']', '$$', '$a$', '--', '/*', '*/', '\n', '\r', ' ', '\\', "E'", '#', ';'),
        fc.constantFrom('<', '=', '>', '@', ':', '.', '+', '-', '*', '/', '?', '!', '/*!', '/*+', '\u00a0', '\ud800'),
      ),
      { maxLength: 14 },
    )
    .map((parts) => parts.join(''));

  it('is read without failing', () => {
    fc.assert(
      fc.property(fc.oneof(sqlish, fc.string({ unit: 'binary' })), fc.constantFrom(...NAMES), (sql, dialect) => {
        expect(typeof read(sql, dialect).spelling).toBe('string');
      }),
      { numRuns: 400 },
    );
  });

  it.each(NAMES)('never shares an entry with one that has other tokens, to %s', (dialect) => {
    const { readings, foldsWords } = DIALECTS[dialect];
    const fold = ({ kind, text }: Token): string => (foldsWords && kind === 'word' ? text.toLowerCase() : text);
    const textOf = (tokens: readonly Token[]): string => {
      const texts = tokens.map(fold);
      return JSON.stringify(texts.slice(0, texts.findLastIndex((text) => text !== ';') + 1));
    };
    /** Whether a server that can read both takes them for two things. */
    const differ = (one: string, other: string): boolean =>
      readings.some((reading) => {
        const both = [readTokens(one, reading), readTokens(other, reading)].filter((tokens) => tokens !== undefined);
        return new Set(both.map(textOf)).size === 2;
      });
    // Two texts a few edits apart are likelier to collide than any two.
    const edits = fc.constantFrom(' ', '\n', "'", '', '--', '/*', '*/', '<', '@', '\\', ';', '$', '/**/');
    fc.assert(
      fc.property(sqlish, fc.nat(40), fc.nat(4), edits, (sql, at, removed, insert) => {
        const other = sql.slice(0, at) + insert + sql.slice(at + removed);
        fc.pre(differ(sql, other));
        expect(isSame(sql, other, dialect)).toBe(false);
      }),
      { numRuns: 400 },
    );
  });

  it('is read whatever its length', () => {
    const long = `SELECT a FROM t WHERE b IN (${Array.from({ length: 3_000 }, (_, i) => `'${i}'`).join(', ')})`;
    for (const dialect of NAMES) expect(read(long, dialect).refusal).toBeUndefined();
    for (const dialect of NAMES)
      expect(read(`SELECT ${"'a'".repeat(3_000)}`, dialect).spelling).toContain('aa'.slice(1));
  });
});

describe('a statement', () => {
  it.each([
    'SELECT * FROM orders',
    '(SELECT a FROM t) UNION (SELECT b FROM u);',
    'WITH x AS (SELECT 1) SELECT * FROM x',
    "VALUES (1, 'now()')",
    'SELECT \'INSERT INTO t; now()\', "random", o.now, u.current_date FROM o -- FOR UPDATE\n',
    "SELECT substring(a FROM 2 FOR 3), replace(b, 'x', 'y'), insert(c, 1, 2, 'z') FROM t",
    "SELECT date('2026-01-01'), age_group FROM t WHERE word IN ('now', 'today')",
    'SELECT a AS current_date FROM t',
    'SELECT updated_at, "delete", t.update FROM t',
    'SELECT /*+ INDEX(t) */ a FROM t',
    "SELECT pg_typeof(a), to_char(b, 'now') FROM t",
  ])('that reads is cached: %s', (sql) => {
    for (const dialect of NAMES) expect([dialect, read(sql, dialect).refusal]).toEqual([dialect, undefined]);
  });

  it.each([
    ['', 'empty'],
    [' -- nothing\n', 'empty'],
    ['INSERT INTO t VALUES (1)', 'begins with INSERT'],
    ['update t set a = 1', 'begins with update'],
    ['DELETE FROM t', 'begins with'],
    ['CALL f()', 'begins with'],
    ['DO $$ BEGIN END $$', 'begins with'],
    ['MERGE INTO t USING u ON true WHEN MATCHED THEN DO NOTHING', 'begins with'],
    ['EXPLAIN ANALYZE DELETE FROM t', 'begins with'],
    ['WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x', 'DELETE changes data'],
    ['WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x', 'INSERT changes data'],
    ['WITH x AS (SELECT 1) UPDATE "t" SET a = 1', 'UPDATE changes data'],
    ['SELECT 1; DROP TABLE t', 'several statements'],
    ['SELECT 1 DELETE FROM t', 'DELETE changes data'],
    ['SELECT * INTO copy FROM t', 'SELECT INTO'],
    ['SELECT a FROM t FOR UPDATE', 'locks rows'],
    ['SELECT a FROM t FOR NO KEY UPDATE SKIP LOCKED', 'locks rows'],
    ['SELECT a FROM t FOR SHARE', 'locks rows'],
    ['SELECT a FROM t LOCK IN SHARE MODE', 'locks rows'],
    ['SELECT a FROM t WITH (UPDLOCK)', 'locks rows'],
    ['SELECT now()', 'now|NOW'],
    ['SELECT pg_catalog . now /* x */ ()', 'NOW'],
    ['SELECT a FROM t WHERE b > current_timestamp', 'CURRENT_TIMESTAMP'],
    ['SELECT a FROM t WHERE b > CURRENT_DATE - 7', 'CURRENT_DATE'],
    ['SELECT a FROM t ORDER BY random()', 'RANDOM'],
    ['SELECT a FROM t ORDER BY RAND ()', 'RAND'],
    ['SELECT gen_random_uuid()', 'UUID'],
    ['SELECT uuid_generate_v4()', 'UUID'],
    ['SELECT newid()', 'NEWID'],
    ["SELECT nextval('s')", 'NEXTVAL'],
    ['SELECT s.NEXTVAL FROM dual', 'NEXTVAL'],
    ['SELECT NEXT VALUE FOR s', 'sequence'],
    ['SELECT clock_timestamp()', 'CLOCK_TIMESTAMP'],
    ['SELECT pg_sleep(1)', 'PG_SLEEP'],
    ['SELECT pg_advisory_lock(1)', 'PG_ADVISORY'],
    ['SELECT sysdate FROM dual', 'SYSDATE'],
    ['SELECT getdate()', 'GETDATE'],
    ['SELECT age(born) FROM t', 'AGE'],
    ["SELECT 'now'::timestamp", 'clock'],
    ["SELECT a FROM t WHERE d = date 'today'", 'clock'],
    ["SELECT datetime('now', '-1 day')", 'clock'],
    ["SELECT strftime('%s', 'now')", 'clock'],
    ['SELECT date()', 'DATE'],
    ['SELECT a FROM t TABLESAMPLE SYSTEM (1)', 'TABLESAMPLE'],
    ['SELECT current_user', 'CURRENT_USER'],
    ["SELECT a FROM t WHERE o = current_setting('app.user')", 'CURRENT_SETTING'],
    ['SELECT a FROM t WHERE o = auth.uid()', 'UID'],
    ['SELECT @@autocommit', 'connection'],
    ['SELECT @a := 1', 'variable'],
    ["SELECT is_member('admins')", 'IS_MEMBER'],
    ["SELECT 'today 12:00'::timestamp", 'clock'],
    ["SELECT timestamp(0) 'now'", 'clock'],
    ["SELECT timestamptz E'now'", 'clock'],
    ["SELECT strftime('%s')", 'STRFTIME'],
    ["SELECT a FROM t WHERE ends > 'now'", 'clock'],
    ["SELECT a FROM t WHERE 'today'<=due", 'clock'],
    ['SELECT array_shuffle(a), array_sample(a, 1) FROM t', 'ARRAY_SHUFFLE'],
    ['SELECT SQL_CALC_FOUND_ROWS a FROM t', 'SQL_CALC_FOUND_ROWS'],
    ['SELECT a FROM t WHERE o = "current_setting"(\'app.user\')', 'CURRENT_SETTING'],
    ["SELECT 'open", 'no end'],
    ['SELECT /* open', 'no end'],
  ])('that does more, or says another thing each time, is not: %j', (sql, reason) => {
    for (const dialect of NAMES) expect(read(sql, dialect).refusal).toMatch(new RegExp(reason));
  });

  it('is refused when it is one to any server that it may be for', () => {
    expect(read("SELECT 1 /*! INTO OUTFILE 'x' */", 'any').refusal).toMatch('MySQL');
    expect(read("SELECT '\\', now(), '\\'", 'any').refusal).toMatch('NOW');
    expect(read('SELECT a # FROM t\n, now()', 'mysql').refusal).toMatch('NOW');
    expect(read('SELECT user', 'postgres').refusal).toMatch('USER');
    for (const dialect of ['any', 'mysql'] as const) {
      expect(read('SELECT a FROM t WHERE tenant = @tenant', dialect).refusal).toMatch('@tenant is a variable');
      expect(read('SELECT @`tenant`', dialect).refusal).toMatch('variable');
    }
    for (const dialect of ['mssql', 'sqlite', 'postgres'] as const) {
      expect(read('SELECT a FROM t WHERE tenant = @tenant', dialect).refusal).toBeUndefined();
    }
    expect(read('SELECT $$now$$::timestamp', 'postgres').refusal).toMatch('clock');
    expect(read('SELECT date("now")', 'sqlite').refusal).toMatch('clock');
    expect(read('SELECT name FROM user', 'mysql').refusal).toBeUndefined();
  });
});
