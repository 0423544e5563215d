import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from '@jest/globals';
import express from 'express';
import { decodeEntry, encodeEntry } from '../../src/cache/entry.ts';
import { createKeys } from '../../src/redis/keys.ts';
import { type CacheOptions, createSuite } from '../../src/index.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { type Answer, type Ask, ask, listen } from './support.ts';
import { until } from '../support/waiting.ts';
import { POLICIES } from './security.ts';

const PAGE = 'the honest page';
const HOST = { Host: 'shop.example' };

interface Poison {
  readonly head: unknown;
  readonly body?: Buffer;
  readonly flags?: number;
  readonly freshMs?: number;
  readonly staleMs?: number;
}

const client = testRedis();
const prefix = uniquePrefix();
const suite = createSuite({ redis: client, prefix, deadline: '2s' });
afterAll(() => suite.close());
let cases = 0;

/** What a client gets when somebody who can write to Redis has put an entry there. */
async function poisoned(poison: Poison, options: CacheOptions, request: Ask = {}): Promise<Answer> {
  const path = `/${++cases}`;
  const { stores } = suite.stats().cache;
  const app = express().set('env', 'test');
  app.use(suite.cache({ ...options, maxBytes: '16kb' }), (_req, res) => {
    res.set('Cache-Control', 'max-age=60').send(PAGE);
  });
  const port = await listen(app);
  await ask(port, path, { headers: HOST });
  await until(() => suite.stats().cache.stores > stores);
  const key = createKeys(prefix).entry(`h:http://shop.example||u|0|GET:${path}`);
  const original = await client.getBuffer(key);
  const entry = original === null ? undefined : decodeEntry(original);
  if (entry === undefined) throw new Error('The entry is not where it was expected.');
  const { head, body = Buffer.from('crafted'), flags = 1, freshMs = 60_000, staleMs = 0 } = poison;
  const metadata = typeof head === 'string' ? head : JSON.stringify(head);
  const { clock, generation, storedAt } = entry;
  const draft = { key: `h:GET:${path}`, tags: [], stamp: { clock, generation }, computeMs: 0, metadata, body };
  await client.set(key, encodeEntry({ ...draft, flags, freshMs, staleMs }, storedAt));
  return ask(port, path, { ...request, headers: { ...HOST, ...request.headers } });
}

const ok = { status: 200, headers: [['Content-Type', 'text/plain']] };
const gzip = gzipSync(PAGE);
const bomb = gzipSync(Buffer.alloc(50_000_000));
const partial = { status: 206, headers: [['ETag', '"1"']] };
const part = (values: object): unknown => ({
  ...partial,
  part: { first: 0, last: 6, length: 7, asked: 'bytes=0-6', ...values },
});

