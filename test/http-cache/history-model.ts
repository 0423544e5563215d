import * as fc from 'fast-check';
import type { Answer } from './support.ts';

/** Directives by name, with their argument in seconds. */
export type Directives = Readonly<Record<string, number | true>>;

/** How the handler of a URL answers until it is told otherwise. */
interface Script {
  readonly status: 200 | 404 | 503 | 'throw';
  readonly directives: Directives;
  /** Seconds. */
  readonly age: number;
  /** Whether the content depends on who asks, and what the response says of it. */
  readonly personal: 'no' | 'vary' | 'private' | 'unsaid';
  readonly isByLanguage: boolean;
  readonly etag: 'strong' | 'weak' | 'none';
  readonly takesRanges: boolean;
  readonly setsCookie: boolean;
  /** Turns of the event loop until it answers. */
  readonly delay: number;
}

/** A request as a client sends it. */
export interface Question {
  readonly page: number;
  readonly method: 'GET' | 'HEAD';
  readonly user: 'nobody' | 'alice' | 'bob' | 'carol';
  readonly language: 'de' | 'en';
  readonly condition: 'none' | 'known' | 'other' | 'any';
  readonly range: string | undefined;
  readonly directives: Directives;
}

export type Step =
  | { readonly kind: 'ask'; readonly script: Script | undefined; readonly questions: readonly Question[] }
  | { readonly kind: 'write'; readonly page: number; readonly method: 'PUT' | 'POST' }
  | {
      readonly kind: 'purge';
      readonly page: number;
      readonly by: 'tags' | 'urls' | 'prefix';
      readonly mode: 'hard' | 'soft';
      readonly meanwhile: readonly Question[];
    }
  | { readonly kind: 'change'; readonly page: number }
  | { readonly kind: 'wait' };

/** What a handler did: the truth that answers are held against. Ticks order what happens. */
export interface Run {
  readonly page: number;
  readonly version: number;
  readonly owner: string;
  readonly language: string;
  readonly script: Script;
  readonly isAuthorized: boolean;
  readonly question: number;
  readonly startedAt: number;
  /** Seconds on the clock that tests may put forward. */
  readonly time: number;
}

export interface Purge {
  readonly page: number;
  readonly mode: 'hard' | 'soft';
  readonly issuedAt: number;
  readonly resolvedAt: number;
}

/** An answer, and all that is known about it. */
export interface Evidence {
  readonly policy: 'app' | 'rfc9111';
  readonly question: Question;
  readonly sentAt: number;
  readonly time: number;
  readonly answer: Answer;
  /** The handler run that made what the client got. */
  readonly run: Run;
  /** It was made for this request. */
  readonly isOwn: boolean;
  /** A handler run for this request failed. */
  readonly hasFailed: boolean;
  readonly purges: readonly Purge[];
}

const LENGTH = 40;

/** The bytes of a page: no two pages, versions, owners or languages have the same. */
export function contentOf({ page, version, owner, language }: Omit<Run, 'script'> | Run): string {
  return `${page}.${version}.${owner}.${language}|`.repeat(LENGTH).slice(0, LENGTH);
}

/** Why an answer is wrong; `undefined` when nothing is. */
export function fault(evidence: Evidence): string | undefined {
  return wrongPerson(evidence) ?? wrongBytes(evidence) ?? (evidence.isOwn ? undefined : wrongReuse(evidence));
}

function wrongPerson({ question, run, answer, policy, isOwn }: Evidence): string | undefined {
  if (run.page !== question.page) return 'of another URL';
  if (run.owner !== 'all' && run.owner !== question.user) return `of ${run.owner}`;
  if (run.language !== 'any' && run.language !== question.language) return 'of another language';
  if (policy === 'app' && !isOwn && answer.headers['set-cookie'] !== undefined) return "with another's cookie";
  return undefined;
}

function wrongBytes({ question, run, answer }: Evidence): string | undefined {
  const whole = contentOf(run);
  const { status, text, headers, isComplete } = answer;
  if (!isComplete) return 'cut off';
  if (question.method === 'HEAD' || status === 304)
    return text === '' ? wrongValidator(question, answer) : 'with a body';
  if (status === 200) return text === whole ? undefined : `bytes ${text}`;
  if (status !== 206) return undefined;
  const [, first, last, length] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers['content-range'] ?? '') ?? [];
  const isRight = text === whole.slice(Number(first), Number(last) + 1) && Number(length) === LENGTH && text !== '';
  return isRight && question.range !== undefined ? undefined : `part ${headers['content-range']} ${text}`;
}

function wrongValidator({ condition }: Question, { status, headers }: Answer): string | undefined {
  if (status !== 304) return undefined;
  const isAsked = condition === 'any' || (condition === 'known' && headers.etag !== undefined);
  return isAsked ? undefined : '304 to who has another';
}

/** RFC 9111 §3 and §4, RFC 5861: whether this client may get what was made for another request. */
function wrongReuse(evidence: Evidence): string | undefined {
  const { policy, run, question, answer, sentAt, purges } = evidence;
  const { directives: said, status, setsCookie } = run.script;
  for (const { mode, page, issuedAt, resolvedAt } of purges) {
    if (mode === 'hard' && page === run.page && resolvedAt < sentAt && run.startedAt < issuedAt) return 'purged before';
  }
  if ('no-store' in said || 'private' in said || run.script.personal === 'private') return 'not to be stored';
  if (policy === 'app' && ('no-cache' in said || setsCookie || status === 503)) return 'not to be stored here';
  if (
    policy === 'rfc9111' &&
    run.isAuthorized &&
    !['public', 'must-revalidate', 's-maxage'].some((name) => name in said)
  ) {
    return 'of a request with Authorization';
  }
  const asked = policy === 'rfc9111' ? question.directives : {};
  if ('no-cache' in asked || 'no-store' in asked) return 'not asked for';
  // One question to the handler was asked for all who waited.
  if (String(answer.headers['cache-status']).includes('collapsed')) return undefined;
  return mayBeUsed(evidence, asked) ? undefined : 'past its allowed staleness';
}

