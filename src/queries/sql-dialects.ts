/** How a server finds the tokens of a text. Servers differ by version and by settings too, so that a dialect may have several. */
export interface Reading {
  /** Whether a backslash escapes the next character: in `E'…'` only, in all strings, or nowhere. */
  readonly backslash: 'never' | 'prefixed' | 'always';
  /** `$tag$…$tag$` is a string. */
  readonly dollarStrings?: boolean;
  /** `[…]` is a name. */
  readonly brackets?: boolean;
  /** `` `…` `` is a name. */
  readonly backticks?: boolean;
  /** `#` begins a comment. */
  readonly hashComments?: boolean;
  /** `--` begins a comment only before white space: `5--3` is 8. */
  readonly dashesNeedSpace?: boolean;
  /** A carriage return alone ends a `--` comment. */
  readonly returnsEndLines?: boolean;
  /** Block comments hold block comments. */
  readonly nestedComments?: boolean;
}

/** What does not count between two spellings of a statement. */
export interface Dialect {
  readonly readings: readonly Reading[];
  /** Words outside of quotes mean the same in upper and lower case, names of result columns included. */
  readonly foldsWords: boolean;
  /** A result column without a name of its own is called like its text, white space included. */
  readonly namesColumnsByText: boolean;
  /** `now ()` is another function than `now()`. */
  readonly spaceBeforeParenthesisCounts: boolean;
  /** USER without quotes is who is connected. */
  readonly hasUserKeyword: boolean;
  /** `@name` is a variable of the connection. Elsewhere it is a parameter. */
  readonly hasUserVariables: boolean;
}

const POSTGRES: Dialect = {
  readings: [
    { backslash: 'prefixed', dollarStrings: true, nestedComments: true, returnsEndLines: true },
    { backslash: 'always', dollarStrings: true, nestedComments: true, returnsEndLines: true }, // standard_conforming_strings = off
  ],
  foldsWords: true,
  namesColumnsByText: false,
  spaceBeforeParenthesisCounts: false,
  hasUserKeyword: true,
  hasUserVariables: false,
};

const MYSQL: Dialect = {
  readings: [
    { backslash: 'always', backticks: true, hashComments: true, dashesNeedSpace: true },
    { backslash: 'never', backticks: true, hashComments: true, dashesNeedSpace: true }, // sql_mode NO_BACKSLASH_ESCAPES
  ],
  foldsWords: false,
  namesColumnsByText: true,
  spaceBeforeParenthesisCounts: true,
  hasUserKeyword: false,
  hasUserVariables: true,
};

const SQLITE: Dialect = {
  readings: [{ backslash: 'never', brackets: true, backticks: true }],
  foldsWords: false,
  namesColumnsByText: true,
  spaceBeforeParenthesisCounts: false,
  hasUserKeyword: false,
  hasUserVariables: false,
};

const SQL_SERVER: Dialect = {
  readings: [
    { backslash: 'never', brackets: true, nestedComments: true },
    { backslash: 'never', brackets: true, nestedComments: true, returnsEndLines: true }, // not documented: both
  ],
  foldsWords: false,
  namesColumnsByText: false,
  spaceBeforeParenthesisCounts: false,
  hasUserKeyword: true,
  hasUserVariables: false,
};

/** Right for each of them: what one of them heeds counts. */
const ANY: Dialect = {
  readings: [POSTGRES, MYSQL, SQLITE, SQL_SERVER].flatMap(({ readings }) => readings),
  foldsWords: false,
  namesColumnsByText: true,
  spaceBeforeParenthesisCounts: true,
  hasUserKeyword: true,
  hasUserVariables: true,
};

/** What is known of each dialect, by the name that the option `dialect` takes. */
export const DIALECTS = { any: ANY, postgres: POSTGRES, mysql: MYSQL, sqlite: SQLITE, mssql: SQL_SERVER } as const;

/** Which server reads the statements; `any` is right for all of them. */
export type DialectName = keyof typeof DIALECTS;
