import { describe, expect, it } from '@jest/globals';
import { appPolicy, type CacheOptions, rfc9111Policy } from '../../../src/index.ts';
import { testRedis, uniquePrefix } from '../../support/connections.ts';
import { HIT, verdict } from '../support.ts';
import { until } from '../../support/waiting.ts';
import { ALL_SETTINGS, eachRow, type Handler, origin, SETTINGS } from './validation-support.ts';

type Headers = Readonly<Record<string, string>>;

const FRESH = { 'Cache-Control': 'public, max-age=60' };

/** Answers with the request headers that it names in Vary. */
function varying(vary: string | readonly string[], more: Headers = {}): Handler {
  const names = [vary]
    .flat()
    .join(',')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return (req, res, run) => {
    res.set({ ...FRESH, Vary: typeof vary === 'string' ? vary : [...vary], ...more });
    res.end(`${run}: ${names.map((name) => req.get(name) ?? '-').join(' ')}`);
  };
}

/** 9111 §4.1: whether the second request is answered by the response to the first. */
type Row = readonly [
  rule: string,
  vary: string | readonly string[],
  first: Headers,
  second: Headers,
  isShared: boolean,
];

const SELECTING: readonly Row[] = [
  ['the same value', 'X-One', { 'X-One': 'a' }, { 'X-One': 'a' }, true],
  ['another value', 'X-One', { 'X-One': 'a' }, { 'X-One': 'b' }, false],
  ['a value in another case', 'X-One', { 'X-One': 'a' }, { 'X-One': 'A' }, false],
  ['no value in either', 'X-One', {}, {}, true],
  ['no value in one of them', 'X-One', { 'X-One': 'a' }, {}, false],
  ['an empty value is no absent one', 'X-One', { 'X-One': '' }, {}, false],
  ['what is not named does not count', 'X-One', { 'X-One': 'a', 'X-Two': '1' }, { 'X-One': 'a', 'X-Two': '2' }, true],
  ['names in any case', 'x-ONE', { 'X-One': 'a' }, { 'x-one': 'a' }, true],
  ['all of many headers', 'X-One, X-Two', { 'X-One': 'a', 'X-Two': 'b' }, { 'X-Two': 'b', 'X-One': 'a' }, true],
  ['not one of many headers', 'X-One, X-Two', { 'X-One': 'a', 'X-Two': 'b' }, { 'X-One': 'a', 'X-Two': 'c' }, false],
  [
    'not values that changed places',
    'X-One, X-Two',
    { 'X-One': 'a', 'X-Two': 'b' },
    { 'X-One': 'b', 'X-Two': 'a' },
    false,
  ],
  ['not values that moved', 'X-One, X-Two', { 'X-One': 'a' }, { 'X-Two': 'a' }, false],
  ['not values run together', 'X-One, X-Two', { 'X-One': 'a,b' }, { 'X-One': 'a', 'X-Two': 'b' }, false],
  ['blanks around names', ' X-One ,\tX-Two ', { 'X-One': 'a' }, { 'X-One': 'b' }, false],
  ['empty members', ', X-One,, ', { 'X-One': 'a' }, { 'X-One': 'b' }, false],
  ['several lines', ['X-One', 'X-Two'], { 'X-Two': 'a' }, { 'X-Two': 'b' }, false],
  ['everything', '*', {}, {}, false],
  ['everything among others', 'X-One, *', {}, {}, false],
  ['everything on a line of its own', ['X-One', '*'], {}, {}, false],
  ['what is no name at all (9110 §5.6.2)', 'X One', {}, {}, false],
  ['a name in quotes (9110 §5.6.2)', '"X-One"', {}, {}, false],
];

