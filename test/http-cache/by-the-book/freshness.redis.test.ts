import { expect, it } from '@jest/globals';
import express from 'express';
import { ask, listen, openSuite, verdict } from '../support.ts';
import { everywhere, expected, fateOf, headersOf, httpDate, type Headers, type Row, setAll } from './support.ts';

/** Not fresh: kept by `rfc9111` only, to be asked for again. */
const OLD = { app: 'refused', rfc9111: 'stale' } as const;
const FRESH = { both: 'hit' } as const;
/** With s-maxage it may be sent stale to nobody, so that without a validator it is not worth keeping. */
const REFUSED = { both: 'refused' } as const;

const expires = (value: string | readonly string[]): { headers: Headers } => ({ headers: { Expires: value } });
const aged = (age: string | readonly string[]): { cc: string; headers: Headers } => ({
  cc: 'max-age=60',
  headers: { Age: age },
});
/** Fields of dates, in seconds from now. */
const dated = (dates: Readonly<Record<string, number>>): { headers: () => Headers } => ({
  headers: () => Object.fromEntries(Object.entries(dates).map(([name, at]) => [name, httpDate(at)])),
});

function lifetimeThatIsNone(value: string): Row {
  const rule = `§4.2.1 max-age=${value}, which is no number`;
  return { rule, cc: `max-age=${value}`, ...dated({ Expires: 60 }), ...OLD };
}

function noDate(value: string): Row {
  return { rule: `§5.3 no date: ${value}`, ...expires(value), ...OLD };
}

function ageThatIsNone(age: string): Row {
  return { rule: `§5.1 Age that is no number: ${age}`, ...aged(age), ...FRESH };
}

const LIFETIMES: readonly Row[] = [
  { rule: '§4.2.1 s-maxage before max-age', cc: 'max-age=0, s-maxage=60', ...FRESH },
  { rule: '§4.2.1 s-maxage before max-age, when it is the shorter', cc: 's-maxage=0, max-age=60', ...REFUSED },
  { rule: '§5.3 max-age before Expires', cc: 'max-age=60', ...expires('0'), ...FRESH },
  { rule: '§5.3 max-age before Expires, when it is the shorter', cc: 'max-age=0', ...dated({ Expires: 60 }), ...OLD },
  { rule: '§5.3 s-maxage before Expires', cc: 's-maxage=60', ...expires('0'), ...FRESH },
  { rule: '§4.2.1 of two lifetimes the first', cc: 'max-age=0, max-age=60', ...OLD },
  {
    rule: '§4.2.1 of two lifetimes in two lines the first',
    headers: { 'Cache-Control': ['max-age=0', 'max-age=60'] },
    ...OLD,
  },
  { rule: '§5.2 a quoted number', cc: 'max-age="60"', ...FRESH },
  { rule: '§1.2.2 leading zeros', cc: 'max-age=0060', ...FRESH },
  { rule: '§1.2.2 a number beyond 2^31', cc: 'max-age=99999999999999999999', ...FRESH },
  ...['60s', '60.0', '-60', '+60', '0x3c', '1e3', 'x', '"60', '', '"" 60'].map(lifetimeThatIsNone),
  { rule: '§4.2.1 max-age without a number', cc: 'max-age', ...dated({ Expires: 60 }), ...OLD },
  { rule: '§4.2.1 s-maxage that is no number, before max-age', cc: 's-maxage=x, max-age=60', ...REFUSED },
  { rule: '§5.3 Expires later than Date', ...dated({ Date: 0, Expires: 60 }), ...FRESH },
  { rule: '§5.3 Expires as Date', ...dated({ Date: 0, Expires: 0 }), ...OLD },
  { rule: '§5.3 Expires before Date, later than now', ...dated({ Date: 120, Expires: 60 }), ...OLD },
  { rule: '§4.2.1 Expires less Date, by a clock that is ahead', ...dated({ Date: 3_600, Expires: 3_660 }), ...FRESH },
  { rule: '§4.2.3 Expires less Date, by a clock that is behind', ...dated({ Date: -3_600, Expires: -3_540 }), ...OLD },
  { rule: '§4.2 Expires, where Date is none', headers: () => ({ Date: 'today', Expires: httpDate(60) }), ...FRESH },
];

