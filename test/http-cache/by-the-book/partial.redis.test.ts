import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import type { Request, Response } from 'express';
import * as fc from 'fast-check';
import type { CacheOptions } from '../../../src/index.ts';
import { EVERYWHERE, HIT, type Place, PLACES, verdict } from '../support.ts';
import { type Origin, origin } from './validation-support.ts';

const BODY = '0123456789';

interface Version {
  readonly etag?: string | undefined;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly maxAge?: number;
  readonly ignores?: 'range' | 'if-range';
}

/** Answers as a server of ranges does, or as a bad one. */
function sendRange(req: Request, res: Response, version: Version): void {
  const { etag, body = BODY, headers = {}, maxAge = 60, ignores } = version;
  res.set({ 'Cache-Control': `max-age=${maxAge}`, ...headers, ...(etag !== undefined && { ETag: etag }) }).type('text');
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(req.get('Range') ?? '') ?? [];
  const condition = req.get('If-Range');
  const isCut = ignores === 'if-range' || condition === undefined || condition === etag;
  if (ignores === 'range' || !isCut || first + last === '') return void res.end(body);
  const from = first === '' ? Math.max(0, body.length - Number(last)) : Number(first);
  const to = first === '' || last === '' ? body.length - 1 : Math.min(Number(last), body.length - 1);
  if (from > to) return void res.status(416).set('Content-Range', `bytes */${body.length}`).end();
  res
    .status(206)
    .set('Content-Range', `bytes ${from}-${to}/${body.length}`)
    .end(body.slice(from, to + 1));
}

/** The handler's answers in turn; the last one stays. */
function versions(place: Place, list: readonly Version[], options: CacheOptions = {}): Promise<Origin> {
  const answer = (req: Request, res: Response, run: number): void =>
    sendRange(req, res, list[Math.min(run, list.length) - 1] ?? {});
  return origin({ place, policy: 'rfc9111' }, answer, options);
}

const A = { etag: '"a"' };
const WEAK = { etag: 'W/"a"' };
const STALE = { ...A, maxAge: 0 };

/** `asked>reaches>text`: what a client asks for, what reaches the handler of it (`-`: nothing), and what the client gets. */
type Story = readonly [rule: string, versions: readonly Version[], steps: string];

const B = { etag: '"b"', body: 'abcdefghij' };

const STORIES: readonly Story[] = [
  ['§3.3 the same range again', [A], '0-4>0-4>01234 0-4>->01234'],
  ['§3.3 a range within it', [A], '2-6>2-6>23456 3-4>->34 -4>-4>6789'],
  ['§3.3 a suffix within it', [A], '-4>-4>6789 -2>->89 8->->89'],
  ['§3.3 no range beyond it', [WEAK], '0-4>0-4>01234 3-5>3-5>345'],
  ['§3.3 never the whole from a part', [WEAK], '0-4>0-4>01234 whole>whole>0123456789 7->->789'],
  ['§3.4 the rest is asked for and joined', [A], '0-4>0-4>01234 whole>5->0123456789 whole>->0123456789'],
  ['§3.4 not with a weak tag', [WEAK], '0-4>0-4>01234 whole>whole>0123456789'],
  ['§3.4 not without a tag', [{}], '0-4>0-4>01234 whole>whole>0123456789'],
  ['§3.4 not from the middle', [A], '2-4>2-4>234 whole>whole>0123456789'],
  ['§3.4 a new representation comes whole instead', [A, B], '0-4>0-4>01234 whole>5->abcdefghij 1-2>->bc'],
  ['§3.4 without ranges comes the whole', [A, { ...A, ignores: 'range' }], '0-4>0-4>01234 whole>5->0123456789 8->->89'],
  ['§3.4 adjoining parts grow', [A], '0-4>0-4>01234 5-7>5-7>567 3-6>->3456 5-7>->567'],
  ['§3.4 in the other order', [A], '5-7>5-7>567 2-4>2-4>234 2-7>->234567 2-4>->234'],
  ['§3.4 overlapping parts grow', [A], '0-4>0-4>01234 3-7>3-7>34567 1-6>->123456'],
  ['§3.4 all parts are the whole', [A], '0-4>0-4>01234 5->5->56789 whole>->0123456789'],
  ['§3.4 parts with a gap replace each other', [A], '0-2>0-2>012 5-7>5-7>567 0-2>0-2>012'],
  ['§3.4 weak parts do not grow', [WEAK], '0-4>0-4>01234 5-7>5-7>567 4-5>4-5>45'],
  ['§3.4 untagged parts do not grow', [{}], '0-4>0-4>01234 5-7>5-7>567 4-5>4-5>45'],
  ['§3.4 nor those of two representations', [A, B], '0-4>0-4>01234 5-7>5-7>fgh 0-4>0-4>abcde 4-5>->ef'],
  ['§3.4 nor those of two lengths', [A, { ...A, body: `${BODY}abc` }], '0-4>0-4>01234 5-7>5-7>567 4-5>4-5>45'],
  ['§4.2 a stale part does not answer', [STALE], '0-4>0-4>01234 0-4>0-4>01234'],
  ['§3.4 a stale part is completed under its tag', [STALE], '0-4>0-4>01234 whole>5->0123456789'],
];

