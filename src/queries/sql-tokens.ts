import type { Reading } from './sql-dialects.ts';

/** One token of a statement. A `comparison` has no other operator's character beside it; a `mark` is any one character that is nothing else. */
export interface Token {
  readonly kind: 'word' | 'string' | 'name' | 'hint' | 'comparison' | 'mark';
  readonly text: string;
  /** White space and comments before it. */
  readonly gap: string;
}

type Span = Pick<Token, 'kind' | 'text'>;

// Beyond ASCII all characters are part of words, as servers have it that read bytes: a no-break space too.
const WORD = /\$\d+|[\w\u0080-\uffff][\w$\u0080-\uffff]*/y;
const SPACE = /[ \t\n\r\f\v]+/y;
const OPERATOR = /^[-+*/<>=~!@#%^&|`?:]$/;
const COMPARISON = /^(?:<=|>=|<>|!=|[<>=])$/;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;

/** The tokens of a statement; `undefined` when a string, name or comment in it has no end. */
export function readTokens(sql: string, reading: Reading): Token[] | undefined {
  const tokens: Token[] = [];
  for (let at = 0; ;) {
    const start = endOfGap(sql, at, reading);
    if (start === undefined) return undefined;
    if (start === sql.length) return withComparisons(tokens);
    const gap = sql.slice(at, start);
    const span = spanAt(sql, start, reading, continues(tokens, gap));
    if (span === undefined) return undefined;
    tokens.push({ ...span, gap });
    at = start + span.text.length;
  }
}

/** Operators that are comparisons in one piece. Where they end is seen here only: a comment may stand beside them. */
function withComparisons(tokens: readonly Token[]): Token[] {
  const found: Token[] = [];
  for (let i = 0; i < tokens.length;) {
    const end = endOfOperator(tokens, i);
    const run = tokens.slice(i, end);
    const text = run.length <= 2 ? run.map((token) => token.text).join('') : '';
    const [first] = run;
    if (first?.kind === 'mark' && COMPARISON.test(text)) found.push({ kind: 'comparison', text, gap: first.gap });
    else for (const token of run) found.push(token);
    i = end;
  }
  return found;
}

function endOfOperator(tokens: readonly Token[], start: number): number {
  let end = start + 1;
  if (!isOperator(tokens[start])) return end;
  while (isOperator(tokens[end]) && tokens[end]?.gap === '') end++;
  return end;
}

function isOperator(token: Token | undefined): boolean {
  return token?.kind === 'mark' && OPERATOR.test(token.text);
}

/** Whether a string here would have the escapes of `E'…'`: after the letter, and where it goes on behind white space. */
function continues(tokens: readonly Token[], gap: string): boolean {
  const last = tokens.at(-1);
  if (last?.kind === 'word') return gap === '' && /^e$/i.test(last.text);
  return last?.kind === 'string' && tokens.findLast(({ kind }) => kind !== 'string')?.text.toLowerCase() === 'e';
}

function spanAt(sql: string, at: number, reading: Reading, isPrefixed: boolean): Span | undefined {
  const first = sql.charAt(at);
  const escapes = reading.backslash === 'always' || (reading.backslash === 'prefixed' && isPrefixed);
  if (first === "'") return span('string', quotedAt(sql, at, first, escapes));
  if (first === '"') return span('name', quotedAt(sql, at, first, reading.backslash === 'always'));
  if (first === '`' && reading.backticks === true) return span('name', quotedAt(sql, at, first, false));
  if (first === '[' && reading.brackets === true) return span('name', quotedAt(sql, at, ']', false));
  if (first === '$' && reading.dollarStrings === true) {
    const tag = matchAt(DOLLAR_TAG, sql, at);
    if (tag !== undefined) return span('string', dollarStringAt(sql, at, tag));
  }
  if (first === '/' && isHint(sql, at)) {
    return span('hint', commentAt(sql, at, reading.nestedComments === true));
  }
  const word = matchAt(WORD, sql, at);
  if (word !== undefined) return { kind: 'word', text: word };
  return { kind: 'mark', text: first };
}

function span(kind: Token['kind'], text: string | undefined): Span | undefined {
  return text === undefined ? undefined : { kind, text };
}

/** From the quote at `at` to the one that ends it. A doubled one stands for itself. */
function quotedAt(sql: string, at: number, close: string, escapes: boolean): string | undefined {
  for (let i = at + 1; i < sql.length; i++) {
    const char = sql[i];
    if (escapes && char === '\\') i++;
    else if (char === close) {
      if (sql[i + 1] !== close) return sql.slice(at, i + 1);
      i++;
    }
  }
  return undefined;
}

/** Where white space and comments end; `undefined` when a comment does not. */
function endOfGap(sql: string, at: number, reading: Reading): number | undefined {
  let end = at;
  for (;;) {
    const before = end;
    end += matchAt(SPACE, sql, end)?.length ?? 0;
    if (isLineComment(sql, end, reading))
      end = endOfLine(sql, end, reading.returnsEndLines === true ? /[\n\r]/g : /\n/g);
    else if (sql.startsWith('/*', end) && !isHint(sql, end)) {
      const after = endOfComment(sql, end, reading.nestedComments === true);
      if (after === undefined) return undefined;
      end = after;
    }
    if (end === before) return end;
  }
}

function isLineComment(sql: string, at: number, reading: Reading): boolean {
  if (sql[at] === '#') return reading.hashComments === true;
  return sql.startsWith('--', at) && (reading.dashesNeedSpace !== true || sql.charAt(at + 2) <= ' ');
}

function endOfLine(sql: string, at: number, newline: RegExp): number {
  newline.lastIndex = at;
  return newline.exec(sql) === null ? sql.length : newline.lastIndex;
}

function endOfComment(sql: string, at: number, isNested: boolean): number | undefined {
  let depth = 0;
  for (let i = at; i < sql.length; i++) {
    const pair = sql.slice(i, i + 2);
    if (pair === '/*' && (isNested || depth === 0)) depth++;
    else if (pair === '*/') depth--;
    else continue;
    i++;
    if (depth === 0) return i + 1;
  }
  return undefined;
}

function commentAt(sql: string, at: number, isNested: boolean): string | undefined {
  const end = endOfComment(sql, at, isNested);
  return end === undefined ? undefined : sql.slice(at, end);
}

/** `/*+ … *\/` tells the planner something, `/*! … *\/` and `/*M! … *\/` are run by MySQL and MariaDB. */
function isHint(sql: string, at: number): boolean {
  return sql.startsWith('/*+', at) || sql.startsWith('/*!', at) || sql.startsWith('/*M!', at);
}

function dollarStringAt(sql: string, at: number, tag: string): string | undefined {
  const close = sql.indexOf(tag, at + tag.length);
  return close < 0 ? undefined : sql.slice(at, close + tag.length);
}

function matchAt(pattern: RegExp, sql: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(sql)?.[0];
}