/** Three forms, and nothing else (RFC 9110 §5.6.7). */
const DATES: readonly Row[] = [
  { rule: '§5.6.7 IMF-fixdate', ...expires('Sun, 01 Nov 2037 08:49:37 GMT'), ...FRESH },
  { rule: '§5.6.7 RFC 850', ...expires('Sunday, 01-Nov-37 08:49:37 GMT'), ...FRESH },
  { rule: '§5.6.7 asctime', ...expires('Sun Nov  1 08:49:37 2037'), ...FRESH },
  { rule: '§5.6.7 asctime with a day of two digits', ...expires('Sun Nov 15 08:49:37 2037'), ...FRESH },
  { rule: '§5.6.7 a leap second', ...expires('Sun, 01 Nov 2037 23:59:60 GMT'), ...FRESH },
  { rule: '9111 §4.2 in another case', ...expires('sun, 01 NOV 2037 08:49:37 gmt'), ...FRESH },
  { rule: '§5.6.7 RFC 850, more than 50 years ahead', ...expires('Sunday, 01-Nov-94 08:49:37 GMT'), ...OLD },
  ...[
    '0',
    '-1',
    '',
    '4000000000',
    '2037-11-01T08:49:37Z',
    'Sun, 01 Nov 2037 08:49:37 UTC',
    'Sun, 01 Nov 2037 08:49:37 +0000',
    'Sun, 01 Nov 2037 08:49:37',
    '01 Nov 2037 08:49:37 GMT',
    'Sun, 1 Nov 2037 08:49:37 GMT',
    'Sun 01 Nov 2037 08:49:37 GMT',
    'Sun, 01  Nov 2037 08:49:37 GMT',
    'Sun, 01 Nov 37 08:49:37 GMT',
    'Sun, 01-Nov-2037 08:49:37 GMT',
    'Sun, 01 Nov 2037 8:49:37 GMT',
    'Sun, 01 Nov 2037 08:49 GMT',
    'Sun, 01 Nov 2037 24:00:00 GMT',
    'Sun, 01 Nov 2037 08:60:00 GMT',
    'Sun, 31 Feb 2037 08:49:37 GMT',
    'Sun, 00 Nov 2037 08:49:37 GMT',
    'Sun Nov 1 08:49:37 2037',
    'Sun Nov  1 08:49:37 2037 GMT',
    '"Sun, 01 Nov 2037 08:49:37 GMT"',
  ].map(noDate),
  { rule: '§4.2.1 Expires in two lines', headers: () => ({ Expires: [httpDate(60), httpDate(90)] }), ...OLD },
];

const AGES: readonly Row[] = [
  { rule: '§4.2 younger than its lifetime', ...aged('30'), ...FRESH },
  { rule: '§4.2 as old as its lifetime', ...aged('60'), ...OLD },
  { rule: '§5.1 of a list the first', ...aged('30, 100'), ...FRESH },
  { rule: '§5.1 of a list the first, when it is the larger', ...aged('100, 30'), ...OLD },
  { rule: '§5.1 of several lines the first', ...aged(['100', '30']), ...OLD },
  ...['x', '-100', '100.5', '100s', '"100"', '', ' , 100', '+100'].map(ageThatIsNone),
  { rule: '§1.2.2 Age beyond 2^31', ...aged('99999999999999999999'), ...OLD },
  { rule: '§4.2.3 older by Date than its lifetime', cc: 'max-age=60', ...dated({ Date: -70 }), ...OLD },
  { rule: '§4.2.3 a Date that is none', cc: 'max-age=60', headers: { Date: '1970' }, ...FRESH },
  { rule: '§4.2.3 a Date of a clock that is ahead', cc: 'max-age=60', ...dated({ Date: 3_600 }), ...FRESH },
  { rule: '§4.2.3 s-maxage, less its age', cc: 's-maxage=60', headers: { Age: '60' }, ...REFUSED },
];

/** Seconds, at least and for some time. */
const TOLD: readonly { readonly rule: string; readonly headers: Row['headers'] & object; readonly age: number }[] = [
  { rule: '§5.1 none, where it is new', headers: {}, age: 0 },
  { rule: '§4.2.3 of Age', headers: { Age: '30' }, age: 30 },
  { rule: '§4.2.3 of Date', headers: () => ({ Date: httpDate(-30) }), age: 30 },
  { rule: '§4.2.3 of Date, which is more', headers: () => ({ Age: '10', Date: httpDate(-30) }), age: 30 },
  { rule: '§4.2.3 of Age, which is more', headers: () => ({ Age: '30', Date: httpDate(-10) }), age: 30 },
  { rule: '§4.2.3 of a Date ahead', headers: () => ({ Date: httpDate(30) }), age: 0 },
];

