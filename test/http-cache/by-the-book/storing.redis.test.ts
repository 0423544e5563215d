import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from '@jest/globals';
import type { RequestHandler } from 'express';
import { verdict } from '../support.ts';
import {
  everywhere,
  expected,
  type Fate,
  fateOf,
  from,
  headersOf,
  optionsOf,
  type PolicyName,
  type Row,
  setAll,
} from './support.ts';

const AUTHORIZED = from({ Authorization: 'Bearer x' });

function authorized(row: Row): Row {
  return { ...row, ask: AUTHORIZED, options: { cookies: 'ignore' } };
}

const ROWS: readonly Row[] = [
  { rule: '§3 neither a lifetime nor a status to reckon with', status: 302, both: 'refused' },
  { rule: '§3 no lifetime, no validator', both: 'refused' },
  { rule: '§3 no lifetime, but a validator', headers: { ETag: '"1"' }, app: 'refused', rfc9111: 'stale' },
  { rule: '§3 public alone', cc: 'public', both: 'refused' },
  { rule: '§3 max-age', cc: 'max-age=60', both: 'hit' },
  { rule: '§3 s-maxage', cc: 's-maxage=60', both: 'hit' },
  { rule: '§3 an extension directive, which is not understood', cc: 'store-please', both: 'refused' },
  { rule: '§3 no-store', cc: 'no-store, max-age=60', both: 'refused' },
  { rule: '§3 private', cc: 'private, max-age=60', both: 'refused' },
  { rule: '§3 a partial response, for a whole request', status: 206, cc: 'max-age=60', both: 'refused' },
  {
    rule: '§3.1 trailers, which may not become headers',
    cc: 'max-age=60',
    headers: { Trailer: 'X-Sum' },
    both: 'refused',
  },
  { rule: '§7.3 Set-Cookie', cc: 'max-age=60', headers: { 'Set-Cookie': 'a=1' }, app: 'refused', rfc9111: 'hit' },
  { rule: '§4.1 Vary: *', cc: 'max-age=60', headers: { Vary: '*' }, both: 'refused' },
  { rule: '§4.1 Vary with * among names', cc: 'max-age=60', headers: { Vary: 'Accept, *' }, both: 'refused' },
  ...[
    { rule: '§3.5 max-age', cc: 'max-age=60', both: 'refused' as const },
    { rule: '§3.5 public', cc: 'public, max-age=60', both: 'hit' as const },
    { rule: '§3.5 s-maxage', cc: 's-maxage=60', app: 'refused' as const, rfc9111: 'hit' as const },
    {
      rule: '§3.5 must-revalidate',
      cc: 'must-revalidate, max-age=60',
      app: 'refused' as const,
      rfc9111: 'hit' as const,
    },
    {
      rule: '§3.5 proxy-revalidate, which is not enough',
      cc: 'proxy-revalidate, max-age=60',
      both: 'refused' as const,
    },
    { rule: '§3.5 private beside public', cc: 'public, private, max-age=60', both: 'refused' as const },
  ].map(authorized),
  { ...authorized({ rule: '§3.5 what it allows answers others' }), cc: 'public, max-age=60', again: {}, both: 'hit' },
];

/** Which statuses are stored with a lifetime of their own: in `app` those that are no failure and no matter between one client and the server. */
const STATUSES: Readonly<Record<'hit' | 'refused', { app: readonly number[]; rfc9111: readonly number[] }>> = {
  hit: {
    app: [200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 402, 403, 404, 405, 406, 409, 410, 414, 415, 422, 451],
    rfc9111: [
      200, 201, 202, 203, 204, 299, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 410, 425, 451, 500, 501, 503, 599,
    ],
  },
  refused: {
    app: [201, 202, 205, 207, 299, 304, 401, 407, 408, 416, 421, 425, 428, 429, 431, 500, 501, 503, 511, 599],
    rfc9111: [304, 428, 429, 431, 511], // RFC 6585 §3 - §6.
  },
};
const BY_DEFAULT = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];

interface Fields {
  readonly rule: string;
  readonly headers: NonNullable<Row['headers']>;
  /** Names of those that are not repeated. Default: all are. */
  readonly gone?: readonly string[];
  readonly app?: 'refused';
}