describe.each(SETTINGS)('a stored response is selected by ($policy, $place; 9111 §4.1)', (setting) => {
  it('what it varies by, all of it and nothing else', async () => {
    const handler = ([, vary]: Row): Handler => varying(vary);
    await eachRow(setting, SELECTING, handler, async ([rule, , first, second, isShared], { get, seen }) => {
      const one = await get(first);
      const two = await get(second);
      expect([rule, seen.length, two.text === one.text]).toEqual([rule, isShared ? 1 : 2, isShared]);
      expect([rule, verdict(two) === HIT]).toEqual([rule, isShared]);
    });
  });

  it('blanks around commas only where the policy says that they do not count', async () => {
    const { get, seen } = await origin(setting, varying('X-One'));
    const values = ['a, b', 'a,b', 'a ,\tb', '"a, b"', '"a,b"'];
    for (const value of values) await get({ 'X-One': value });
    expect(seen.length).toBe(setting.policy === 'rfc9111' ? 3 : 5);
  });
});

describe.each(ALL_SETTINGS)('variants ($policy, $place)', (setting) => {
  it('are found by what the newest response varies by, and by no other values (9111 §4.1)', async () => {
    const { get, seen } = await origin(setting, (req, res, run) => {
      res.set({ ...FRESH, Vary: run < 2 ? 'X-One' : 'X-One, X-Two' });
      res.end(`${req.get('X-One')} ${run < 2 ? '' : req.get('X-Two')}`);
    });
    const texts = [];
    for (const pair of ['a1', 'b1', 'b2', 'a2', 'a1', 'b1', 'b2', 'a2']) {
      texts.push((await get({ 'X-One': pair.charAt(0), 'X-Two': pair.charAt(1) })).text);
    }
    expect(texts.slice(1)).toEqual(['b 1', 'b 2', 'a 2', 'a 1', 'b 1', 'b 2', 'a 2']);
    expect(seen.length).toBe(5);
  });

  const validating =
    (vary: string): Handler =>
    (req, res) => {
      const tag = `"${req.get('X-One')}"`;
      const isUnchanged = req.get('If-None-Match') === tag;
      res.set({ ETag: tag, Vary: isUnchanged ? vary : 'X-One' });
      res.set('Cache-Control', isUnchanged ? 'max-age=60' : 'max-age=0');
      if (isUnchanged) res.status(304).end();
      else res.end(`${req.get('X-One')} ${req.get('X-Two')}`);
    };

  it('are each validated by their own tag (9111 §4.3.1)', async () => {
    const { get, seen } = await origin(setting, validating('X-One'));
    for (const value of ['a', 'b', 'b', 'a', 'b', 'a']) expect((await get({ 'X-One': value })).text[0]).toBe(value);
    expect(seen.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, undefined, '"b"', '"a"']);
  });

  it('vary by what the 304 says that freshened them (9111 §4.3.4)', async () => {
    const { get, seen } = await origin(setting, validating('X-One, X-Two'));
    const one = { 'X-One': 'a', 'X-Two': '1' };
    for (const _ of ['stored', 'validated', 'hit']) expect((await get(one)).text).toBe('a 1');
    const hit = await get(one);
    expect([verdict(hit), hit.headers.vary, seen.length]).toEqual([HIT, 'X-One, X-Two', 2]);
    expect((await get({ ...one, 'X-Two': '2' })).text).toBe('a 2');
  });

  it('of one key are so many at most; those that are gone make room, and those that are there stay', async () => {
    const short: Handler = (req, res) => {
      res.cache.ttl(req.get('X-One') === 'long' ? '1m' : '300ms');
      const maxAge = req.get('X-One') === 'long' ? 60 : 1;
      res.set({ Vary: 'X-One', ...(setting.policy === 'rfc9111' && { 'Cache-Control': `max-age=${maxAge}` }) });
      res.end(req.get('X-One'));
    };
    const policy = setting.policy === 'app' ? appPolicy : { ...rfc9111Policy, retain: 0 };
    const { get, seen } = await origin(setting, short, { maxVariants: 3, policy });
    for (const value of ['long', 'a', 'b']) expect(verdict(await get({ 'X-One': value }))).toMatch(/stored$/);
    expect(verdict(await get({ 'X-One': 'c' }))).toBe('fwd=vary-miss');
    expect(verdict(await get({ 'X-One': 'long' }))).toBe(HIT);
    const runs = seen.length;
    await new Promise((resolve) => setTimeout(resolve, setting.policy === 'app' ? 400 : 1_100));
    expect(verdict(await get({ 'X-One': 'd' }))).toBe('fwd=vary-miss; stored');
    expect(verdict(await get({ 'X-One': 'd' }))).toBe(HIT);
    expect(verdict(await get({ 'X-One': 'long' }))).toBe(HIT);
    expect(seen.length).toBe(runs + 1);
  });
});

