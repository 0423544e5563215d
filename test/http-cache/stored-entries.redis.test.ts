import { describe, expect, it } from '@jest/globals';
import express from 'express';
import { encodeEntry } from '../../src/cache/entry.ts';
import { createKeys } from '../../src/redis/keys.ts';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { ask, HIT, listen, openSuite, STORED, verdict } from './support.ts';
import { until } from '../support/waiting.ts';

/** An entry in Redis that this package did not write: whoever can reach Redis must not be able to speak HTTP through it. */
async function afterTampering(
  tamper: (original: Buffer) => Buffer | string,
): Promise<{ text: string; told: string; lines: readonly string[] }> {
  const client = testRedis();
  const prefix = uniquePrefix();
  const suite = openSuite('memory', { redis: client, backend: 'redis', prefix, deadline: '2s' });
  const app = express();
  let runs = 0;
  app.get('/', suite.cache({ ttl: '1m' }), (_req, res) => void res.set('X-A', 'honest').send(`run ${++runs}`));
  const port = await listen(app);
  const host = { Host: 'shop.example' };
  await ask(port, '/', { headers: host });
  await until(() => suite.stats().cache.stores === 1);
  const key = createKeys(prefix).entry(`h:http://shop.example||u|0|GET:/`);
  const original = await client.getBuffer(key);
  if (original === null) throw new Error('The entry is not where it was expected.');
  await client.set(key, tamper(original));
  const answer = await ask(port, '/', { headers: host });
  return { text: answer.text, told: verdict(answer), lines: answer.lines };
}

/** The same entry with another head and body, by the real encoder. */
function withHead(original: Buffer, head: unknown, body = 'crafted'): Buffer {
  const [clock = 0, generation = 0, storedAt = 0] = [24, 32, 40].map((at) => original.readDoubleLE(at));
  return encodeEntry(
    {
      key: 'h:GET:/',
      tags: [],
      stamp: { clock, generation },
      flags: 0,
      freshMs: 60_000,
      staleMs: 0,
      computeMs: 0,
      metadata: typeof head === 'string' ? head : JSON.stringify(head),
      body: Buffer.from(body),
    },
    storedAt,
  );
}

const HOSTILE: readonly (readonly [string, unknown])[] = [
  ['a line break in a value', { status: 200, headers: [['X-A', 'a\r\nSet-Cookie: sid=evil']] }],
  ['a line break in a value of a list', { status: 200, headers: [['X-A', ['a', 'b\nc']]] }],
  ['a line break in a name', { status: 200, headers: [['X-A\r\nX-B', 'a']] }],
  ['a blank in a name', { status: 200, headers: [['X A', 'a']] }],
  ['an empty name', { status: 200, headers: [['', 'a']] }],
  ['Set-Cookie', { status: 200, headers: [['set-cookie', 'sid=evil']] }],
  ['Transfer-Encoding', { status: 200, headers: [['Transfer-Encoding', 'chunked']] }],
  ['Content-Length', { status: 200, headers: [['Content-Length', '1']] }],
  ['a status that is none', { status: 99, headers: [] }],
  ['a status that is text', { status: '200 OK\r\nX: y', headers: [] }],
  ['an interim status', { status: 101, headers: [] }],
  ['no status', { headers: [] }],
  ['no headers', { status: 200 }],
  ['values that are no text', { status: 200, headers: [['X-A', 1]] }],
  ['a value of null', { status: 200, headers: [['X-A', null]] }],
  ['a list with what is no text', { status: 200, headers: [['X-A', [{}]]] }],
  ['headers that are an object', { status: 200, headers: { 'X-A': 'a' } }],
  ['headers that are no pairs', { status: 200, headers: ['X-A', 'a'] }],
  ['no object', 'null'],
  ['no JSON', '{"status":200,'],
];

describe('header injection on read from Redis', () => {
  it('takes an entry whose head is in order', async () => {
    const outcome = await afterTampering((original) =>
      withHead(original, { status: 200, headers: [['X-A', 'other']] }),
    );
    expect(outcome).toMatchObject({ text: 'crafted', told: HIT });
    expect(outcome.lines).toContain('X-A: other');
  });

  it.each(HOSTILE)('ignores an entry with %s', async (_name, head) => {
    const outcome = await afterTampering((original) => withHead(original, head));
    expect(outcome).toMatchObject({ text: 'run 2', told: STORED });
    expect(outcome.lines).toContain('X-A: honest');
  });

  it.each<[string, (original: Buffer) => Buffer | string]>([
    ['empty', () => ''],
    ['text', () => 'HTTP/1.1 200 OK'],
    ['cut short', (original) => original.subarray(0, -1)],
    ['too long', (original) => Buffer.concat([original, Buffer.from('x')])],
    [
      'of another version',
      (original) => Buffer.concat([original.subarray(0, 2), Buffer.from([99]), original.subarray(3)]),
    ],
  ])('ignores an entry that is %s', async (_name, tamper) => {
    expect(await afterTampering(tamper)).toMatchObject({ text: 'run 2', told: STORED });
  });

  it('keeps a header named like the prototype a header', async () => {
    const outcome = await afterTampering((original) =>
      withHead(original, '{"status":200,"headers":[["__proto__","x"]]}'),
    );
    expect(outcome.told).toBe(HIT);
    expect(outcome.lines).toContain('__proto__: x');
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});
