import { describe, expect, it } from '@jest/globals';
import type { Answer } from '../support.ts';
import { HIT, verdict } from '../support.ts';
import { ALL_SETTINGS, eachRow, type Handler, isBare304, origin, SETTINGS } from './validation-support.ts';

const MODIFIED = 'Tue, 15 Nov 1994 12:45:26 GMT';
const LATER = 'Wed, 16 Nov 1994 12:45:26 GMT';
const EARLIER = 'Mon, 14 Nov 1994 12:45:26 GMT';

type Headers = Readonly<Record<string, string>>;
type Row = readonly [rule: string, stored: Headers, asked: Headers, status: 200 | 304];

const TAG = { ETag: '"a"' };
const WEAK = { ETag: 'W/"a"' };
const DATED = { 'Last-Modified': MODIFIED };
const none = (value: string): Headers => ({ 'If-None-Match': value });
const since = (value: string): Headers => ({ 'If-Modified-Since': value });

const CONDITIONS: readonly Row[] = [
  ['9110 §8.8.3.2 strong for strong', TAG, none('"a"'), 304],
  ['9110 §8.8.3.2 weak for strong', TAG, none('W/"a"'), 304],
  ['9110 §8.8.3.2 strong for weak', WEAK, none('"a"'), 304],
  ['9110 §8.8.3.2 weak for weak', WEAK, none('W/"a"'), 304],
  ['9110 §8.8.3.2 another tag', TAG, none('"b"'), 200],
  ['9110 §8.8.3 tags are case-sensitive', TAG, none('"A"'), 200],
  ['9110 §8.8.3 a tag may be empty', { ETag: '""' }, none('""'), 304],
  ['9110 §8.8.3 a tag may hold a comma', { ETag: '"a,b"' }, none('"x", "a,b"'), 304],
  ['9110 §8.8.3 what stands in a tag is no list', { ETag: '"b"' }, none('"a,b"'), 200],
  ['9110 §8.8.3 a backslash escapes nothing', { ETag: '"a\\"' }, none('"a\\", "x"'), 304],
  ['9110 §8.8.3 a tag without quotes is none', TAG, none('a'), 200],
  ['9110 §13.1.2 a list in any order', TAG, none('"x",W/"y" ,  "a"'), 304],
  ['9110 §13.1.2 a list without the tag', TAG, none('"x", W/"y", "aa"'), 200],
  ['9110 §5.6.1 empty members of a list do not count', TAG, none(', ,"a",'), 304],
  ['9110 §13.1.2 an asterisk is any response', TAG, none('*'), 304],
  ['9110 §13.1.2 an asterisk needs no tag', {}, none('*'), 304],
  ['9110 §13.1.2 a quoted asterisk is a tag', TAG, none('"*"'), 200],
  ['9110 §13.1.2 no tag at all', TAG, none(''), 200],
  ['9110 §13.1.3 the same date', DATED, since(MODIFIED), 304],
  ['9110 §13.1.3 a later date', DATED, since(LATER), 304],
  ['9110 §13.1.3 an earlier date', DATED, since(EARLIER), 200],
  ['9110 §5.6.7 the second form of dates', DATED, since('Tuesday, 15-Nov-94 12:45:26 GMT'), 304],
  ['9110 §5.6.7 the third form of dates', DATED, since('Tue Nov 15 12:45:26 1994'), 304],
  ['9110 §5.6.7 the third form, one digit', { 'Last-Modified': MODIFIED }, since('Wed Dec  7 00:00:00 1994'), 304],
  ['9110 §13.1.3 no date is ignored', DATED, since('2094-11-15T12:45:26Z'), 200],
  ['9110 §13.1.3 another zone is no date', DATED, since('Tue, 15 Nov 1994 12:45:26 UTC'), 200],
  ['9110 §13.1.3 two dates are none', DATED, since(`${LATER}, ${LATER}`), 200],
  ['9110 §13.1.3 a day that is not is no date', DATED, since('Wed, 30 Feb 2094 12:45:26 GMT'), 200],
  ['9110 §13.2.2 the tag decides, not the date', { ...TAG, ...DATED }, { ...none('"b"'), ...since(LATER) }, 200],
  ['9110 §13.2.2 also where the date says no', { ...TAG, ...DATED }, { ...none('"a"'), ...since(EARLIER) }, 304],
  ['9110 §13.1.3 a tag without match hides the date', DATED, { ...none('"b"'), ...since(LATER) }, 200],
];

describe.each(SETTINGS)('conditions of a client ($policy, $place)', (setting) => {
  it('are answered alike cold, warm and by HEAD, and spoil nothing that is stored', async () => {
    const handler =
      ([, stored]: Row): Handler =>
      (_req, res) => {
        res
          .set({ 'Cache-Control': 'max-age=60', ...stored })
          .type('text')
          .end('the body');
      };
    await eachRow(setting, CONDITIONS, handler, async ([rule, , asked, status], { get, head, seen }) => {
      for (const send of [get, get, head]) {
        const answer = await send(asked);
        expect([rule, answer.status, answer.text]).toEqual([
          rule,
          status,
          status === 200 && send === get ? 'the body' : '',
        ]);
        expect([rule, status === 200 || isBare304(answer)]).toEqual([rule, true]);
      }
      const whole = await get();
      expect([rule, verdict(whole), whole.text, seen.length]).toEqual([rule, HIT, 'the body', 1]);
    });
  });
});

