import { expect, it } from '@jest/globals';
import { verdict } from '../support.ts';
import { everywhere, expected, fateOf, from, httpDate, optionsOf, type Row, setAll } from './support.ts';

const OLD = { app: 'refused', rfc9111: 'stale' } as const;
const FRESH = { both: 'hit' } as const;
const REFUSED = { both: 'refused' } as const;

const RESPONSE: readonly Row[] = [
  { rule: '§5.2 a name in another case', cc: 'MAX-AGE=60', ...FRESH },
  { rule: '§5.2 names over two lines', headers: { 'Cache-Control': ['public', 'max-age=60'] }, ...FRESH },
  { rule: '§5.2 blanks and empty members', cc: ' ,, max-age=60\t, ,', ...FRESH },
  { rule: '§5.2 arguments of unknown directives', cc: 'a="no-store, private", b=no-store, max-age=60', ...FRESH },
  { rule: '§5.2.3 an unknown directive', cc: 'max-age=60, community="UCI"', ...FRESH },
  { rule: '§5.2.2.1 max-age=0', cc: 'max-age=0', ...OLD },
  { rule: '§5.2.2.2 must-revalidate while fresh', cc: 'must-revalidate, max-age=60', ...FRESH },
  { rule: '§5.2.2.2 must-revalidate, nothing to validate', cc: 'must-revalidate, max-age=0', ...REFUSED },
  {
    rule: '§5.2.2.3 must-understand, a status that is known',
    cc: 'must-understand, no-store, max-age=60',
    app: 'refused',
    rfc9111: 'hit',
  },
  {
    rule: '§5.2.2.3 must-understand, in another case',
    cc: 'Must-Understand, No-Store, max-age=60',
    app: 'refused',
    rfc9111: 'hit',
  },
  {
    rule: '§5.2.2.3 must-understand, a status that is not',
    cc: 'must-understand, no-store, max-age=60',
    status: 299,
    ...REFUSED,
  },
  {
    rule: '§5.2.2.3 must-understand alone, a status that is not',
    cc: 'must-understand, max-age=60',
    status: 599,
    ...REFUSED,
  },
  { rule: '§5.2.2.3 must-understand beside private', cc: 'must-understand, private, max-age=60', ...REFUSED },
  { rule: '§5.2.2.4 no-cache, nothing to validate', cc: 'no-cache, max-age=60', ...REFUSED },
  { rule: '§5.2.2.4 no-cache', cc: 'no-cache, max-age=60', headers: { ETag: '"1"' }, ...OLD },
  {
    rule: '§5.2.2.4 No-Cache in a second line',
    headers: { 'Cache-Control': ['max-age=60', 'No-Cache'], ETag: '"1"' },
    ...OLD,
  },
  { rule: '§5.2.2.4 no-cache for a field', cc: 'no-cache="X-A", max-age=60', app: 'refused', rfc9111: 'hit' },
  {
    rule: '§5.2.2.4 no-cache for a field and for all',
    cc: 'no-cache="X-A", no-cache, max-age=60',
    headers: { ETag: '"1"' },
    ...OLD,
  },
  { rule: '§5.2.2.4 no-cache for no field', cc: 'no-cache="", max-age=60', headers: { ETag: '"1"' }, ...OLD },
  { rule: '§5.2.2.5 no-store', cc: 'no-store', ...REFUSED },
  { rule: '§5.2.2.5 NO-STORE behind a lifetime', cc: 'max-age=60, NO-STORE', ...REFUSED },
  { rule: '§5.2.2.5 no-store with an argument', cc: 'no-store="X-A", max-age=60', ...REFUSED },
  { rule: '§5.2.2.5 no-store in a second line', headers: { 'Cache-Control': ['max-age=60', 'no-store'] }, ...REFUSED },
  { rule: '§5.2.2.5 no-store behind an open quote', cc: 'a="b, max-age=60, no-store', ...REFUSED },
  { rule: '§5.2.2.7 private', cc: 'private', ...REFUSED },
  { rule: '§5.2.2.7 PRIVATE, with s-maxage', cc: 's-maxage=60, PRIVATE', ...REFUSED },
  { rule: '§5.2.2.7 private for a field', cc: 'private="X-A", max-age=60', app: 'refused', rfc9111: 'hit' },
  { rule: '§5.2.2.7 private for a field and for all', cc: 'private="X-A", private, max-age=60', ...REFUSED },
  { rule: '§5.2.2.7 private for no field', cc: 'private="", max-age=60', ...REFUSED },
  { rule: '§5.2.2.8 proxy-revalidate while fresh', cc: 'proxy-revalidate, max-age=60', ...FRESH },
  { rule: '§5.2.2.8 proxy-revalidate, nothing to validate', cc: 'proxy-revalidate, max-age=0', ...REFUSED },
  { rule: '§5.2.2.9 public, with a lifetime', cc: 'public, max-age=60', ...FRESH },
  { rule: '§5.2.2.9 public does not undo no-store', cc: 'public, no-store, max-age=60', ...REFUSED },
  { rule: '§5.2.2.10 s-maxage=0', cc: 's-maxage=0, max-age=60', ...REFUSED },
  { rule: '8246 §2 immutable says no lifetime', cc: 'immutable', ...REFUSED },
  { rule: '8246 §2 immutable does not outlast max-age', cc: 'max-age=60, immutable', headers: { Age: '60' }, ...OLD },
  { rule: '§5.4 Pragma in a response means nothing', cc: 'max-age=60', headers: { Pragma: 'no-cache' }, ...FRESH },
];