const LAST_MODIFIED = 'Last-Modified';
const HEURISTIC: readonly (Row & { readonly ttl?: number })[] = [
  { rule: '§4.2.2 a tenth of how long it has not changed', ...dated({ [LAST_MODIFIED]: -10_000 }), ttl: 1_000 },
  { rule: '§4.2.2 a tenth up to Date', ...dated({ [LAST_MODIFIED]: -10_000, Date: -500 }), ttl: 450 },
  { rule: '§4.2.2 a day at most', ...dated({ [LAST_MODIFIED]: -1e9 }), ttl: 86_400 },
  {
    rule: '§4.2.2 with another fraction',
    ...dated({ [LAST_MODIFIED]: -10_000 }),
    switches: { heuristicFraction: 0.5 },
    ttl: 5_000,
  },
  {
    rule: '§4.2.2 with another limit',
    ...dated({ [LAST_MODIFIED]: -1e9 }),
    switches: { heuristicFraction: 0.1, maxHeuristic: '1h' },
    ttl: 3_600,
  },
  { rule: '§4.2.2 not with a lifetime of its own', cc: 'max-age=0', ...dated({ [LAST_MODIFIED]: -10_000 }) },
  { rule: '§4.2.2 not with Expires', ...dated({ [LAST_MODIFIED]: -10_000, Expires: -1 }) },
  {
    rule: '§4.2.2 not with Expires that is no date',
    headers: () => ({ Expires: '0', [LAST_MODIFIED]: httpDate(-10_000) }),
  },
  { rule: '§4.2.2 not from a date ahead', ...dated({ [LAST_MODIFIED]: 10_000 }) },
  { rule: '§4.2.2 not from what is no date', headers: { [LAST_MODIFIED]: '2001-01-01' } },
];

everywhere((stage, policy, rows) => {
  it.each(rows([...LIFETIMES, ...DATES, ...AGES]))('$rule', async (row) => {
    expect(await fateOf(stage(), row, policy)).toBe(expected(row, policy));
  });

  it.each(rows(TOLD))('§4 tells its age: $rule', async ({ headers, age }) => {
    const path = stage().route({ policy }, (_req, res) => {
      setAll(res, { cc: 'max-age=60', headers });
      res.end('body');
    });
    await stage().ask(path);
    const hit = await stage().ask(path);
    expect(hit.headers.age).toMatch(/^\d+$/);
    const told = Number(hit.headers.age);
    expect([told >= age, told < age + 10]).toEqual([true, true]);
    const ttl = Number(/hit; ttl=(\d+)$/.exec(String(hit.headers['cache-status']))?.[1]);
    expect([ttl <= 60 - told, ttl > 50 - told - 10]).toEqual([true, true]);
    expect(hit.lines.filter((line) => line.startsWith('Age:'))).toHaveLength(1);
  });

  it.each(rows(HEURISTIC))('$rule', async ({ ttl, ...row }) => {
    const isOn = policy === 'rfc9111' || row.switches !== undefined;
    const asked = policy === 'rfc9111' ? 'stale' : 'refused';
    expect(await fateOf(stage(), row, policy)).toBe(ttl === undefined || !isOn ? asked : 'hit');
    if (ttl === undefined || !isOn) return;
    const path = stage().route({ policy: row.switches === undefined ? policy : { ...row.switches } }, (_req, res) => {
      setAll(res, { headers: headersOf(row) });
      res.end('body');
    });
    await stage().ask(path);
    const told = Number(/ttl=(\d+)$/.exec(String((await stage().ask(path)).headers['cache-status']))?.[1]);
    expect([told <= ttl, told > ttl - 30]).toEqual([true, true]);
  });
});

it('§4.2.3 counts how long a response took to come, where its headers alone say how long it lasts', async () => {
  const suite = openSuite('memory');
  const app = express();
  for (const policy of ['app', 'rfc9111'] as const) {
    app.get(`/${policy}`, suite.cache({ policy, jitter: 0 }), (_req, res) => {
      setTimeout(() => res.set('Cache-Control', 'max-age=1').end('body'), 1_010);
    });
  }
  const port = await listen(app);
  const told = async (policy: string): Promise<string[]> => {
    await ask(port, `/${policy}`);
    return verdict(await ask(port, `/${policy}`)).split(';', 1);
  };
  expect(await Promise.all([told('app'), told('rfc9111')])).toEqual([['hit'], ['fwd=stale']]);
});