const REPEATED = {
  'Cache-Control': 'max-age=60',
  'Content-Location': '/other',
  Date: new Date(Date.now() - 5_000).toUTCString(),
  ETag: '"a"',
  Expires: new Date(Date.now() + 50_000).toUTCString(),
  Vary: 'X-One',
};
/** Later than anything that is made now. */
const FUTURE = new Date(Date.now() + 86_400_000).toUTCString();

describe.each(ALL_SETTINGS)('stored responses ($policy, $place)', (setting) => {
  it('answer 304 with what 9110 §15.4.5 asks for, cold and warm', async () => {
    const { get } = await origin(setting, (_req, res) => {
      res.set({ ...REPEATED, 'Content-Language': 'de', 'Content-Encoding': 'x' }).end('the body');
    });
    for (const _ of ['cold', 'warm']) {
      const answer = await get(none('"a"'));
      const fields = Object.entries(REPEATED).map(([name]) => answer.headers[name.toLowerCase()]);
      expect([isBare304(answer), fields]).toEqual([true, Object.values(REPEATED)]);
      expect(answer.headers['content-language']).toBeUndefined();
    }
  });

  it('compare If-Modified-Since with their Date when they have nothing better (9111 §4.3.2)', async () => {
    const { get } = await origin(setting, (_req, res) => void res.set('Cache-Control', 'max-age=60').end('body'));
    await get();
    expect((await get(since(FUTURE))).status).toBe(304);
    expect((await get(since(EARLIER))).status).toBe(200);
  });

  it('evaluate conditions where the answer would be a 2xx, and nowhere else (9110 §13.2.1)', async () => {
    for (const [status, expected] of [
      [203, 304],
      [204, 304],
      [301, 301],
      [404, 404],
      [410, 410],
    ] as const) {
      const { get } = await origin(setting, (_req, res) => {
        res.status(status).set({ 'Cache-Control': 'public, max-age=60', ETag: '"a"' }).end();
      });
      expect([(await get(none('"a"'))).status, (await get(none('"a"'))).status]).toEqual([expected, expected]);
      expect((await get()).status).toBe(status);
    }
  });

  it('answer HEAD as they answer GET, without the body (9110 §9.3.2)', async () => {
    const { get, head, seen } = await origin(setting, (_req, res) => {
      res.set({ 'Cache-Control': 'max-age=60', ...TAG, 'X-One': '1' }).send('the body');
    });
    await get();
    const [whole, bare] = [await get(), await head()];
    const fields = ({ headers }: Answer): unknown => ({ ...headers, 'cache-status': undefined, age: undefined });
    expect([bare.status, bare.text, verdict(bare), fields(bare)]).toEqual([200, '', HIT, fields(whole)]);
    expect(bare.headers['content-length']).toBe('8');
    expect(seen.length).toBe(1);
  });
});

describe.each(SETTINGS)('conditions of a POST ($policy, $place)', (setting) => {
  it('are for the handler alone: they say whether it may be done (9110 §13.1.2)', async () => {
    const { get, seen } = await origin(setting, (_req, res) => {
      res
        .status(201)
        .set({ 'Cache-Control': 'max-age=60', 'Content-Location': '/', ...TAG })
        .end('made');
    });
    const answer = await get({ ...none('*'), ...since(MODIFIED) }, { method: 'POST' });
    expect([answer.status, answer.text]).toEqual([201, 'made']);
    expect([seen[0]?.headers['if-none-match'], seen[0]?.headers['if-modified-since']]).toEqual(['*', MODIFIED]);
  });
});

const OLD = { 'Cache-Control': 'max-age=0', ETag: '"a"' };

describe.each(ALL_SETTINGS)('only-if-cached ($policy, $place)', (setting) => {
  const wish = (more = ''): Headers => ({ 'Cache-Control': `only-if-cached${more}` });

  it('is a question to the cache alone where the policy honours it (9111 §5.2.1.7)', async () => {
    const isHonored = setting.policy === 'rfc9111';
    const { get, seen } = await origin(setting, (_req, res, run) => {
      res.set(run < 2 || !isHonored ? { 'Cache-Control': 'max-age=60' } : OLD).send('body');
    });
    expect((await get(wish())).status).toBe(isHonored ? 504 : 200);
    expect(seen.length).toBe(isHonored ? 0 : 1);
    await get();
    expect(verdict(await get(wish()))).toBe(HIT);
    expect((await get(wish(', no-cache'))).status).toBe(isHonored ? 504 : 200);
    expect(seen.length).toBe(1);
  });

  it('takes what is stale where the client does, too (9111 §5.2.1.2)', async () => {
    if (setting.policy === 'app') return;
    const { get, seen } = await origin(setting, (_req, res) => void res.set(OLD).send('body'));
    await get();
    expect([(await get(wish())).status, (await get(wish(', max-stale'))).status, seen.length]).toEqual([504, 200, 1]);
  });
});
