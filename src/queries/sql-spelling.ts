import type { Dialect } from './sql-dialects.ts';
import type { Token } from './sql-tokens.ts';

/** A pair of parentheses, or the statement. */
interface Level {
  /** Between SELECT and FROM. */
  isList: boolean;
  /** Inside an expression of such a list, where every character may be part of a column's name. */
  readonly isExpression: boolean;
}

/** Tokens by themselves, whatever stands beside them. */
const SEPARATORS = new Set(['(', ')', ',', ';']);

/**
 * One spelling for all that differ in nothing that counts. White space and comments become one blank; none where they stand beside a parenthesis, comma or comparison. Nothing else is taken
 * away, so that what the server tells apart stays apart.
 */
export function oneSpelling(tokens: readonly Token[], dialect: Dialect): string {
  const kept = dialect.namesColumnsByText ? gapsThatCount(tokens) : undefined;
  const parts = withoutLastSemicolons(tokens).map((token, i) => {
    const before = tokens[i - 1];
    const gap = kept?.has(token) === true ? token.gap : gapBetween(before, token, dialect);
    const folds = dialect.foldsWords && token.kind === 'word' && !isParameter(tokens, i);
    return gap + (folds ? token.text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()) : token.text);
  });
  return parts.join('');
}

function withoutLastSemicolons(tokens: readonly Token[]): readonly Token[] {
  return tokens.slice(0, tokens.findLastIndex(({ text }) => text !== ';') + 1);
}

function gapBetween(before: Token | undefined, token: Token, dialect: Dialect): '' | ' ' {
  if (before === undefined || token.gap === '') return '';
  if (dialect.spaceBeforeParenthesisCounts && token.text === '(' && before.kind !== 'mark') return ' ';
  return isLoose(before, token) || isLoose(token, before) ? '' : ' ';
}

/** Whether it cannot run into what stands beside it. `a < @b` and `a <@b` are two things. */
function isLoose({ kind, text }: Token, beside: Token): boolean {
  if (kind === 'comparison') return ['word', 'string', 'name'].includes(beside.kind);
  return kind === 'mark' && SEPARATORS.has(text);
}

/** `:Name`, `@Name`, `:...Name`, `${a.Name}`, `$(Name)` and the like are the caller's, and in its case. */
function isParameter(tokens: readonly Token[], index: number): boolean {
  let at = index;
  while (continuesPath(tokens, at)) at--;
  const before = tokens[at - 1];
  if (before?.text === '{') return true; // White space may stand in brackets.
  if (/^[(<[/]$/.test(before?.text ?? '')) return before?.gap === '' && tokens[at - 2]?.text === '$';
  return tokens[at]?.gap === '' && /^[:@$#?]$/.test(before?.text ?? '');
}

function continuesPath(tokens: readonly Token[], index: number): boolean {
  const [before, token] = [tokens[index - 1], tokens[index]];
  if (token?.gap !== '') return false;
  return before?.text === '.' || (token.text === '.' && before?.kind === 'word');
}

/** Tokens with a gap before them that may be part of the name of a result column. */
function gapsThatCount(tokens: readonly Token[]): Set<Token> {
  const found = new Set<Token>();
  const levels: Level[] = [{ isList: false, isExpression: false }];
  tokens.forEach((token, i) => {
    const level = levels.at(-1);
    if (level === undefined) return;
    const word = wordOf(token);
    const before = tokens[i - 1];
    if (endsList(word, before)) level.isList = false;
    if (level.isExpression || (level.isList && !isBorder(token) && !isBorder(before))) found.add(token);
    if (word === 'SELECT') level.isList = true;
    if (token.text === '(') levels.push({ isList: false, isExpression: level.isExpression || level.isList });
    if (token.text === ')' && levels.length > 1) levels.pop();
  });
  return found;
}

function endsList(word: string, before: Token | undefined): boolean {
  if (before?.text === '.') return false; // A column. MySQL has `t.order` without quotes.
  if (word === 'FROM') return wordOf(before) !== 'DISTINCT';
  return ['WHERE', 'INTO', 'UNION', 'EXCEPT', 'INTERSECT', 'ORDER', 'LIMIT'].includes(word);
}

/** What stands between the expressions of a list, and before the name that one is given. */
function isBorder(token: Token | undefined): boolean {
  return token === undefined || token.text === ',' || ['SELECT', 'AS'].includes(wordOf(token));
}

function wordOf(token: Token | undefined): string {
  return token?.kind === 'word' ? token.text.toUpperCase() : '';
}
