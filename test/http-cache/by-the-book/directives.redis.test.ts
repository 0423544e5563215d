import { expect, it } from '@jest/globals';
import { verdict } from '../support.ts';
import { everywhere, expected, fateOf, from, httpDate, type Row } from './support.ts';

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
function unreadable(value: string): Row {
  return {
    rule: `9213 §2.1 ignored, as it cannot be read: ${value}`,
    cc: 'no-store',
    headers: { [CDN]: value },
    ...REFUSED,
  };
}

function mistyped(value: string): Row {
  const headers = { [CDN]: `max-age=${value}` };
  return { rule: `9213 §2.1 a lifetime of another type: ${value}`, cc: 'no-store', headers, ...REFUSED };
}

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
  ...['', '&', 'max-age=60, &&&', 'max-age=60,', 'Max-Age=60', 'max-age="60', 'max-age=60 private'].map(unreadable),
  {
    rule: '9213 §2.1 ignored where Cache-Control allows it',
    cc: 'max-age=60',
    headers: { [CDN]: 'no-store, &' },
    ...FRESH,
  },
  ...['60.5', '"60"', 'a60', '?1'].map(mistyped),
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

everywhere((stage, policy, rows) => {
  it.each(rows([...RESPONSE, ...TARGETED]))('$rule', async (row) => {
    expect(await fateOf(stage(), row, policy)).toBe(expected(row, policy));
  });

  it.each([
    ['no-transform', undefined],
    ['immutable', 'gzip'],
  ])('§5.2.2.6 sends content in another coding, unless forbidden: %s', async (directive, coding) => {
    const path = stage().route({ policy, compress: 100 }, (_req, res) => {
      res.set({ 'Cache-Control': `max-age=60, ${directive}`, 'Content-Type': 'text/plain' }).end('a'.repeat(1_000));
    });
    let hit = await stage().ask(path);
    // Content is packed behind the first response's back.
    for (let i = 0; i < 100 && verdict(hit) !== 'hit; ttl'; i++)
      hit = await stage().ask(path, from({ 'Accept-Encoding': 'gzip' }));
    expect(verdict(hit)).toBe('hit; ttl');
    expect(hit.headers['content-encoding']).toBe(coding);
  });
});