function mayBeUsed({ policy, run, time, sentAt, purges, hasFailed }: Evidence, asked: Directives): boolean {
  const { directives: said, age } = run.script;
  const lifetime = seconds(said, 's-maxage') ?? seconds(said, 'max-age') ?? 0;
  const ageNow = age + time - run.time;
  const isPurged = purges.some(
    ({ page, issuedAt, resolvedAt }) => page === run.page && resolvedAt < sentAt && run.startedAt < issuedAt,
  );
  const isFresh = ageNow < lifetime && !isPurged && !('no-cache' in said);
  if (isFresh && hasFailed) return true;
  if (ageNow > (seconds(asked, 'max-age') ?? Infinity) && !hasFailed) return false;
  if (isFresh) return lifetime - ageNow >= (seconds(asked, 'min-fresh') ?? 0);
  if (['no-cache', 'must-revalidate', 'proxy-revalidate'].some((name) => name in said)) return false;
  const isUndeclared = 's-maxage' in said;
  if (isPurged && ageNow < lifetime) return true;
  const staleFor = [seconds(said, 'stale-while-revalidate') ?? 0];
  if (!isUndeclared) staleFor.push(seconds(asked, 'max-stale') ?? 0);
  if (hasFailed) staleFor.push(seconds(said, 'stale-if-error') ?? 0);
  if (hasFailed && policy === 'rfc9111' && !isUndeclared) staleFor.push(Infinity);
  return ageNow - lifetime < Math.max(...staleFor);
}

function seconds(directives: Directives, name: string): number | undefined {
  const value = directives[name];
  return typeof value === 'number' ? value : undefined;
}

const seldom = <T, U>(usual: T, ...others: U[]): fc.Arbitrary<T | U> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(usual) }, { weight: 2, arbitrary: fc.constantFrom(...others) });

/** Times are such that no real delay of a few seconds decides anything. */
const said: fc.Arbitrary<Directives> = fc
  .tuple(
    fc.constantFrom<Directives>(
      { 'max-age': 3600 },
      { 'max-age': 20 },
      { 'max-age': 0 },
      { 's-maxage': 20 },
      { 's-maxage': 3600 },
      {},
    ),
    seldom<Directives, Directives>({}, { 'stale-while-revalidate': 25 }, { 'stale-while-revalidate': 600 }),
    seldom<Directives, Directives>({}, { 'stale-if-error': 25 }, { 'stale-if-error': 600 }),
    seldom<Directives, Directives>({}, { 'no-store': true }, { private: true }, { 'no-cache': true }, { public: true }),
    seldom<Directives, Directives>({}, { 'must-revalidate': true }, { 'proxy-revalidate': true }),
  )
  .map((parts) => Object.assign({}, ...parts) as Directives);

const script: fc.Arbitrary<Script> = fc
  .record<Script>({
    status: fc.constantFrom<Script['status'][]>(200, 200, 200, 404, 503, 'throw'),
    directives: said,
    age: seldom(0, 40, 5_000),
    personal: seldom('no' as const, 'vary' as const, 'private' as const, 'unsaid' as const),
    isByLanguage: fc.boolean(),
    etag: fc.constantFrom('strong', 'strong', 'weak', 'none'),
    takesRanges: fc.boolean(),
    setsCookie: seldom(false, true),
    delay: fc.nat(2),
  })
  // Who calls a personal page public has nobody else to blame.
  .map(({ directives, ...made }) => {
    const said = made.personal === 'no' ? directives : withoutPublic(directives);
    return Object.assign(made, { directives: said });
  });

function withoutPublic({ public: _public, ...others }: Directives): Directives {
  return others;
}

const question: fc.Arbitrary<Question> = fc.record<Question>({
  page: fc.nat(1),
  method: seldom('GET' as const, 'HEAD' as const),
  user: fc.constantFrom('nobody', 'alice', 'bob', 'carol'),
  language: fc.constantFrom('de', 'en'),
  condition: seldom('none' as const, 'known' as const, 'other' as const, 'any' as const),
  range: seldom(undefined, 'bytes=0-9', 'bytes=5-24', 'bytes=10-', 'bytes=-15', 'bytes=99-'),
  directives: seldom<Directives, Directives>(
    {},
    ...([
      { 'no-cache': true },
      { 'no-store': true },
      { 'max-age': 0 },
      { 'max-age': 30 },
      { 'max-stale': 100 },
      { 'min-fresh': 100 },
      { 'only-if-cached': true },
    ] as Directives[]),
  ),
});

const questions = fc.oneof(
  fc.array(question, { minLength: 1, maxLength: 4 }),
  fc.tuple(question, fc.integer({ min: 2, max: 4 })).map(([one, count]) => Array.from({ length: count }, () => one)),
);
const page = fc.nat(1);

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      script: fc.option(script, { nil: undefined }),
      questions,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      page,
      method: fc.constantFrom('PUT' as const, 'POST' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('purge' as const),
      page,
      by: fc.constantFrom('tags' as const, 'urls' as const, 'prefix' as const),
      mode: fc.constantFrom('hard' as const, 'soft' as const),
      meanwhile: fc.array(question, { maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('change' as const), page }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'wait' as const }) },
);
