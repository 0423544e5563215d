import { expect, it } from '@jest/globals';
import type { RequestHandler } from 'express';
import { parseList } from 'structured-headers';
import { type Ask } from '../support.ts';
import { gate, until } from '../../support/waiting.ts';
import { everywhere, from, type Headers, optionsOf, type Row, setAll } from './support.ts';

type Told = string | undefined;

interface StatusRow {
  readonly rule: string;
  readonly options?: NonNullable<Row['options']>;
  /** The handler's fields, run by run. Default: fresh for a minute. */
  readonly headers?: readonly Headers[];
  /** Its status, run by run. */
  readonly status?: readonly number[];
  readonly asks: readonly Ask[];
  /** Members of this cache, with `ttl=N` where N is what the rule says. */
  readonly app: readonly Told[];
  readonly rfc9111: readonly Told[];
}

const FRESH: Headers = { 'Cache-Control': 'max-age=60' };
/** Stale for ten seconds when it comes. */
const old = (more: string): Headers => ({ 'Cache-Control': `max-age=60${more}`, Age: '70' });
const TAGGED: Headers = { ETag: '"1"' };
const same = (...told: readonly Told[]): Pick<StatusRow, 'app' | 'rfc9111'> => ({ app: told, rfc9111: told });
const NO_CACHE = from({ 'Cache-Control': 'no-cache' });

const ROWS: readonly StatusRow[] = [
  {
    rule: '§2.2 uri-miss, §2.5 stored, §2.1 hit, §2.4 ttl',
    asks: [{}, {}],
    ...same('fwd=uri-miss; stored', 'hit; ttl=59'),
  },
  {
    rule: '§2.5 not stored',
    headers: [{ 'Cache-Control': 'no-store' }],
    asks: [{}, {}],
    ...same('fwd=uri-miss', 'fwd=uri-miss'),
  },
  {
    rule: '§2.2 vary-miss',
    headers: [{ ...FRESH, Vary: 'Accept' }],
    asks: [from({ Accept: 'a' }), from({ Accept: 'b' }), from({ Accept: 'a' })],
    ...same('fwd=uri-miss; stored', 'fwd=vary-miss; stored', 'hit; ttl=59'),
  },
  { rule: '§2.2 method', asks: [{ method: 'POST' }, { method: 'OPTIONS' }], ...same('fwd=method', 'fwd=method') },
  { rule: '§2.2 bypass, by the request', asks: [from({ 'If-Match': '*' })], ...same('fwd=bypass') },
  { rule: '§2.2 bypass, by the route', options: { skip: () => true }, asks: [{}], ...same('fwd=bypass') },
  {
    rule: '§2.2 request',
    asks: [{}, NO_CACHE],
    app: ['fwd=uri-miss; stored', 'hit; ttl=59'],
    rfc9111: ['fwd=uri-miss; stored', 'fwd=request; stored'],
  },
  {
    rule: '§2.2 request, only for what is fresh',
    headers: [{ ...old(''), ...TAGGED }],
    asks: [{}, NO_CACHE],
    app: ['fwd=uri-miss', 'fwd=uri-miss'],
    rfc9111: ['fwd=uri-miss; stored', 'fwd=stale; stored'],
  },
  {
    rule: '§2.2 stale, §2.3 fwd-status of a validation',
    headers: [
      { ...old(', stale-if-error=60'), ...TAGGED },
      { ...FRESH, ...TAGGED },
    ],
    status: [200, 304],
    asks: [{}, {}, {}],
    ...same('fwd=uri-miss; stored', 'fwd=stale; fwd-status=304; stored', 'hit; ttl=59'),
  },
  {
    rule: '§2.3 fwd-status of an error that a stale response takes the place of, §2.4 a ttl below 0',
    headers: [old(', stale-if-error=60'), {}],
    status: [200, 503],
    asks: [{}, {}],
    ...same('fwd=uri-miss; stored', 'fwd=stale; fwd-status=503; ttl=-11'),
  },
  {
    rule: '§2.3 fwd-status of a response whose client has it',
    headers: [{ ...FRESH, ...TAGGED }],
    asks: [from({ 'If-None-Match': '"1"' }), from({ 'If-None-Match': '"1"' })],
    ...same('fwd=uri-miss; fwd-status=200; stored', 'hit; ttl=59'),
  },
  {
    rule: '§2.1 a hit that is stale, §2.4 its ttl',
    headers: [old(', stale-while-revalidate=60')],
    asks: [{}, {}],
    ...same('fwd=uri-miss; stored', 'hit; ttl=-11'),
  },
  {
    rule: '§2.2 partial',
    headers: [{ ...FRESH, 'Content-Range': 'bytes 0-3/8' }, FRESH],
    status: [206, 200],
    asks: [from({ Range: 'bytes=0-3' }), {}],
    app: ['fwd=uri-miss', 'fwd=uri-miss; stored'],
    rfc9111: ['fwd=uri-miss; stored', 'fwd=partial; stored'],
  },
  {
    rule: '§2.5 a partial response that cannot be stored',
    headers: [FRESH],
    status: [206],
    asks: [from({ Range: 'bytes=0-3' })],
    ...same('fwd=uri-miss'),
  },
  {
    rule: '§2 none where nothing was forwarded and nothing hit',
    asks: [from({ 'Cache-Control': 'only-if-cached' })],
    app: ['fwd=uri-miss; stored'],
    rfc9111: [undefined],
  },
  { rule: '§2.1 to HEAD', asks: [{}, { method: 'HEAD' }], ...same('fwd=uri-miss; stored', 'hit; ttl=59') },
  { rule: '§2.5 HEAD, which stores nothing', asks: [{ method: 'HEAD' }], ...same('fwd=uri-miss') },
  {
    rule: '§2.4 a ttl of an old response',
    headers: [{ ...FRESH, Age: '30' }],
    asks: [{}, {}],
    ...same('fwd=uri-miss; stored', 'hit; ttl=29'),
  },
];