/** Whether `Vary: name` gives each value a response of its own; otherwise nothing is stored. */
const CREDENTIALS: readonly (readonly [string, Headers, Headers, CacheOptions, app: boolean])[] = [
  ['Cookie', { Cookie: 'sid=1' }, { Cookie: 'sid=2' }, {}, false],
  ['Cookie', { Cookie: 'sid=1' }, { Cookie: 'sid=2' }, { cookies: 'bypass' }, false],
  ['Cookie', { Cookie: 'sid=1' }, { Cookie: 'sid=2' }, { vary: ['Cookie'] }, true],
  ['Authorization', { Authorization: 'Bearer 1' }, { Authorization: 'Bearer 2' }, {}, false],
  ['Authorization', { Authorization: 'Bearer 1' }, { Authorization: 'Bearer 2' }, { vary: ['Authorization'] }, true],
  ['Cookie, Authorization', { Cookie: 'sid=1' }, { Authorization: 'Bearer 2' }, { vary: ['Cookie'] }, false],
];

describe.each(SETTINGS)('what varies by who asks ($policy, $place)', (setting) => {
  it.each(CREDENTIALS)('%s is one user only (%j, %j, %j)', async (vary, first, second, options, isStored) => {
    const { get, seen } = await origin(setting, varying(vary), options);
    const [one, two, again] = [await get(first), await get(second), await get(first)];
    expect(two.text.slice(3)).not.toBe(one.text.slice(3));
    expect(again.text.slice(3)).toBe(one.text.slice(3));
    const isShared = setting.policy === 'rfc9111' || isStored;
    expect([verdict(again) === HIT, seen.length]).toEqual(isShared ? [true, 2] : [false, 3]);
  });
});

describe('a process that remembers nothing', () => {
  it('finds a variant also when others of its key were stored later and are gone', async () => {
    const prefix = uniquePrefix();
    const handler: Handler = (req, res) => {
      res.cache.ttl(req.get('X-One') === 'long' ? '1m' : '50ms');
      res.set('Vary', 'X-One').end();
    };
    const setting = { place: 'redis', policy: 'app' } as const;
    const first = await origin(setting, handler, { policy: appPolicy }, { prefix });
    for (const value of ['long', 'short']) await first.get({ 'X-One': value, Host: 'a' });
    await new Promise((resolve) => setTimeout(resolve, 150));
    const second = await origin(setting, handler, { policy: appPolicy }, { prefix, redis: testRedis() });
    expect(verdict(await second.get({ 'X-One': 'long', Host: 'a' }))).toBe(HIT);
  });
});

describe.each(['app', 'rfc9111'] as const)('no key in Redis (%s)', (policy) => {
  it('holds a credential or another value of a header', async () => {
    const prefix = uniquePrefix();
    const names = ['Authorization', 'Cookie', 'X-Api-Key'];
    const options: CacheOptions = policy === 'app' ? { vary: names.slice(0, 2) } : {};
    const { get, suite } = await origin({ place: 'redis', policy }, varying(names), options, { prefix });
    const secrets = ['c2VjcmV0', 'sid=s3cr3t', 'k3y'];
    await get(Object.fromEntries(names.map((name, i) => [name, secrets[i] ?? ''])));
    await until(() => suite.stats().cache.stores === 1);
    const keys: string[] = [];
    for await (const batch of testRedis().scanStream({ match: `${prefix}*`, count: 10_000 }))
      keys.push(...(batch as string[]));
    expect(keys.filter((key) => key.includes(':e:')).length).toBe(2);
    for (const secret of secrets) expect(keys.join()).not.toContain(secret);
    for (const secret of secrets) expect(keys.join()).not.toContain(Buffer.from(secret).toString('base64'));
  });
});
