import { LOCKS_OF_SQL_SERVER, UNSTABLE_FUNCTION, UNSTABLE_WORDS } from './sql-unstable.ts';
import type { Dialect } from './sql-dialects.ts';
import type { Token } from './sql-tokens.ts';

const READS = /^(?:SELECT|WITH|VALUES|TABLE)$/;
const WRITES = /^(?:INSERT|UPDATE|DELETE|MERGE|REPLACE|TRUNCATE|CREATE|ALTER|DROP|GRANT|EXEC|EXECUTE|CALL)$/;
const DATE_FUNCTIONS = /^(?:DATE|TIME|DATETIME|JULIANDAY|UNIXEPOCH|STRFTIME|TIMEDIFF)$/;
const TIME_TYPES = /^(?:DATE|TIME|TIMESTAMP|TIMESTAMPTZ|TIMETZ|ZONE)$/;
const MOMENTS = /^(?:['"]|\$\w*\$)\s*(?:now|today|tomorrow|yesterday)(?!\w)/i;

/** A statement's tokens, and beside them its words in upper case; no text where a token is none. */
interface Text {
  readonly tokens: readonly Token[];
  readonly words: readonly string[];
  readonly dialect: Dialect;
}

type Check = (text: Text, index: number) => string | undefined;

const CHECKS_OF_WORDS: readonly Check[] = [write, into, lock, unstableFunction, unstableWord];
const CHECKS_OF_OTHERS: readonly Check[] = [another, executable, variable, moment, quotedFunction];

/** Why the result of a statement should not be kept; `undefined` when nothing speaks against it. Strings, quoted names and comments are not looked into. */
export function refusalOf(tokens: readonly Token[], dialect: Dialect): string | undefined {
  const words = tokens.map(({ kind, text }) => (kind === 'word' ? text.toUpperCase() : ''));
  const first = tokens.findIndex(({ text }) => text !== '(');
  if (first < 0) return 'it is empty';
  if (!READS.test(words[first] ?? ''))
    return `it begins with ${tokens[first]?.text.slice(0, 40)}, which is not a query`;
  const text: Text = { tokens, words, dialect };
  for (let i = 0; i < tokens.length; i++) {
    for (const check of words[i] === '' ? CHECKS_OF_OTHERS : CHECKS_OF_WORDS) {
      const reason = check(text, i);
      if (reason !== undefined) return reason;
    }
  }
  return undefined;
}

function another({ tokens }: Text, i: number): string | undefined {
  const next = tokens[i + 1]?.text ?? ';';
  return tokens[i]?.text === ';' && next !== ';' ? 'there are several statements' : undefined;
}

function executable({ tokens }: Text, i: number): string | undefined {
  const token = tokens[i];
  return token?.kind === 'hint' && !token.text.startsWith('/*+') ? 'MySQL runs what is in /*! … */' : undefined;
}

/** A write may stand in a CTE, after one, and in SQL Server anywhere. Function and column names are followed by other things than writes are. */
function write(text: Text, i: number): string | undefined {
  if (!WRITES.test(bareWord(text, i)) || text.words[i - 1] === 'FOR') return undefined;
  const next = text.tokens[i + 1];
  const isFollowed = next?.kind === 'word' || next?.kind === 'name' || next?.text === '#' || next?.text === '@';
  return isFollowed ? `${text.words[i]} changes data` : undefined;
}

function into(text: Text, i: number): string | undefined {
  return bareWord(text, i) === 'INTO' ? 'SELECT INTO stores its result' : undefined;
}

function lock(text: Text, i: number): string | undefined {
  const word = bareWord(text, i);
  const next = text.words[i + 1] ?? '';
  const isLock = (word === 'FOR' && /^(?:UPDATE|SHARE|NO|KEY)$/.test(next)) || (word === 'LOCK' && next === 'IN');
  if (isLock) return `${word} ${next} locks rows`;
  return LOCKS_OF_SQL_SERVER.has(word) ? `${word} locks rows` : undefined;
}

function unstableFunction({ tokens, words }: Text, i: number): string | undefined {
  if (tokens[i + 1]?.text !== '(') return undefined;
  const word = words[i] ?? '';
  // strftime has its format first.
  const end = tokens[word === 'STRFTIME' ? i + 3 : i + 2]?.text;
  const isNow = DATE_FUNCTIONS.test(word) && end === ')';
  const isAuth = words[i - 2] === 'AUTH' && tokens[i - 1]?.text === '.';
  return isNow || isAuth || UNSTABLE_FUNCTION.test(word) ? `${word}() is not the same each time` : undefined;
}

/** Libraries quote names of functions too. */
function quotedFunction({ tokens }: Text, i: number): string | undefined {
  const { kind, text = '' } = tokens[i] ?? {};
  if (kind !== 'name' || tokens[i + 1]?.text !== '(') return undefined;
  const word = text.slice(1, -1).toUpperCase();
  return UNSTABLE_FUNCTION.test(word) ? `${word}() is not the same each time` : undefined;
}

function unstableWord(text: Text, i: number): string | undefined {
  const { tokens, words, dialect } = text;
  const word = bareWord(text, i);
  const isSequence = /^(?:NEXTVAL|CURRVAL)$/.test(words[i] ?? '') && tokens[i - 1]?.text === '.';
  if (isSequence || (word === 'NEXT' && words[i + 1] === 'VALUE')) return 'NEXTVAL moves a sequence';
  const isUser = word === 'USER' && dialect.hasUserKeyword && tokens[i + 1]?.text !== '.';
  return isUser || UNSTABLE_WORDS.has(word)
    ? `${word} is not the same each time, or not for each connection`
    : undefined;
}

/** MySQL's `@@autocommit`, `@a` and `@a := 1`. */
function variable({ tokens, dialect }: Text, i: number): string | undefined {
  if (tokens[i]?.text !== '@') return undefined;
  const next = tokens[i + 1];
  if (next?.text === '@' && next.gap === '') return '@@ reads a setting of the connection';
  if (dialect.hasUserVariables && next?.gap === '' && ['word', 'name', 'string'].includes(next.kind)) {
    return `@${next.text} is a variable of the connection`;
  }
  return tokens[i + 2]?.text === ':' && tokens[i + 3]?.text === '=' ? ':= sets a variable' : undefined;
}

/** `'now'::timestamp`, `date 'today'`, `ends > 'now'`, SQLite's `datetime('now')`: text that a clock is read for. */
function moment(text: Text, i: number): string | undefined {
  const { tokens, words } = text;
  const { kind, text: found = '' } = tokens[i] ?? {};
  if ((kind !== 'string' && kind !== 'name') || !MOMENTS.test(found)) return undefined;
  const opening = tokens.slice(0, i).findLastIndex(({ text: before }) => before === '(');
  const isCast = tokens[i + 1]?.text === ':' || words[i + 1] === 'AS' || TIME_TYPES.test(typeBefore(text, i));
  const isCompared = [tokens[i - 1], tokens[i + 1]].some((beside) => /^[<>]=?$/.test(beside?.text ?? ''));
  const isRead = DATE_FUNCTIONS.test(words[opening - 1] ?? ''); // SQLite takes "now" for a text, too.
  return isRead || ((isCast || isCompared) && kind === 'string') ? `${found} reads the clock` : undefined;
}

/** The type before a literal: of `timestamp(0) E'…'` its first word. */
function typeBefore({ tokens, words }: Text, i: number): string {
  let at = words[i - 1] === 'E' ? i - 2 : i - 1;
  if (tokens[at]?.text === ')' && tokens[at - 2]?.text === '(') at -= 3;
  return words[at] ?? '';
}

/** A word that is neither a column behind a point nor a name behind AS. */
function bareWord({ tokens, words }: Text, i: number): string {
  return tokens[i - 1]?.text === '.' || words[i - 1] === 'AS' ? '' : (words[i] ?? '');
}