const KEPT: readonly Fields[] = [
  { rule: '§3.1 fields that are not known', headers: { 'X-Unknown': 'a', 'x-lower': 'b', 'X-mIxEd': 'c' } },
  { rule: '§3.1 several lines of one name', headers: { Link: ['</a>', '</b>'], 'X-Two': ['1', '2'] } },
  {
    rule: '§3.1 Connection',
    headers: { Connection: 'X-Hop, x-oTHER', 'X-Hop': '1', 'X-Other': '2', 'X-End': '3' },
    gone: ['Connection', 'X-Hop', 'X-Other'],
  },
  {
    rule: '§3.1 Connection in two lines',
    headers: { Connection: ['x-a', 'x-b'], 'X-A': '1', 'X-B': '2' },
    gone: ['Connection', 'X-A', 'X-B'],
  },
  {
    rule: '9110 §7.6.1 fields of one hop',
    headers: { 'Keep-Alive': 'timeout=9', 'Proxy-Connection': 'x', TE: 'trailers', Upgrade: 'h2c' },
    gone: ['Keep-Alive', 'Proxy-Connection', 'TE', 'Upgrade'],
  },
  {
    rule: '§3.1 fields of a proxy',
    headers: { 'Proxy-Authenticate': 'Basic', 'Proxy-Authentication-Info': 'x' },
    gone: ['Proxy-Authenticate', 'Proxy-Authentication-Info'],
  },
  { rule: '§3.1 Set-Cookie, in several lines', headers: { 'Set-Cookie': ['a=1', 'b=2'] }, app: 'refused' },
  { rule: '§5.1 Age, which is reckoned anew', headers: { Age: '0007' }, gone: ['Age'] },
  { rule: '9110 §6.6.1 Date, which stays', headers: () => ({ Date: new Date(Date.now() - 5_000).toUTCString() }) },
  {
    rule: 'fields of this passage',
    headers: { 'X-Cache': 'HIT', 'RateLimit-Limit': '1', RateLimit: '"a";r=1', 'X-RateLimit-Reset': '3' },
    gone: ['X-Cache', 'RateLimit-Limit', 'RateLimit', 'X-RateLimit-Reset'],
  },
  {
    rule: '§5.2.2.7 private for some fields',
    headers: { 'Cache-Control': 'max-age=60, private="x-mine, X-Own"', 'X-Mine': '1', 'X-Own': '2', 'X-All': '3' },
    gone: ['X-Mine', 'X-Own'],
    app: 'refused',
  },
  {
    rule: '§5.2.2.4 no-cache for some fields',
    headers: { 'Cache-Control': 'max-age=60, no-cache="X-Mine"', 'X-Mine': ['1', '2'], 'X-All': '3' },
    gone: ['X-Mine'],
    app: 'refused',
  },
  {
    rule: '§5.2.2.7 private for fields, in two directives',
    headers: { 'Cache-Control': 'private="x-a", max-age=60, private=x-b', 'X-A': '1', 'X-B': '2' },
    gone: ['X-A', 'X-B'],
    app: 'refused',
  },
  { rule: '8246 §2 immutable', headers: { 'Cache-Control': 'max-age=60, immutable' } },
];

const folder = mkdtempSync(join(tmpdir(), 'by-the-book-'));
const file = join(folder, 'body.txt');
writeFileSync(file, 'body');
afterAll(() => rmSync(folder, { recursive: true }));

/** The ways in which handlers answer. */
const STYLES: Readonly<Record<string, (row: Row) => RequestHandler>> = {
  'res.send': (row) => (_req, res) => {
    setAll(res, row);
    res.status(row.status ?? 200).send('body');
  },
  'writeHead and end': (row) => (_req, res) => {
    res.writeHead(row.status ?? 200, headersOf(row) as Record<string, string>).end('body');
  },
  'setHeader and pipe': (row) => (_req, res) => {
    setAll(res, row);
    res.statusCode = row.status ?? 200;
    Readable.from(['bo', 'dy']).pipe(res);
  },
  'res.sendFile': (row) => (_req, res) => {
    setAll(res, row);
    res.status(row.status ?? 200).sendFile(file, { lastModified: false, etag: false, cacheControl: false });
  },
};
const STYLED: readonly Row[] = [
  { rule: '§3 max-age', cc: 'max-age=60', headers: { 'X-Two': ['1', '2'] }, both: 'hit' },
  { rule: '§3 no-store', cc: 'no-store', both: 'refused' },
  { rule: '§3 private, in another case', cc: 'max-age=60, Private', both: 'refused' },
  { rule: '§5.3 Expires', headers: () => ({ Expires: new Date(Date.now() + 60_000).toUTCString() }), both: 'hit' },
  { rule: '§4.2.1 nothing', both: 'refused' },
];

