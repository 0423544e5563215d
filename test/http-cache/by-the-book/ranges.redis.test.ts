import { describe, expect, it } from '@jest/globals';
import type { Request, Response } from 'express';
import { HIT, verdict } from '../support.ts';
import { until } from '../../support/waiting.ts';
import { ALL_SETTINGS, eachRow, type Handler, isBare304, origin, SETTINGS } from './validation-support.ts';

const FRESH = { 'Cache-Control': 'max-age=60' };
const MODIFIED = 'Tue, 15 Nov 1994 12:45:26 GMT';

type Expected = 'whole' | 'unsatisfiable' | readonly [first: number, last: number];
type Row = readonly [rule: string, range: string, expected: (length: number) => Expected];

const whole = (): Expected => 'whole';
const within = (first: number, last: number) => (length: number) =>
  first < length ? ([first, Math.min(last, length - 1)] as const) : 'unsatisfiable';
const last = (count: number) => (length: number) =>
  length === 0 ? 'whole' : ([Math.max(0, length - count), length - 1] as const);

const RANGES: readonly Row[] = [
  ['§14.1.2 first to last', 'bytes=0-4', within(0, 4)],
  ['§14.1.2 one byte', 'bytes=3-3', within(3, 3)],
  ['§14.1.2 the last position may lie beyond', 'bytes=1-999999999', within(1, 999_999_999)],
  ['§14.1.2 open', 'bytes=2-', within(2, Infinity)],
  ['§14.1.2 all of it', 'bytes=0-', within(0, Infinity)],
  ['§14.1.2 suffix', 'bytes=-3', last(3)],
  ['§14.1.2 a suffix longer than the whole is the whole', 'bytes=-999999999', last(999_999_999)],
  ['§14.1.2 a suffix of no bytes cannot be satisfied', 'bytes=-0', () => 'unsatisfiable'],
  ['§15.5.17 beyond the end', 'bytes=999999-', () => 'unsatisfiable'],
  ['§15.5.17 far beyond the end', 'bytes=99999999999999999999-', () => 'unsatisfiable'],
  ['§14.1 units in any case', 'BYTES=0-1', within(0, 1)],
  ['§14.1.2 leading zeros', 'bytes=0000-0001', within(0, 1)],
  ['§14.2 several ranges may be ignored', 'bytes=0-1,4-5', whole],
  ['§14.2 many ranges may be ignored', `bytes=${'0-,'.repeat(500)}0-`, whole],
  ['§14.2 an unknown unit is ignored', 'seconds=0-1', whole],
  ['§14.1.1 last before first is invalid', 'bytes=4-2', whole],
  ['§14.1.1 no position is invalid', 'bytes=-', whole],
  ['§14.1.1 negative positions are invalid', 'bytes=--1', whole],
  ['§14.1.1 text is invalid', 'bytes=a-b', whole],
  ['§14.1.1 blanks are invalid', 'bytes= 0-1', whole],
  ['§14.1.1 no unit is invalid', '0-1', whole],
  ['§14.1.1 nothing is invalid', 'bytes=', whole],
];

/** Bodies of every kind in which one is kept: none, one byte, small, larger than what is sent in one piece, compressed. */
const BODIES: readonly (readonly [string, Buffer, string])[] = [
  ['no byte', Buffer.alloc(0), 'text/plain'],
  ['one byte', Buffer.from('a'), 'text/plain'],
  ['ten bytes', Buffer.from('0123456789'), 'text/plain'],
  ['bytes that are no text', Buffer.from(Array.from({ length: 256 }, (_, i) => i)), 'application/octet-stream'],
  ['a large body', Buffer.alloc(50_000, 'x0123456789'), 'application/octet-stream'],
  ['a body kept compressed', Buffer.alloc(5_000, '0123456789 '), 'text/plain'],
];

