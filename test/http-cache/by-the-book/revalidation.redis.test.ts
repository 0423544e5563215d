import { mkdtempSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import express from 'express';
import { HIT, listen, verdict } from '../support.ts';
import { until } from '../../support/waiting.ts';
import { ALL_SETTINGS, type Handler, isBare304, origin, SETTINGS } from './validation-support.ts';

type Headers = Readonly<Record<string, string>>;

const MODIFIED = 'Tue, 15 Nov 1994 12:45:26 GMT';
const OLD = { 'Cache-Control': 'max-age=0', ETag: '"a"' };
const FRESH = 'max-age=60';
const none = (value: string): Headers => ({ 'If-None-Match': value });

const file = join(mkdtempSync(join(tmpdir(), 'suite-validation-')), 'file.txt');
writeFileSync(file, 'the body');

/** Handlers that answer 304 in ways of their own. */
const HANDLERS: readonly (readonly [string, () => Promise<Handler>])[] = [
  [
    'a handler that compares the tag itself',
    async () => (req, res) => {
      res.set(OLD);
      if (req.get('If-None-Match') === '"a"') res.status(304).end();
      else res.end('the body');
    },
  ],
  [
    'a handler that compares the date itself',
    async () => (req, res) => {
      res.set({ 'Cache-Control': 'max-age=0', 'Last-Modified': MODIFIED });
      if (req.get('If-Modified-Since') === MODIFIED) res.writeHead(304).end();
      else res.end('the body');
    },
  ],
  ['the 304 of res.send', async () => (_req, res) => void res.set('Cache-Control', 'max-age=0').send('the body')],
  ['res.sendFile', async () => (_req, res) => res.sendFile(file, { dotfiles: 'allow' })],
  [
    'a handler that passes on what another server says',
    async () => {
      const behind = express();
      behind.get('/', (_req, res) => void res.set(OLD).send('the body'));
      const port = await listen(behind);
      return (req, res) => {
        http.get({ port, path: '/', headers: { ...req.headers, connection: 'close' } }, (answer) => {
          res.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(res);
        });
      };
    },
  ],
];

describe.each(ALL_SETTINGS)('validation of what is stored (9111 §4.3.1; $policy, $place)', (setting) => {
  it.each(HANDLERS)('works with %s', async (_name, make) => {
    const { get, head, seen } = await origin(setting, await make());
    expect((await get()).text).toBe('the body');
    for (const send of [get, get, head]) {
      const answer = await send();
      expect([answer.status, answer.text]).toEqual([200, send === get ? 'the body' : '']);
      expect([verdict(answer), answer.headers['content-length']]).toEqual(['fwd=stale; fwd-status=304; stored', '8']);
    }
    const conditions = seen.map(({ headers }) => headers['if-none-match'] ?? headers['if-modified-since']);
    expect(conditions.map((value) => value !== undefined)).toEqual([false, true, true, true]);
  });
});

/** The handler's second answer to a client that has something itself. */
const MEANWHILE: readonly (readonly [string, Headers, 'same' | 'new', status: number, text: string])[] = [
  ['has what is stored and still good', none('"a"'), 'same', 304, ''],
  ['has something older', none('"0"'), 'same', 200, 'a'],
  ['has nothing', {}, 'same', 200, 'a'],
  ['has what is stored but not good any more', none('"a"'), 'new', 200, 'b'],
  ['has the new one already', none('"b"'), 'new', 304, ''],
  ['has any', none('*'), 'new', 304, ''],
];

describe.each(SETTINGS)('validation for a client ($policy, $place)', (setting) => {
  it.each(MEANWHILE)('that %s (9111 §4.3.2)', async (_name, asked, change, status, text) => {
    const { get, seen } = await origin(setting, (req, res, run) => {
      const tag = run === 1 || change === 'same' ? 'a' : 'b';
      res.set({ 'Cache-Control': run === 1 ? 'max-age=0' : FRESH, ETag: `"${tag}"` });
      if (req.get('If-None-Match') === `"${tag}"`) res.status(304).end();
      else res.end(tag);
    });
    await get();
    const answer = await get(asked);
    expect([answer.status, answer.text]).toEqual([status, text]);
    expect(status === 200 || isBare304(answer)).toBe(true);
    expect(seen[1]?.headers['if-none-match']).toBe('"a"');
    const whole = await get();
    expect([verdict(whole), whole.text]).toEqual([HIT, change === 'same' ? 'a' : 'b']);
  });

  it('of which many ask at once is made once, and each is answered by its own conditions', async () => {
    const { get, seen } = await origin(setting, (req, res, run) => {
      res.set({ ...OLD, ...(run > 1 && { 'Cache-Control': FRESH }) });
      if (req.get('If-None-Match') !== '"a"') res.end('a');
      else setTimeout(() => res.status(304).end(), 50);
    });
    await get();
    const answers = await Promise.all([get(), get(none('"a"')), get(none('"b"')), get(none('W/"a"'))]);
    expect(answers.map(({ status, text }) => [status, text])).toEqual([
      [200, 'a'],
      [304, ''],
      [200, 'a'],
      [304, ''],
    ]);
    expect(seen.length).toBe(2);
  });
});

/** 9111 §4.3.4: which 304 is about the stored response. */
const IDENTIFIED: readonly (readonly [string, stored: Headers, sent: Headers, isUpdated: boolean])[] = [
  ['the same strong tag', { ETag: '"a"' }, { ETag: '"a"' }, true],
  ['the tag made weak on the way', { ETag: '"a"' }, { ETag: 'W/"a"' }, true],
  ['the same weak tag', { ETag: 'W/"a"' }, { ETag: 'W/"a"' }, true],
  ['a strong tag where a weak one is stored', { ETag: 'W/"a"' }, { ETag: '"a"' }, false],
  ['another tag', { ETag: '"a"' }, { ETag: '"b"' }, false],
  ['the same date', { 'Last-Modified': MODIFIED }, { 'Last-Modified': MODIFIED }, true],
  ['another date', { 'Last-Modified': MODIFIED }, { 'Last-Modified': MODIFIED.replace('Tue, 15', 'Wed, 16') }, false],
  ['no validator', { ETag: '"a"' }, {}, true],
];

describe.each(SETTINGS)('a 304 of the handler ($policy, $place)', (setting) => {
  it.each(IDENTIFIED)('with %s', async (_name, stored, sent, isUpdated) => {
    const { get, seen } = await origin(setting, (_req, res, run) => {
      if (run === 1) res.set({ ...stored, 'Cache-Control': 'max-age=0', 'X-One': '1' }).end('the body');
      else res.writeHead(304, { ...sent, 'Cache-Control': FRESH, 'X-One': '2' }).end();
    });
    await get();
    expect((await get()).text).toBe('the body');
    const third = await get();
    expect([third.text, seen.length]).toEqual(['the body', isUpdated ? 2 : 3]);
    expect([verdict(third) === HIT, third.headers['x-one']]).toEqual([isUpdated, isUpdated ? '2' : '1']);
  });

  it('brings every field of the stored response up to date, and keeps the others and the body (9111 §3.2)', async () => {
    const date = new Date(Date.now() - 7_000).toUTCString();
    const { get, seen } = await origin(setting, (_req, res, run) => {
      if (run === 1)
        res
          .set({ ...OLD, 'X-One': '1', 'X-Two': '2', Link: ['<a>', '<b>'] })
          .type('text')
          .end('the body');
      else {
        res.set({ ETag: '"a"', 'Cache-Control': FRESH, 'x-one': 'new', Link: ['<c>', '<d>', '<e>'], Date: date });
        res.set({ 'X-Three': '3', 'Content-Length': '0', 'Content-Encoding': 'gzip', 'Content-Range': 'bytes 0-1/2' });
        res.status(304).end();
      }
    });
    await get();
    for (const _ of ['validated', 'hit']) {
      const { status, text, headers, lines } = await get();
      expect([status, text, headers['content-type']]).toEqual([200, 'the body', 'text/plain; charset=utf-8']);
      expect([headers['x-one'], headers['x-two'], headers['x-three']]).toEqual(['new', '2', '3']);
      expect(lines.filter((line) => /^link:/i.test(line))).toEqual(['Link: <c>', 'Link: <d>', 'Link: <e>']);
      expect([headers['content-length'], headers['content-encoding'], headers.date]).toEqual(['8', undefined, date]);
      expect(Number(headers.age)).toBeGreaterThanOrEqual(7);
    }
    expect(seen.length).toBe(2);
  });

  it('gives its cookie to the client it answers, and to others only where the policy stores cookies', async () => {
    const { get } = await origin(setting, (_req, res, run) => {
      if (run === 1) res.set(OLD).end('the body');
      else res.writeHead(304, { ETag: '"a"', 'Cache-Control': FRESH, 'Set-Cookie': `sid=${run}` }).end();
    });
    await get();
    const [second, third] = [await get(), await get()];
    expect([second.text, second.headers['set-cookie']]).toEqual(['the body', ['sid=2']]);
    expect(third.headers['set-cookie']).toEqual([setting.policy === 'app' ? 'sid=3' : 'sid=2']);
  });

  it('that forbids to store leaves what is stored as it was (9111 §5.2.2.5)', async () => {
    const { get, seen } = await origin(setting, (_req, res, run) => {
      if (run === 1) res.set(OLD).end('the body');
      else res.writeHead(304, { ETag: '"a"', 'Cache-Control': 'no-store' }).end();
    });
    await get();
    for (const runs of [2, 3]) expect([(await get()).text, seen.length]).toEqual(['the body', runs]);
  });

  it('leaves a body kept compressed to each client in its own form', async () => {
    const text = 'the body '.repeat(500);
    const { get, suite } = await origin(
      setting,
      (req, res) => {
        res.set(OLD).type('text');
        if (req.get('If-None-Match') === '"a"') res.status(304).end();
        else res.end(text);
      },
      { compress: '1kb' },
    );
    await get();
    for (const [stores, coding] of [undefined, 'gzip', undefined, 'gzip'].entries()) {
      await until(() => suite.stats().cache.stores > stores);
      const answer = await get(coding === undefined ? {} : { 'Accept-Encoding': coding });
      expect([answer.headers['content-encoding'], answer.text === text]).toEqual([coding, coding === undefined]);
      expect(verdict(answer)).toBe('fwd=stale; fwd-status=304; stored');
    }
  });
});

/** 9111 §4.3.5: what a HEAD says of a stored GET with `"a"`, a date and eight bytes. */
const HEADS: readonly (readonly [string, sent: Headers, isStillGood: boolean])[] = [
  ['the same tag', { ETag: '"a"' }, true],
  ['the same date and length', { 'Last-Modified': MODIFIED, 'Content-Length': '8' }, true],
  ['nothing, which may be about another', {}, false],
  ['another tag', { ETag: '"b"' }, false],
  ['a weak tag for a strong one', { ETag: 'W/"a"' }, false],
  ['another date', { ETag: '"a"', 'Last-Modified': 'Wed, 16 Nov 1994 12:45:26 GMT' }, false],
  ['another length', { ETag: '"a"', 'Content-Length': '9' }, false],
  ['the same tag, but that it is a minute old', { ETag: '"a"', Age: '60' }, false],
];

describe.each(ALL_SETTINGS)('a HEAD that reaches the handler ($policy, $place)', (setting) => {
  it.each(HEADS)('and says %s', async (_name, sent, isStillGood) => {
    const { get, head, seen } = await origin(setting, (req, res) => {
      if (req.method === 'HEAD') res.writeHead(200, { 'Cache-Control': FRESH, 'X-One': '2', ...sent }).end();
      else res.set({ ...OLD, 'Last-Modified': MODIFIED, 'X-One': '1' }).end('the body');
    });
    await get();
    expect((await head()).status).toBe(200);
    const whole = await get();
    expect(whole.text).toBe('the body');
    expect(seen.map(({ method }) => method)).toEqual(['GET', 'HEAD', ...(isStillGood ? [] : ['GET'])]);
    expect([verdict(whole) === HIT, whole.headers['x-one']]).toEqual([isStillGood, isStillGood ? '2' : '1']);
  });

  it('freshens a body kept compressed by its length as it was made', async () => {
    const text = 'the body '.repeat(500);
    const { get, head, seen, suite } = await origin(
      setting,
      (req, res) => {
        res.set({ ...OLD, ...(req.method === 'HEAD' && { 'Cache-Control': FRESH }) });
        res.type('text').set('Content-Length', String(text.length)).end(text);
      },
      { compress: '1kb' },
    );
    await get();
    await until(() => suite.stats().cache.stores === 1);
    await head({ 'Accept-Encoding': 'gzip' });
    await until(() => suite.stats().cache.stores === 2);
    expect([(await get()).text === text, seen.length]).toEqual([true, 2]);
    expect((await get({ 'Accept-Encoding': 'gzip' })).headers['content-encoding']).toBe('gzip');
  });

  it('and finds an error says nothing of what is stored', async () => {
    const { get, head, seen } = await origin(setting, (req, res) => {
      if (req.method === 'HEAD') res.status(404).set('Cache-Control', FRESH).end();
      else if (req.get('If-None-Match') === '"a"') res.set(OLD).status(304).end();
      else res.set(OLD).end('the body');
    });
    await get();
    expect((await head()).status).toBe(404);
    const whole = await get();
    expect([whole.status, whole.text, seen.length]).toEqual([200, 'the body', 3]);
  });
});