/** Responses that break off, or are not what they promise. */
const BROKEN: Readonly<Record<string, RequestHandler>> = {
  'a body that breaks off': (_req, res) => {
    res.write('bo', () => void res.destroy());
  },
  'fewer bytes than promised': (_req, res) => {
    res.setHeader('Content-Length', 4);
    res.end('bod');
  },
  'more bytes than promised': (_req, res) => {
    res.setHeader('Content-Length', 3);
    res.end('body');
  },
};

function statusRows(policy: PolicyName): (readonly [number, Fate])[] {
  return (['hit', 'refused'] as const).flatMap((fate) =>
    STATUSES[fate][policy].map((status) => [status, fate] as const),
  );
}

async function inTurn<T, R>(values: readonly T[], run: (value: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const value of values) results.push(await run(value));
  return results;
}

everywhere((stage, policy, rows) => {
  it.each(rows(ROWS).map((row) => [`${row.rule}: ${expected(row, policy)}`, row] as const))(
    '%s',
    async (_name, row) => {
      expect(await fateOf(stage(), row, policy)).toBe(expected(row, policy));
    },
  );

  it.each(rows(statusRows(policy)))('§3 a lifetime with status %i: %s', async (status, fate) => {
    expect(await fateOf(stage(), { rule: '', status, cc: 'max-age=60' }, policy)).toBe(fate);
  });

  it('§4.2.2 reckons a lifetime only for statuses that are cacheable by default, and for public ones', async () => {
    const headers = { 'Last-Modified': new Date(0).toUTCString() };
    const fates = async (cc: string, statuses: readonly number[]): Promise<string[]> =>
      inTurn(statuses, (status) => fateOf(stage(), { rule: '', status, cc, headers }, policy));
    const hit = policy === 'rfc9111' ? 'hit' : 'refused';
    const others = [201, 302, 307, 403, 500];
    expect(new Set(await fates('x', BY_DEFAULT))).toEqual(new Set([hit]));
    expect(new Set(await fates('x', others))).toEqual(new Set(['refused']));
    expect(new Set(await fates('public', others))).toEqual(new Set([hit]));
  });

  it.each(rows(KEPT))('repeats what it may: $rule', async (row) => {
    const path = stage().route({ policy }, (_req, res) => {
      setAll(res, { cc: 'max-age=60', ...row });
      res.end('body');
    });
    const sent = (await stage().ask(path)).lines;
    const again = await stage().ask(path);
    const isRefused = policy === 'app' && row.app === 'refused';
    expect(verdict(again)).toBe(isRefused ? 'fwd=uri-miss' : 'hit; ttl');
    if (isRefused) return;
    const gone = new Set((row.gone ?? []).map((name) => name.toLowerCase()));
    const names = Object.keys(headersOf(row));
    for (const name of names) {
      const lines = sent.filter((line) => line.startsWith(`${name}: `));
      expect(lines).not.toEqual([]);
      const repeated = again.lines.filter((line) => lines.includes(line));
      expect(repeated).toEqual(gone.has(name.toLowerCase()) ? [] : lines);
    }
  });

  describe.each(Object.keys(STYLES))('answered by %s', (style) => {
    it.each(rows(STYLED))('$rule', async (row) => {
      const answer = STYLES[style]?.(row);
      if (answer === undefined) throw new Error(`No such style: ${style}`);
      const path = stage().route({ policy }, answer);
      const [first, second] = [await stage().ask(path), await stage().ask(path)];
      const isHit = expected(row, policy) === 'hit';
      expect([verdict(first), verdict(second)]).toEqual(
        isHit ? ['fwd=uri-miss; stored', 'hit; ttl'] : ['fwd=uri-miss', 'fwd=uri-miss'],
      );
      const own = (lines: readonly string[]): string[] => lines.filter((line) => /^(?:x-|content-type)/i.test(line));
      expect([second.text, own(second.lines)]).toEqual(['body', own(first.lines)]);
    });
  });

  it.each(Object.entries(BROKEN))('§3.3 does not store %s', async (_name, answer) => {
    let runs = 0;
    const path = stage().route(optionsOf({}, policy), (req, res, next) => {
      runs++;
      res.setHeader('Cache-Control', 'max-age=60');
      return answer(req, res, next);
    });
    for (let i = 0; i < 2; i++) await stage().askBlindly(path);
    expect(runs).toBe(2);
  });
});
