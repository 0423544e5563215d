import { describe, expect, it } from '@jest/globals';
import express from 'express';
import { type Ask, ask, listen } from './support.ts';
import { afterAttack, cacheOf, POLICIES, serving } from './security.ts';

const PAGE = 'the whole page';

describe.each(POLICIES)('attacks through responses, policy %s', (policy, options) => {
  describe('CPDoS: an error that one request brings about is nobody else', () => {
    it.each([400, 401, 403, 404, 405, 406, 408, 410, 412, 413, 414, 415, 417, 421, 429, 431, 500, 501, 502, 503, 504])(
      '%d',
      async (status) => {
        const port = await serving((req, res) => {
          if (req.url.includes('bad') || req.get('X-Bad') !== undefined) res.status(status);
          if (policy === 'rfc9111') res.vary('X-Bad');
          res.send(PAGE);
        }, options);
        const answers = await afterAttack(port, ['/', { headers: { 'X-Bad': '\u00FF'.repeat(100) } }], ['/']);
        for (const answer of answers) expect([answer.status, answer.text]).toEqual([200, PAGE]);
      },
    );

    it.each<[string, Ask]>([
      ['an oversized header', { headers: { 'X-Big': 'x'.repeat(20_000) } }],
      ['a method nobody serves', { method: 'PURGE' }],
      ['an expectation', { headers: { Expect: '200-maybe' } }],
      ['an upgrade', { headers: { Upgrade: 'h2c', Connection: 'Upgrade' } }],
      ['a precondition', { headers: { 'If-Match': '"other"' } }],
      ['a range beyond the end', { headers: { Range: 'bytes=9999-' } }],
    ])('after %s the page is whole', async (_name, attack) => {
      const port = await serving((req, res) => {
        res.set('Cache-Control', 'max-age=60');
        if (req.method !== 'GET') res.status(405).end();
        else if (req.headers['if-match'] !== undefined) res.status(412).end();
        else res.send(PAGE);
      }, options);
      await ask(port, '/', attack).catch(() => undefined);
      for (let i = 0; i < 2; i++) {
        const answer = await ask(port, '/');
        expect([answer.status, answer.text]).toEqual([200, PAGE]);
      }
    });
  });

  describe('HEAD, Range and 304 poisoning: a partial answer is not stored as the whole', () => {
    const inTheFuture = new Date(Date.now() + 86_400_000).toUTCString();
    const PARTIAL: readonly (readonly [string, Ask])[] = [
      ['HEAD', { method: 'HEAD' }],
      ['Range', { headers: { Range: 'bytes=0-2' } }],
      ['a suffix range', { headers: { Range: 'bytes=-3' } }],
      ['many ranges', { headers: { Range: `bytes=${'0-,'.repeat(500)}0-` } }],
      ['Range of HEAD', { method: 'HEAD', headers: { Range: 'bytes=0-2' } }],
      ['If-None-Match: *', { headers: { 'If-None-Match': '*' } }],
      ['If-Modified-Since', { headers: { 'If-Modified-Since': inTheFuture } }],
      ['If-Range', { headers: { 'If-Range': inTheFuture, Range: 'bytes=0-2' } }],
    ];

    it.each(PARTIAL)('%s', async (_name, attack) => {
      const port = await serving((req, res) => {
        res.set({ 'Cache-Control': 'max-age=60', ETag: '"1"', 'Last-Modified': new Date(0).toUTCString() });
        const range = req.range(PAGE.length);
        if (!Array.isArray(range) || range.length !== 1) {
          res.send(PAGE);
          return;
        }
        const { start = 0, end = 0 } = range[0] ?? {};
        const part = PAGE.slice(start, end + 1);
        res.status(206).set({ 'Content-Range': `bytes ${start}-${end}/${PAGE.length}` });
        res.end(part);
      }, options);
      const attacked = await ask(port, '/', attack);
      expect(attacked.body.length).toBeLessThanOrEqual(PAGE.length);
      for (const answer of await afterAttack(port, ['/', attack], ['/'])) {
        expect([answer.status, answer.text]).toEqual([200, PAGE]);
        expect(answer.headers['content-length']).toBe(String(PAGE.length));
        expect(answer.headers['content-range']).toBeUndefined();
      }
    });

    it('a HEAD whose handler answers otherwise than to GET does not speak for the page', async () => {
      const port = await serving((req, res) => {
        res.set({ 'Cache-Control': 'max-age=60', 'X-For': req.method });
        if (req.method === 'HEAD') res.set('Content-Length', '3').status(200).end();
        else res.send(PAGE);
      }, options);
      for (const { text, headers } of await afterAttack(port, ['/', { method: 'HEAD' }], ['/'])) {
        expect([text, headers['x-for']]).toEqual([PAGE, 'GET']);
      }
    });
  });

  describe('web cache deception: what looks like a file is the page of whoever asks', () => {
    it.each([
      '/account/style.css',
      '/account;style.css',
      '/account%0Astyle.css',
      '/account%00.js',
      '/account/..%2fstatic/x.css',
      '/account?.png',
      '/static/..%2faccount',
      '//account/robots.txt',
    ])('%s', async (path) => {
      const app = express().set('env', 'test');
      app.use(cacheOf(options));
      app.use((req, res) => {
        // A stranger says it by the book, the program's own handlers need not.
        if (policy === 'rfc9111') res.set('Cache-Control', 'private');
        res.send(`account of ${req.get('Cookie')}`);
      });
      const port = await listen(app);
      const victim = { headers: { Cookie: 'sid=victim' } };
      expect((await ask(port, path, victim)).text).toBe('account of sid=victim');
      expect((await ask(port, path)).text).toBe('account of undefined');
      expect((await ask(port, path, { headers: { Cookie: 'sid=evil' } })).text).toBe('account of sid=evil');
    });
  });

  describe('header injection: what a handler lets in from the request stays one value', () => {
    it.each(['a\r\nSet-Cookie: sid=evil', 'a\nb', 'a\u0000b'])('%j', async (value) => {
      const port = await serving((req, res) => {
        res.set('Cache-Control', 'max-age=60');
        try {
          res.setHeader('X-Echo', decodeURIComponent(req.url.slice(1)));
        } catch {
          res.setHeader('X-Echo', 'refused');
        }
        res.send(PAGE);
      }, options);
      for (let i = 0; i < 2; i++) {
        const { headers, text } = await ask(port, `/${encodeURIComponent(value)}`);
        expect([headers['x-echo'], headers['set-cookie'], text]).toEqual(['refused', undefined, PAGE]);
      }
    });
  });
});
