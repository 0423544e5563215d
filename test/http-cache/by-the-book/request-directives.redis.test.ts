import { expect, it } from '@jest/globals';
import { verdict } from '../support.ts';
import { everywhere, fateOf, from, optionsOf, type Row, setAll } from './support.ts';

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

everywhere((stage, policy, rows) => {
  /** What a client gets whose request comes second. */
  async function answerTo({ sends, stored }: Asked, switches: Row['switches']): Promise<string> {
    let runs = 0;
    const path = stage().route(optionsOf(switches === undefined ? {} : { switches }, policy), (_req, res) => {
      setAll(res, stored ?? { cc: 'max-age=60', headers: { Age: '30', ETag: '"1"' } });
      res.end(`run ${++runs}`);
    });
    await stage().ask(path);
    const answer = await stage().ask(path, from(sends));
    if (answer.status === 504) return '504';
    expect([answer.status, answer.text]).toEqual([200, verdict(answer) === 'hit; ttl' ? 'run 1' : 'run 2']);
    return answer.text === 'run 1' ? 'hit' : 'asked';
  }

  it.each(rows(REQUEST))('$rule', async (row) => {
    const isHonored = policy === 'rfc9111';
    expect(await answerTo(row, undefined)).toBe(isHonored ? row.honored : (row.ignored ?? 'hit'));
  });

  it.each(rows(REQUEST.filter(({ stored }) => stored === undefined)))('the other way round: $rule', async (row) => {
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
});