const CDN = 'CDN-Cache-Control';
const LIST = { targetedFields: ['Our-Cache-Control', CDN] };
/** RFC 9213. */
const TARGETED: readonly Row[] = [
  { rule: '9213 §2.2 before Cache-Control', cc: 'no-store', headers: { [CDN]: 'max-age=60' }, ...FRESH },
  {
    rule: '9213 §2.2 before Cache-Control, when it forbids',
    cc: 'max-age=60',
    headers: { [CDN]: 'no-store' },
    ...REFUSED,
  },
  { rule: '9213 §2.2 before Expires', headers: { Expires: '0', [CDN]: 'max-age=60' }, ...FRESH },
  { rule: '9213 §2.2 instead of Expires', headers: () => ({ Expires: httpDate(60), [CDN]: 'x' }), ...REFUSED },
  {
    rule: '9213 §3.1 with directives of nobody, to take the place of others',
    cc: 'max-age=60',
    headers: { [CDN]: 'none' },
    ...REFUSED,
  },
  { rule: '9213 §2.1 s-maxage before max-age', headers: { [CDN]: 'max-age=0, s-maxage=60' }, ...FRESH },
  { rule: '9213 §2.1 parameters do not count', headers: { [CDN]: 'max-age=60;no-store;x=1' }, ...FRESH },
  { rule: '9213 §2.1 over two lines', headers: { [CDN]: ['max-age=60', 'private'] }, ...REFUSED },
  { rule: '9213 §2.1 less its age', headers: { [CDN]: 'max-age=60', Age: '60' }, ...OLD },
  {
    rule: '9213 §2.1 private for a field',
    headers: { [CDN]: 'max-age=60, private="X-A"' },
    app: 'refused',
    rfc9111: 'hit',
  },
  ...['', '&', 'max-age=60, &&&', 'max-age=60,', 'Max-Age=60', 'max-age="60', 'max-age=60 private'].map((value) => ({
    rule: `9213 §2.1 ignored, as it cannot be read: ${value}`,
    cc: 'no-store',
    headers: { [CDN]: value },
    ...REFUSED,
  })),
  {
    rule: '9213 §2.1 ignored where Cache-Control allows it',
    cc: 'max-age=60',
    headers: { [CDN]: 'no-store, &' },
    ...FRESH,
  },
  ...['60.5', '"60"', 'a60', '?1'].map((value) => ({
    rule: `9213 §2.1 a lifetime of another type: ${value}`,
    cc: 'no-store',
    headers: { [CDN]: `max-age=${value}` },
    ...REFUSED,
  })),
  {
    rule: '9213 §2.1 no-store beside a lifetime of another type',
    cc: 'max-age=60',
    headers: { [CDN]: 'no-store, max-age="60"' },
    ...REFUSED,
  },
  {
    rule: '9213 §2.1 private beside a lifetime of another type',
    cc: 'max-age=60',
    headers: { [CDN]: 'max-age=1.5, private' },
    ...REFUSED,
  },
  { rule: '9213 §2.2 a field that is not in the list', headers: { 'Our-Cache-Control': 'max-age=60' }, ...REFUSED },
  {
    rule: '9213 §2.2 a field that is in the list',
    headers: { 'Our-Cache-Control': 'max-age=60' },
    switches: LIST,
    ...FRESH,
  },
  {
    rule: '9213 §2.2 of several the first of the list',
    headers: { [CDN]: 'no-store', 'Our-Cache-Control': 'max-age=60' },
    switches: LIST,
    ...FRESH,
  },
  {
    rule: '9213 §2.2 of several the first that can be read',
    headers: { [CDN]: 'max-age=60', 'Our-Cache-Control': '&' },
    switches: LIST,
    ...FRESH,
  },
  {
    rule: '9213 §2.2 a list of none',
    cc: 'no-store',
    headers: { [CDN]: 'max-age=60' },
    switches: { targetedFields: [] },
    ...REFUSED,
  },
];