/** Answers its runs one by one, the last again and again. */
function handlerOf({ headers = [FRESH], status = [200] }: StatusRow): RequestHandler {
  let runs = 0;
  return (_req, res) => {
    const at = <T>(list: readonly T[]): T | undefined => list[Math.min(runs, list.length - 1)];
    setAll(res, { headers: at(headers) ?? {} });
    res.status(at(status) ?? 200);
    runs++;
    res.end(res.statusCode === 206 ? 'body' : 'bodybody');
  };
}

everywhere((stage, policy, rows) => {
  it.each(rows(ROWS))('9211 $rule', async (row) => {
    const path = stage().route(optionsOf(row, policy), handlerOf(row));
    const told: Told[] = [];
    for (const asked of row.asks) told.push(memberOf((await stage().ask(path, asked)).headers['cache-status']));
    expect(told.map(withoutTtl)).toEqual(row[policy].map(withoutTtl));
    for (const [i, member] of told.entries()) {
      const [ttl, wanted] = [ttlIn(member), ttlIn(row[policy][i])];
      // It may have become less since, on a machine that is busy.
      expect([ttl <= wanted, ttl > wanted - 20]).toEqual([true, true]);
    }
  });

  it('9211 §2.6 collapsed, of who waited for another', async () => {
    const opened = gate();
    let arrived = 0;
    let runs = 0;
    const path = stage().mount(
      (_req, _res, next) => {
        arrived++;
        next();
      },
      stage().suite.cache({ policy }),
      (_req, res) => {
        runs++;
        void opened.passed.then(() => res.set('Cache-Control', 'max-age=60').end('body'));
      },
    );
    const leader = stage().ask(path);
    await until(() => runs === 1);
    const followers = [stage().ask(path), stage().ask(path)];
    await until(() => arrived === 3);
    opened.open();
    const told = (await Promise.all([leader, ...followers])).map(({ headers }) => memberOf(headers['cache-status']));
    expect(told).toEqual(['fwd=uri-miss; stored', 'fwd=uri-miss; collapsed', 'fwd=uri-miss; collapsed']);
    expect([runs, stage().suite.stats().cache.routes[path]?.misses]).toEqual([1, 3]);
  });

  it('9211 §2 comes behind what caches nearer to the origin have said', async () => {
    const path = stage().route(
      { policy },
      handlerOf({ ...EMPTY, headers: [{ ...FRESH, 'Cache-Status': 'origin; hit' }] }),
    );
    expect((await stage().ask(path)).headers['cache-status']).toBe(
      'origin; hit, express-redis-suite; fwd=uri-miss; stored',
    );
  });

  it.each([
    ['standard', undefined, undefined],
    ['debug', 'GET:', 'stale-if-error'],
  ] as const)('9211 §2.7 key and §2.8 detail: %s', async (cacheStatus, key, detail) => {
    const row: StatusRow = { ...EMPTY, headers: [old(', stale-if-error=60'), {}], status: [200, 503] };
    const path = stage().route({ policy, cacheStatus }, handlerOf(row));
    const secret = `${path}?q="a\\b",ö`;
    const members = [];
    for (let i = 0; i < 2; i++) {
      const field = String((await stage().ask(encodeURI(secret))).headers['cache-status']);
      members.push(parseList(field).at(-1)?.[1]);
    }
    const told = members.map((parameters) => parameters?.get('key'));
    expect(told).toEqual(key === undefined ? [key, key] : [`${key}${encodeURI(secret)}`, `${key}${encodeURI(secret)}`]);
    expect(String(members[1]?.get('detail'))).toBe(String(detail));
  });
});

const EMPTY: StatusRow = { rule: '', asks: [], app: [], rfc9111: [] };

/** What follows the name of this cache. */
function memberOf(field: string | readonly string[] | undefined): Told {
  if (field === undefined) return undefined;
  parseList(String(field)); // A List of Items (§2).
  return String(field).replace('express-redis-suite; ', '');
}

function withoutTtl(member: Told): Told {
  return member?.replace(/ttl=.*/, 'ttl');
}

function ttlIn(member: Told): number {
  return Number(/ttl=(-?\d+)$/.exec(member ?? '')?.[1] ?? 0);
}