const REFUSED: readonly (readonly [string, Version])[] = [
  ['of another representation', { etag: '"b"', body: 'abcdefghij', ignores: 'if-range' }],
  ['of another length', { ...A, body: `${BODY}abc`, ignores: 'if-range' }],
  ['without a tag', { ignores: 'if-range' }],
];

function rangeOf(origin: Origin, at: number): string {
  const seen = origin.seen[at];
  return seen === undefined ? '-' : (seen.headers.range ?? 'whole').replace('bytes=', '');
}

describe.each(EVERYWHERE)('parts under the policy rfc9111 (%s)', (place) => {
  const stories = place === 'cluster' ? STORIES.slice(4, 7) : STORIES;

  it.each(stories)('9111 %s', async (_name, list, steps) => {
    const cache = await versions(place, list);
    for (const step of steps.split(' ')) {
      const [range = '', reaches, text = ''] = step.split('>');
      const before = cache.seen.length;
      const { status, headers, text: got } = await cache.get(range === 'whole' ? {} : { Range: `bytes=${range}` });
      expect([step, rangeOf(cache, before), got]).toEqual([step, reaches, text]);
      expect([status, headers['content-type']]).toEqual([range === 'whole' ? 200 : 206, 'text/plain; charset=utf-8']);
      const [, first, last] = /^bytes (\d+)-(\d+)\/\d+$/.exec(headers['content-range'] ?? '') ?? [];
      expect(range === 'whole' ? first : Number(last) - Number(first) + 1).toBe(
        range === 'whole' ? undefined : text.length,
      );
    }
  });

  it.each(REFUSED)('never joins a rest %s, and asks for the whole the next time (9111 §3.4)', async (_name, bad) => {
    const cache = await versions(place, [A, bad]);
    await cache.get({ Range: 'bytes=0-4' });
    expect([(await cache.get()).status, rangeOf(cache, 1)]).toEqual([502, '5-']);
    expect([(await cache.get()).text, rangeOf(cache, 2)]).toEqual([bad.body ?? BODY, 'whole']);
  });

  it('never joins a rest that ends early', async () => {
    const cache = await origin({ place, policy: 'rfc9111' }, (req, res, run) => {
      if (run !== 2) sendRange(req, res, A);
      else res.status(206).set({ ETag: '"a"', 'Content-Range': 'bytes 5-9/10' }).end('567');
    });
    await cache.get({ Range: 'bytes=0-4' });
    expect((await cache.get()).status).toBe(502);
    expect((await cache.get()).text).toBe(BODY);
  });
});

