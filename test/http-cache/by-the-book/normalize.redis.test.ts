import { describe, expect, it } from '@jest/globals';
import type { CacheOptions } from '../../../src/index.ts';
import { verdict } from '../support.ts';
import { type Handler, origin, SETTINGS } from './validation-support.ts';

type Field = 'Accept-Encoding' | 'Accept-Language';

/** Answers with what it sees, and varies by it. */
const seeing =
  (field: Field): Handler =>
  (req, res) => {
    res.set({ 'Cache-Control': 'max-age=60', Vary: field, 'Content-Language': 'x' });
    res.end(`saw ${req.get(field) ?? 'nothing'}`);
  };

type Row = readonly [rule: string, sent: string | undefined, seen: string | undefined];

/** Of `br` and `gzip`. */
const CODINGS: readonly Row[] = [
  ['§12.5.3 the only one', 'gzip', 'gzip'],
  ['§12.5.3 the first declared of equals', 'gzip, br', 'br'],
  ['§12.4.2 the heavier', 'gzip;q=1.0, br;q=0.5', 'gzip'],
  ['§12.4.2 weights with blanks and in any case', 'GZIP ; Q=0.9 , br;q=0.8', 'gzip'],
  ['§12.5.3 an old name', 'x-gzip', 'gzip'],
  ['§12.5.3 an asterisk', '*', 'br'],
  ['§12.5.3 an asterisk for what is not named', '*;q=0.5, br;q=0.1', 'gzip'],
  ['§12.5.3 a refused one is not what an asterisk takes', '*, br;q=0', 'gzip'],
  ['§12.5.3 a refused asterisk', 'gzip, *;q=0', 'gzip'],
  ['§12.4.2 a refusal', 'gzip;q=0, br;q=0.000', 'identity'],
  ['§12.4.2 a weight that cannot be read is a refusal', 'br;q="0", gzip;q=0.1', 'gzip'],
  ['§12.4.2 a weight below 0 is none', 'br;q=-1', 'identity'],
  ['§12.4.2 a weight above 1 is none', 'br;q=1.5', 'identity'],
  ['§12.4.2 a weight of four decimals is none', 'br;q=0.0001', 'identity'],
  ['§12.4.2 an empty weight is none', 'br;q=', 'identity'],
  ['§12.5.3 a refusal counts before a repetition', 'br, br;q=0', 'identity'],
  ['§12.5.3 none that is declared', 'deflate, zstd', 'identity'],
  ['§12.5.3 identity alone', 'identity', 'identity'],
  ['§12.5.3 nothing', '', 'identity'],
  ['§12.5.3 no field', undefined, 'identity'],
  ['§12.5.3 what only begins alike', 'gzipped, brotli', 'identity'],
];

/** Of `en`, `de`, `de-CH` and `pt-BR`. */
const LANGUAGES: readonly Row[] = [
  ['RFC 4647 §3.3.1 the same', 'de', 'de'],
  ['RFC 4647 §2 in any case', 'DE-ch', 'de-CH'],
  ['RFC 4647 §3.4 a region that is not declared', 'de-AT', 'de'],
  ['RFC 4647 §3.3.1 a range of regions', 'pt', 'pt-BR'],
  ['§12.5.4 the heavier', 'en;q=0.5, de;q=0.9', 'de'],
  ['§12.5.4 the closest range counts', 'de;q=0.9, de-CH;q=0.2, en;q=0.5', 'de'],
  ['§12.5.4 a refused region', 'de-CH;q=0, de;q=0.8', 'de'],
  ['§12.5.4 a refused language is not what its region asks for', 'de;q=0, de-AT, en;q=0.1', 'en'],
  ['§12.5.4 a refused range and one of its regions', 'de;q=0, de-CH', 'de-CH'],
  ['§12.5.4 an asterisk', 'fr, *;q=0.1', 'en'],
  ['§12.5.4 an asterisk refused', 'fr, *;q=0', undefined],
  ['§12.5.4 none that is declared', 'fr, it', undefined],
  ['§12.5.4 what only begins alike', 'den, engl', undefined],
  ['§12.5.4 no field', undefined, undefined],
];

const DECLARED = {
  'Accept-Encoding': { normalize: { 'accept-encoding': ['br', 'gzip'] } },
  'Accept-Language': { normalize: { 'Accept-Language': ['en', 'de', 'de-CH', 'pt-BR'] } },
} as unknown as Readonly<Record<Field, CacheOptions>>;

const TABLES: readonly (readonly [Field, readonly Row[]])[] = [
  ['Accept-Encoding', CODINGS],
  ['Accept-Language', LANGUAGES],
];

describe.each(SETTINGS)('a route that declares what it serves ($policy, $place; 9110)', (setting) => {
  it.each(TABLES)('sees of %s what the client likes best, and so does its key', async (field, rows) => {
    const { get, seen } = await origin(setting, seeing(field), DECLARED[field]);
    const known = new Set<string | undefined>();
    for (const [rule, sent, expected] of rows) {
      const answer = await get(sent === undefined ? {} : { [field]: sent });
      expect([rule, answer.text]).toEqual([rule, `saw ${expected ?? 'nothing'}`]);
      expect([rule, verdict(answer).startsWith('hit')]).toEqual([rule, known.has(expected)]);
      known.add(expected);
    }
    expect(seen.length).toBe(known.size);
  });
});

/** Under the policy rfc9111, without a declaration: the second finds the response to the first, if both mean the same for certain (9111 §4.1). */
const SPELLINGS: readonly (readonly [string, Field, string, string, boolean])[] = [
  ['order', 'Accept-Encoding', 'gzip, br', 'br, gzip', true],
  ['case and blanks', 'Accept-Encoding', 'gzip,br', 'GZip ,  BR', true],
  ['a weight of 1', 'Accept-Encoding', 'gzip;q=1.0, br;q=0.50', 'gzip, br;q=0.5', true],
  ['other weights', 'Accept-Encoding', 'gzip;q=0.4, br;q=0.5', 'gzip;q=0.5, br;q=0.4', false],
  ['a refusal', 'Accept-Encoding', 'gzip;q=0', 'gzip', false],
  ['a weight that cannot be read', 'Accept-Encoding', 'gzip;q=0.0000', 'gzip', false],
  ['such a weight and a refusal', 'Accept-Encoding', 'gzip;q=0.0000', 'gzip;q=0', false],
  ['nothing and identity', 'Accept-Encoding', '', 'identity', false],
  ['order by weight', 'Accept-Language', 'en;q=0.5, de', 'de, en;q=0.5', true],
  ['another region', 'Accept-Language', 'de-CH', 'de', false],
];

describe.each(SETTINGS.slice(0, 2))('two spellings ($policy, $place; 9111 §4.1)', (setting) => {
  it.each(SPELLINGS)('of %s', async (_name, field, one, two, isSame) => {
    const { get, seen } = await origin(setting, seeing(field));
    const [first, second] = [await get({ [field]: one }), await get({ [field]: two })];
    const isShared = isSame && setting.policy === 'rfc9111';
    expect([seen.length, first.text === second.text]).toEqual(isShared ? [1, true] : [2, false]);
    const isAsSent = first.text === `saw ${one}` && second.text === `saw ${two}`;
    expect(isAsSent || setting.policy === 'rfc9111').toBe(true);
  });
});