describe.each(ALL_SETTINGS)('ranges of stored responses ($policy, $place; 9110)', (setting) => {
  it.each(BODIES)('of %s are the bytes that were asked for', async (_name, body, type) => {
    const { get, seen, suite } = await origin(setting, (_req, res) => res.set(FRESH).type(type).end(body), {
      compress: '4kb',
    });
    await get();
    await until(() => suite.stats().cache.stores === 1);
    for (const [rule, range, expectedOf] of RANGES) {
      const expected = expectedOf(body.length);
      const { status, headers, body: bytes } = await get({ Range: range, 'Accept-Encoding': 'gzip;q=0' });
      const [first, final] = typeof expected === 'string' ? [0, body.length - 1] : expected;
      const isNone = expected === 'unsatisfiable';
      expect([rule, status]).toEqual([rule, isNone ? 416 : expected === 'whole' ? 200 : 206]);
      expect([rule, headers['content-range']]).toEqual([
        rule,
        isNone ? `bytes */${body.length}` : expected === 'whole' ? undefined : `bytes ${first}-${final}/${body.length}`,
      ]);
      expect([rule, bytes.equals(isNone ? Buffer.alloc(0) : body.subarray(first, final + 1))]).toEqual([rule, true]);
    }
    expect(seen.length).toBe(1);
  });
});

const ifRange = (value: string): Readonly<Record<string, string>> => ({ Range: 'bytes=2-3', 'If-Range': value });
const OLD_ENOUGH = new Date(Date.parse(MODIFIED) + 3_600_000).toUTCString();

type Condition = readonly [rule: string, Readonly<Record<string, string>>, condition: string, status: 200 | 206];

const CONDITIONS: readonly Condition[] = [
  ['the same strong tag', { ETag: '"a"' }, '"a"', 206],
  ['another tag', { ETag: '"a"' }, '"b"', 200],
  ['a weak tag', { ETag: 'W/"a"' }, 'W/"a"', 200],
  ['a weak tag for a strong one', { ETag: '"a"' }, 'W/"a"', 200],
  ['a strong tag for a weak one', { ETag: 'W/"a"' }, '"a"', 200],
  ['a list', { ETag: '"a"' }, '"a", "b"', 200],
  ['an asterisk', { ETag: '"a"' }, '*', 200],
  ['the same date, long before the response', { 'Last-Modified': MODIFIED, Date: OLD_ENOUGH }, MODIFIED, 206],
  ['the same date, just before the response (§8.8.2.2)', { 'Last-Modified': MODIFIED, Date: MODIFIED }, MODIFIED, 200],
  ['a later date', { 'Last-Modified': MODIFIED, Date: OLD_ENOUGH }, OLD_ENOUGH, 200],
  ['a date where there is a tag only', { ETag: '"a"' }, MODIFIED, 200],
  ['a tag where there is a date only', { 'Last-Modified': MODIFIED }, `"${MODIFIED}"`, 200],
  ['what is neither', { ETag: '"a"', 'Last-Modified': 'x' }, 'x', 200],
];