interface Asked {
  readonly rule: string;
  readonly sends: Readonly<Record<string, string | readonly string[]>>;
  /** What is stored. Default: half a minute old, fresh for another half. */
  readonly stored?: Pick<Row, 'cc' | 'headers'>;
  /** How the cache answers a client whose directives it honours. */
  readonly honored: 'hit' | 'asked' | '504';
  /** And others. Default: from the cache. */
  readonly ignored?: 'asked';
}

const cc = (...lines: readonly string[]): Asked['sends'] => ({ 'Cache-Control': lines });
/** Ten seconds past its lifetime. */
const stale = (more = ''): Pick<Row, 'cc' | 'headers'> => ({
  cc: `max-age=60${more}`,
  headers: { Age: '70', ETag: '"1"' },
});

/** What clients ask for: of what is fresh, and of what is not. */
const REQUEST: readonly Asked[] = [
  { rule: '§5.2.1.1 max-age, older', sends: cc('max-age=20'), honored: 'asked' },
  { rule: '§5.2.1.1 max-age, younger', sends: cc('max-age=50'), honored: 'hit' },
  { rule: '§5.2.1.1 max-age=0', sends: cc('max-age=0'), honored: 'asked' },
  { rule: '§5.2.1.1 MAX-AGE in another case', sends: cc('MAX-AGE=20'), honored: 'asked' },
  { rule: '§5.2.1.1 max-age that is no number', sends: cc('max-age=x'), honored: 'asked' },
  {
    rule: '§5.2.1.1 max-age takes nothing stale',
    sends: cc('max-age=100'),
    stored: stale(', stale-while-revalidate=60'),
    honored: 'asked',
  },
  { rule: '§5.2.1.2 max-stale while fresh', sends: cc('max-stale'), honored: 'hit' },
  { rule: '§5.2.1.3 min-fresh, long enough', sends: cc('min-fresh=10'), honored: 'hit' },
  { rule: '§5.2.1.3 min-fresh, not long enough', sends: cc('min-fresh=40'), honored: 'asked' },
  { rule: '§5.2.1.4 no-cache', sends: cc('no-cache'), honored: 'asked' },
  { rule: '§5.2.1.4 No-Cache in a second line', sends: cc('max-age=50', 'No-Cache'), honored: 'asked' },
  { rule: '§5.2.1.4 no-cache behind an open quote', sends: cc('a="b, no-cache'), honored: 'asked' },
  { rule: '§5.2.1.5 no-store', sends: cc('no-store'), honored: 'asked' },
  { rule: '§5.2.1.6 no-transform', sends: cc('no-transform'), honored: 'hit' },
  { rule: '§5.2.1.7 only-if-cached', sends: cc('only-if-cached'), honored: 'hit' },
  { rule: '§5.2.1.7 only-if-cached, for what is not', sends: cc('only-if-cached, max-age=20'), honored: '504' },
  { rule: '§5.2.3 an extension', sends: cc('x="no-cache", y=no-store'), honored: 'hit' },
  { rule: '§5.4 Pragma', sends: { Pragma: 'no-cache' }, honored: 'asked' },
  { rule: '§5.4 Pragma in another case, among others', sends: { Pragma: 'x, No-Cache' }, honored: 'asked' },
  { rule: '§5.4 Pragma of another kind', sends: { Pragma: 'x-no-cache' }, honored: 'hit' },
  { rule: '§5.4 Pragma beside Cache-Control', sends: { Pragma: 'no-cache', ...cc('max-age=50') }, honored: 'hit' },
  { rule: '§5.2 nothing, of what is stale', sends: {}, stored: stale(), honored: 'asked', ignored: 'asked' },
  { rule: '§5.2.1.2 max-stale', sends: cc('max-stale'), stored: stale(), honored: 'hit', ignored: 'asked' },
  {
    rule: '§5.2.1.2 max-stale, less stale',
    sends: cc('max-stale=20'),
    stored: stale(),
    honored: 'hit',
    ignored: 'asked',
  },
  {
    rule: '§5.2.1.2 max-stale, more stale',
    sends: cc('max-stale=5'),
    stored: stale(),
    honored: 'asked',
    ignored: 'asked',
  },
  {
    rule: '§5.2.1.2 max-stale that is no number',
    sends: cc('max-stale=x'),
    stored: stale(),
    honored: 'asked',
    ignored: 'asked',
  },
  {
    rule: '§5.2.1.1 max-stale beside max-age',
    sends: cc('max-age=100, max-stale'),
    stored: stale(),
    honored: 'hit',
    ignored: 'asked',
  },
  {
    rule: '§5.2.1.1 max-stale beside max-age, older',
    sends: cc('max-age=65, max-stale'),
    stored: stale(),
    honored: 'asked',
    ignored: 'asked',
  },
  {
    rule: '§5.2.2.2 max-stale, must-revalidate',
    sends: cc('max-stale'),
    stored: stale(', must-revalidate'),
    honored: 'asked',
    ignored: 'asked',
  },
  {
    rule: '§5.2.2.8 max-stale, proxy-revalidate',
    sends: cc('max-stale'),
    stored: stale(', proxy-revalidate'),
    honored: 'asked',
    ignored: 'asked',
  },
  {
    rule: '§5.2.2.10 max-stale, s-maxage',
    sends: cc('max-stale'),
    stored: stale(', s-maxage=60'),
    honored: 'asked',
    ignored: 'asked',
  },
  {
    rule: '§5.2.2.4 max-stale, no-cache',
    sends: cc('max-stale'),
    stored: { cc: 'no-cache', headers: { ETag: '"1"' } },
    honored: 'asked',
    ignored: 'asked',
  },
  {
    rule: '§5.2.1.7 only-if-cached, of what is stale',
    sends: cc('only-if-cached'),
    stored: stale(),
    honored: '504',
    ignored: 'asked',
  },
];