describe.each(PLACES)('a part under the policy rfc9111 (%s)', (place) => {
  it('does not answer HEAD, nor is it completed for it (9110 §14.2)', async () => {
    const cache = await versions(place, [A]);
    await cache.get({ Range: 'bytes=0-4' });
    const bare = await cache.head();
    expect([bare.status, bare.text, rangeOf(cache, 1)]).toEqual([200, '', 'whole']);
  });

  it('is not completed where the whole is too large to be kept, nor grown beyond that', async () => {
    const cache = await versions(place, [A], { maxBytes: 6 });
    await cache.get({ Range: 'bytes=0-4' });
    expect([(await cache.get()).text, rangeOf(cache, 1)]).toEqual([BODY, 'whole']);
    expect([(await cache.get({ Range: 'bytes=5-8' })).text, rangeOf(cache, 2)]).toEqual(['5678', '5-8']);
    expect([(await cache.get({ Range: 'bytes=5-6' })).text, rangeOf(cache, 3)]).toEqual(['56', '-']);
    expect([(await cache.get({ Range: 'bytes=3-4' })).text, rangeOf(cache, 3)]).toEqual(['34', '3-4']);
  });

  it('keeps, once it has grown, the fields that a later part left out (9110 §15.3.7), under the newer ones', async () => {
    const cache = await origin({ place, policy: 'rfc9111' }, (req, res, run) => {
      if (run === 1) return sendRange(req, res, { ...A, headers: { 'X-One': '1', 'X-Two': '2' } });
      const fields = { ETag: '"a"', 'Cache-Control': 'max-age=60', 'X-One': 'new', 'Content-Range': 'bytes 5-9/10' };
      res.writeHead(206, 'A Part', fields).end('56789');
    });
    await cache.get({ Range: 'bytes=0-4' });
    await cache.get({ Range: 'bytes=5-9', 'If-Range': '"a"' });
    const { status, reason, text, headers } = await cache.get();
    expect([status, reason, text, cache.seen.length]).toEqual([200, 'OK', BODY, 2]);
    expect([headers['x-one'], headers['x-two'], headers['content-type']]).toEqual([
      'new',
      '2',
      'text/plain; charset=utf-8',
    ]);
  });

  it('that left out fields for a client with If-Range is not kept for others (9110 §15.3.7)', async () => {
    const cache = await versions(place, [A]);
    await cache.get({ Range: 'bytes=0-4', 'If-Range': '"a"' });
    await cache.get({ Range: 'bytes=0-4' });
    expect(cache.seen.length).toBe(2);
  });

  it('answers 304 to a client that has it (9110 §13.2.2)', async () => {
    const cache = await versions(place, [A]);
    for (const _ of ['cold', 'warm']) {
      expect((await cache.get({ Range: 'bytes=0-4', 'If-None-Match': '"a"' })).status).toBe(304);
    }
    expect(verdict(await cache.get({ Range: 'bytes=0-4' }))).toBe(HIT);
  });

  it('that has its whole length unknown, or several parts, is not kept (9110 §14.4)', async () => {
    for (const contentRange of ['bytes 0-4/*', 'bytes */10', 'bytes 4-0/10', 'bytes 0-10/10', 'lines 0-4/10', 'x']) {
      const cache = await origin({ place, policy: 'rfc9111' }, (_req, res) => {
        res
          .status(206)
          .set({ ...A, 'Cache-Control': 'max-age=60', 'Content-Range': contentRange })
          .end('01234');
      });
      for (const runs of [1, 2]) {
        await cache.get({ Range: 'bytes=0-4' });
        expect(cache.seen.length).toBe(runs);
      }
    }
  });
});

const TEXTS = [BODY, 'abcdefghij', 'ABCDEFG'];
const asking = fc.option(
  fc.oneof(
    fc.tuple(fc.nat(9), fc.nat(4)).map(([first, more]) => `${first}-${first + more}`),
    fc.nat(9).map((first) => `${first}-`),
    fc.integer({ min: 1, max: 12 }).map((count) => `-${count}`),
  ),
  { nil: undefined },
);
interface Step {
  readonly range: string | undefined;
  readonly version: number;
  readonly tag: string;
  readonly ifRange: number | undefined;
  readonly isStale: boolean;
  readonly ignores: 'range' | 'if-range' | undefined;
}

const step: fc.Arbitrary<Step> = fc.record({
  range: asking,
  version: fc.nat(2),
  tag: fc.constantFrom('strong', 'weak', 'none'),
  ifRange: fc.option(fc.nat(2), { nil: undefined, freq: 5 }),
  isStale: fc.boolean(),
  ignores: fc.constantFrom(undefined, undefined, 'range' as const, 'if-range' as const),
});

/** The text that status and headers promise, made of one representation; `undefined` for what may not be. */
function promised(status: number, headers: IncomingHttpHeaders, asked: string | undefined): string | undefined {
  const source = TEXTS[Number(headers['x-version'])];
  if (status === 200) return source;
  if (status === 416 || status === 502) return '';
  const [, first, last, length] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers['content-range'] ?? '') ?? [];
  const isPart = status === 206 && asked !== undefined && Number(length) === source?.length;
  return isPart ? source.slice(Number(first), Number(last) + 1) : undefined;
}

describe('whatever is asked of whatever representation', () => {
  it('every answer is made of one of them, and of just the bytes that it says', async () => {
    let current: Step | undefined;
    const cache = await origin({ place: 'memory', policy: 'rfc9111' }, (req, res) => {
      const { version = 0, tag = 'none', isStale = false, ignores } = current ?? {};
      const etag = tag === 'none' ? undefined : `${tag === 'weak' ? 'W/' : ''}"${version}"`;
      const server = { body: TEXTS[version] ?? '', etag, headers: { 'X-Version': String(version) } };
      sendRange(req, res, { ...server, maxAge: isStale ? 0 : 60, ...(ignores && { ignores }) });
    });
    let history = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 10 }), async (steps) => {
        const path = `/${history++}`;
        for (const next of steps) {
          current = next;
          const { range, ifRange } = next;
          const asked = {
            ...(range !== undefined && { Range: `bytes=${range}` }),
            ...(ifRange !== undefined && { 'If-Range': `"${ifRange}"` }),
          };
          const { status, headers, text } = await cache.get(asked, { path });
          expect([status, text]).toEqual([status, promised(status, headers, range)]);
        }
      }),
      { numRuns: 60 },
    );
  });
});