const IGNORED: Readonly<Record<string, Poison>> = {
  'a coding nobody knows': { head: { ...ok, coding: 'br', size: 7 } },
  'a coding that is a header of its own': { head: { ...ok, coding: 'gzip\r\nSet-Cookie: a=b', size: 7 } },
  'a coding without a size': { head: { ...ok, coding: 'gzip' }, body: gzip },
  'a coding beside one of the handler': {
    head: { status: 200, headers: [['Content-Encoding', 'br']], coding: 'gzip', size: PAGE.length },
    body: gzip,
  },
  'a body that is not compressed as it says': { head: { ...ok, coding: 'gzip', size: 7 } },
  'a size that is too small': { head: { ...ok, coding: 'gzip', size: 3 }, body: gzip },
  'a size that is too large': { head: { ...ok, coding: 'gzip', size: 300 }, body: gzip },
  'a size that is none': { head: { ...ok, coding: 'gzip', size: '15' }, body: gzip },
  'a size below nothing': { head: { ...ok, coding: 'gzip', size: -1 }, body: gzip },
  'a zip bomb that says so': { head: { ...ok, coding: 'gzip', size: 50_000_000 }, body: bomb.subarray(0, 16_000) },
  'a zip bomb that does not': { head: { ...ok, coding: 'gzip', size: 100 }, body: bomb.subarray(0, 16_000) },
  'a body larger than any the route stores': { head: ok, body: Buffer.alloc(20_000, 'x') },
  'an age below nothing': { head: { ...ok, age: -1 } },
  'an age that is text': { head: { ...ok, age: '1\r\nSet-Cookie: a=b' } },
  'an age that is no number': { head: '{"status":200,"headers":[],"age":null}' },
  'a stale time that is an object': { head: { ...ok, staleWhileRevalidate: {} } },
  'a stale time on error that is text': { head: { ...ok, staleIfError: '9' } },
  'a word for revalidation nobody knows': { head: { ...ok, revalidate: 'never' } },
  'a part of a 200': { head: { ...ok, part: { first: 0, last: 6, length: 7 } } },
  'a shape that is text': { head: { ...ok, shape: 'user' } },
  'a shape of numbers': { head: { ...ok, shape: [1] } },
  'headers in a list that is none': { head: { status: 200, headers: { length: 1, 0: ['X-A', 'a'] } } },
  'a pair of one': { head: { status: 200, headers: [['X-A']] } },
  'a status beyond all': { head: { ...ok, status: 600 } },
  'a status with a fraction': { head: { ...ok, status: 200.5 } },
  'a reason with a line break': { head: { ...ok, reason: 'OK\r\nSet-Cookie: a=b' } },
  'a reason that is an object': { head: { ...ok, reason: {} } },
  garbage: { head: '\u0000\u0001{{{' },
  'JSON that is deep': { head: '['.repeat(50_000) },
  'a list': { head: [] },
};

const PARTS: Readonly<Record<string, unknown>> = {
  'ends before it begins': part({ first: 6, last: 0 }),
  'begins below nothing': part({ first: -7, last: -1 }),
  'reaches beyond the whole': part({ last: 99 }),
  'is longer than its bytes': part({ last: 8, length: 20 }),
  'is counted in text': part({ first: '0', last: '6\r\nX: y' }),
  'has fractions': part({ first: 0.5 }),
  'is a word': { ...partial, part: 'all' },
};

describe.each(POLICIES)('entries that somebody else wrote to Redis, policy %s', (policy, options) => {
  it.each(Object.entries(IGNORED))('are ignored: %s', async (_name, poison) => {
    for (const headers of [{}, { 'Accept-Encoding': 'identity' }]) {
      const answer = await poisoned(poison, options, { headers });
      expect([answer.status, answer.text, answer.headers['set-cookie']]).toEqual([200, PAGE, undefined]);
    }
  });

  it.each(Object.entries(PARTS))('are ignored: a part that %s', async (_name, head) => {
    for (const Range of ['bytes=0-3', 'bytes=-3', 'bytes=0-6']) {
      const { text, lines } = await poisoned({ head }, options, { headers: { Range } });
      expect([PAGE, PAGE.slice(0, 4), PAGE.slice(-3), PAGE.slice(0, 7)]).toContain(text);
      expect(lines.join('\n')).not.toContain('crafted');
    }
    expect((await poisoned({ head }, options)).text).toBe(PAGE);
  });

  it.each([NaN, -1, Infinity])('are ignored: a lifetime of %d', async (ms) => {
    expect((await poisoned({ head: ok, freshMs: ms, staleMs: ms }, options)).text).toBe(PAGE);
  });

  it('set cookies for nobody where this is not the policy', async () => {
    const head = { status: 200, headers: [['Set-Cookie', 'sid=evil']] };
    const answer = await poisoned({ head }, options);
    expect(answer.headers['set-cookie']).toEqual(policy === 'app' ? undefined : ['sid=evil']);
  });

  it('show users nothing that is not marked as for everybody', async () => {
    const withUser = { headers: { Authorization: 'Bearer ann', Cookie: 'sid=ann' } };
    const answer = await poisoned({ head: ok, flags: 0 }, { ...options, cookies: 'bypass', vary: [] }, withUser);
    expect(answer.text).toBe(PAGE);
  });
});