everywhere((stage, policy) => {
  it.each([...RESPONSE, ...TARGETED])('$rule', async (row) => {
    expect(await fateOf(stage(), row, policy)).toBe(expected(row, policy));
  });

  /** What a client gets whose request comes second. */
  async function answerTo({ sends, stored }: Asked, switches: Row['switches']): Promise<string> {
    let runs = 0;
    const path = stage().route(optionsOf(switches === undefined ? {} : { switches }, policy), (_req, res) => {
      runs++;
      setAll(res, stored ?? { cc: 'max-age=60', headers: { Age: '30', ETag: '"1"' } });
      res.end('body');
    });
    await stage().ask(path);
    const answer = await stage().ask(path, from(sends));
    if (answer.status === 504) return '504';
    expect([answer.status, answer.text]).toEqual([200, 'body']);
    return runs === 1 && verdict(answer) === 'hit; ttl' ? 'hit' : 'asked';
  }

  it.each(REQUEST)('$rule', async (row) => {
    const isHonored = policy === 'rfc9111';
    expect(await answerTo(row, undefined)).toBe(isHonored ? row.honored : (row.ignored ?? 'hit'));
  });

  it.each(REQUEST.filter(({ stored }) => stored === undefined))('the other way round: $rule', async (row) => {
    const isHonored = policy === 'app';
    const switches = { requestDirectives: isHonored ? ('honor' as const) : ('ignore' as const) };
    expect(await answerTo(row, switches)).toBe(isHonored ? row.honored : 'hit');
  });

  it('§5.2.1 honours the directives of whom the policy trusts', async () => {
    const row: Asked = { rule: '', sends: {}, honored: 'asked' };
    const switches: Row['switches'] = { requestDirectives: (req) => req.get('X-Trusted') === 'yes' };
    expect(await answerTo({ ...row, sends: { ...cc('no-cache'), 'X-Trusted': 'yes' } }, switches)).toBe('asked');
    expect(await answerTo({ ...row, sends: cc('no-cache') }, switches)).toBe('hit');
  });

  it('§5.2.1.5 stores no response to a request with no-store, if it honours that', async () => {
    const row: Row = { rule: '', cc: 'max-age=60', ask: from(cc('no-store')) };
    const fate = await fateOf(stage(), row, policy);
    expect(fate).toBe(policy === 'app' ? 'hit' : 'refused');
  });

  it('§5.2.1.7 answers 504 by itself where nothing is stored, if it honours only-if-cached', async () => {
    let runs = 0;
    const path = stage().route({ policy }, (_req, res) => void res.end(`run ${++runs}`));
    const answer = await stage().ask(path, from(cc('only-if-cached')));
    expect([answer.status, runs]).toEqual(policy === 'app' ? [200, 1] : [504, 0]);
  });

  it.each([
    ['no-transform', undefined],
    ['immutable', 'gzip'],
  ])('§5.2.2.6 sends content in another coding, unless forbidden: %s', async (directive, coding) => {
    const path = stage().route({ policy, compress: 100 }, (_req, res) => {
      res.set({ 'Cache-Control': `max-age=60, ${directive}`, 'Content-Type': 'text/plain' }).end('a'.repeat(1_000));
    });
    await stage().ask(path);
    const hit = await stage().ask(path, from({ 'Accept-Encoding': 'gzip' }));
    expect(hit.headers['content-encoding']).toBe(coding);
  });
});