describe.each(SETTINGS)('stored responses ($policy, $place)', (setting) => {
  it('are cut under If-Range only where they are surely the same representation (9110 §13.1.5)', async () => {
    // Old by its Date, but asked for at once: the lifetime is long.
    const handler =
      ([, stored]: Condition): Handler =>
      (_req, res) => {
        res.set({ 'Cache-Control': 'max-age=2000000000', ...stored }).end('0123456789');
      };
    await eachRow(setting, CONDITIONS, handler, async ([rule, , condition, status], { get, seen }) => {
      await get();
      const answer = await get(ifRange(condition));
      expect([rule, answer.status, answer.text]).toEqual([rule, status, status === 206 ? '23' : '0123456789']);
      expect([rule, seen.length]).toEqual([rule, 1]);
    });
  });

  it('answer 304 before they look at a range (9110 §13.2.2), and HEAD whole (§14.2)', async () => {
    const { get, head } = await origin(setting, (_req, res) => res.set({ ...FRESH, ETag: '"a"' }).end('0123456789'));
    await get();
    for (const range of ['bytes=0-1', 'bytes=99-']) {
      expect(isBare304(await get({ Range: range, 'If-None-Match': '"a"' }))).toBe(true);
      const bare = await head({ Range: range });
      expect([bare.status, bare.headers['content-length'], bare.headers['content-range']]).toEqual([
        200,
        '10',
        undefined,
      ]);
    }
    expect((await get({ Range: 'bytes=0-1', 'If-None-Match': '"b"' })).status).toBe(206);
  });

  it('give a part what the whole has beside its length (9110 §15.3.7), and no lifetime to a refusal (§15.5.17)', async () => {
    const fields = {
      'Cache-Control': 'public, max-age=60',
      'CDN-Cache-Control': 'max-age=60',
      Expires: new Date(Date.now() + 60_000).toUTCString(),
      ETag: '"a"',
      'Last-Modified': MODIFIED,
      Vary: 'X-One',
      'Content-Location': '/other',
      'Access-Control-Allow-Origin': '*',
    };
    const { get } = await origin(setting, (_req, res) => res.set(fields).type('text').end('0123456789'));
    await get();
    const part = await get({ Range: 'bytes=2-5' });
    for (const [name, value] of Object.entries(fields)) expect(part.headers[name.toLowerCase()]).toBe(value);
    expect([part.headers['content-type'], part.headers['content-length']]).toEqual(['text/plain; charset=utf-8', '4']);
    const { status, headers } = await get({ Range: 'bytes=10-' });
    expect([status, headers['content-range'], headers['content-length']]).toEqual([416, 'bytes */10', '0']);
    const left = Object.keys(fields).filter((name) => headers[name.toLowerCase()] !== undefined);
    expect(left).toEqual(['Vary', 'Content-Location', 'Access-Control-Allow-Origin']);
  });

  it('are never a refused range, whatever lifetime the handler gives it', async () => {
    const { get } = await origin(setting, (req, res) => {
      if (req.get('Range') === undefined) res.set(FRESH).end('0123456789');
      else res.status(416).set({ 'Cache-Control': 'public, max-age=60', 'Content-Range': 'bytes */10' }).end();
    });
    expect((await get({ Range: 'bytes=99-' })).status).toBe(416);
    const plain = await get();
    expect([plain.status, plain.text]).toEqual([200, '0123456789']);
    expect((await get({ Range: 'bytes=0-1' })).text).toBe('01');
  });

  it('answer ranges after a validation that a ranged request brought about (9111 §4.3.1)', async () => {
    const { get } = await origin(setting, (req, res) => {
      res.set({ 'Cache-Control': 'max-age=0', ETag: '"a"' });
      if (req.get('If-None-Match') === '"a"') res.status(304).end();
      else res.end('0123456789');
    });
    await get();
    const part = await get({ Range: 'bytes=2-3' });
    expect([part.status, part.text, verdict(part)]).toEqual([206, '23', 'fwd=stale; fwd-status=304; stored']);
    expect((await get()).text).toBe('0123456789');
  });
});

describe.each(['memory', 'redis'] as const)('a part under the policy app (%s)', (place) => {
  it('passes, and is neither stored nor asked for', async () => {
    const { get, seen } = await origin({ place, policy: 'app' }, (req: Request, res: Response) => {
      if (req.get('Range') === undefined) res.set(FRESH).end('0123456789');
      else
        res
          .status(206)
          .set({ ...FRESH, ETag: '"a"', 'Content-Range': 'bytes 0-1/10' })
          .end('01');
    });
    for (const _ of ['first', 'second']) {
      const part = await get({ Range: 'bytes=0-1' });
      expect([part.status, part.text, verdict(part)]).toEqual([206, '01', 'fwd=uri-miss']);
    }
    expect((await get()).text).toBe('0123456789');
    expect(seen.map(({ headers }) => headers.range)).toEqual(['bytes=0-1', 'bytes=0-1', undefined]);
    expect(verdict(await get({ Range: 'bytes=0-1' }))).toBe(HIT);
  });
});
