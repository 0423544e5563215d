import { expect, it } from '@jest/globals';
import express, { type RequestHandler } from 'express';
import type { CacheOptions, TagField } from '../../../src/http-cache/http-cache.ts';
import { type Ask, verdict } from '../support.ts';
import { everywhere, type Headers, type PolicyName, setAll, type Stage, storesOf } from './support.ts';

const LONG = 'g'.repeat(32);
const MANY = Array.from({ length: 32 }, (_, i) => `"${i}${LONG.slice(2)}"`).join(', ');

/** A response's fields, a tag, and whether the response has it. */
const TAGS: readonly (readonly [rule: string, headers: Headers, tag: string, has: boolean])[] = [
  ['9875 §2 a String', { 'Cache-Groups': '"one", "two"' }, 'two', true],
  ['9875 §2 parameters do not count', { 'Cache-Groups': '"one";x="two";y' }, 'one', true],
  ['9875 §2 nor are they groups', { 'Cache-Groups': '"one";x="two"' }, 'two', false],
  ['9875 §2 over two lines', { 'Cache-Groups': ['"one"', '"two"'] }, 'two', true],
  ['9875 §2.1 in the same case only', { 'Cache-Groups': '"One"' }, 'one', false],
  ['9875 §2.1 character by character', { 'Cache-Groups': '"one, two"' }, 'one', false],
  ['9875 §2 with blanks and commas', { 'Cache-Groups': '"one, two"' }, 'one, two', true],
  ['9875 §2 a Token is none', { 'Cache-Groups': 'one, "two"' }, 'one', false],
  ['9875 §2 nor an Inner List', { 'Cache-Groups': '("one"), "two"' }, 'one', false],
  ['9875 §2 what cannot be parsed is ignored', { 'Cache-Groups': '"one", &' }, 'one', false],
  ['9875 §2 32 groups of 32 characters', { 'Cache-Groups': MANY }, `31${LONG.slice(2)}`, true],
  ['Surrogate-Key', { 'Surrogate-Key': 'one two' }, 'two', true],
  ['Surrogate-Key with a comma', { 'Surrogate-Key': 'one,two' }, 'one,two', true],
  ['Surrogate-Key over two lines', { 'surrogate-key': ['one', 'two'] }, 'two', true],
  ['Surrogate-Key in another case', { 'Surrogate-Key': 'One' }, 'one', false],
  ['xkey', { xkey: 'one  two' }, 'two', true],
  ['xkey with commas', { xkey: 'one, two' }, 'two', true],
  ['Cache-Tag', { 'Cache-Tag': 'one ,two' }, 'two', true],
  ['Cache-Tag with blanks', { 'Cache-Tag': 'one two, three' }, 'one two', true],
  ['Cache-Tag over two lines', { 'Cache-Tag': ['one', 'two,three'] }, 'one', true],
  ['a field that names no tags', { 'X-Tags': 'one' }, 'one', false],
];

interface Invalidation {
  readonly rule: string;
  /** Of what is stored. Default: "one". */
  readonly stored?: Headers;
  readonly ask?: Ask;
  readonly status?: number;
  /** Cache-Group-Invalidation. Default: "one". */
  readonly names?: string | readonly string[];
  readonly isRenewed: boolean;
}

const ONE: Headers = { 'Cache-Groups': '"one"' };
const INVALIDATIONS: readonly Invalidation[] = [
  ...['POST', 'PUT', 'PATCH', 'DELETE', 'LOCK'].map((method) => ({
    rule: `§3 ${method}`,
    ask: { method },
    isRenewed: true,
  })),
  ...['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY'].map((method) => ({
    rule: `§3 ${method}, which is safe`,
    ask: { method },
    isRenewed: false,
  })),
  { rule: '§3 in a list', names: '"x", "one"', isRenewed: true },
  { rule: '§3 over two lines', names: ['"x"', '"one"'], isRenewed: true },
  { rule: '§3 with parameters', names: '"one";soft', isRenewed: true },
  { rule: '§2.1 in another case', names: '"One"', isRenewed: false },
  { rule: '§3 a Token', names: 'one', isRenewed: false },
  { rule: '§3 what cannot be parsed', names: '"one", &', isRenewed: false },
  { rule: '§2.1 from another host', ask: { method: 'POST', headers: { Host: 'elsewhere.example' } }, isRenewed: false },
  { rule: '§2.1 from another port', ask: { method: 'POST', headers: { Host: '127.0.0.1:1' } }, isRenewed: false },
  { rule: '§2.1 of one group among several', stored: { 'Cache-Groups': '"two", "one"' }, isRenewed: true },
  { rule: '§2.1 of a tag in another field', stored: { 'Surrogate-Key': 'one' }, isRenewed: false },
  { rule: '9111 §4.4 a redirection', status: 303, isRenewed: true },
  { rule: '9111 §4.4 an error', status: 409, isRenewed: false },
];

const TOLD: readonly (readonly [TagField, tags: readonly string[], sent: Headers, line: string | undefined])[] = [
  ['Surrogate-Key', ['r1', 'r2'], {}, 'r1 r2'],
  ['Surrogate-Key', ['r1'], { 'Surrogate-Key': 'h1', 'Cache-Tag': 'h2' }, 'r1 h1 h2'],
  ['xkey', ['r1', 'r2'], {}, 'r1 r2'],
  ['Cache-Tag', ['r1', 'r2'], {}, 'r1,r2'],
  ['Cache-Groups', ['r1', 'r2'], {}, '"r1", "r2"'],
  ['Cache-Groups', ['r1'], { 'Cache-Groups': '"a b", "c,d"' }, '"r1", "a b", "c,d"'],
  ['Cache-Tag', ['what it cannot spell', 'a,b', 'größe', 'r1'], {}, 'r1'],
  ['Surrogate-Key', [], {}, undefined],
];

interface Post {
  readonly rule: string;
  readonly headers: (path: string) => Headers;
  readonly status?: number;
  readonly isStored?: true;
}

const LIVES = { 'Cache-Control': 'max-age=60' };
const POSTS: readonly Post[] = [
  { rule: 'its own path', headers: (path) => ({ ...LIVES, 'Content-Location': path }), isStored: true },
  {
    rule: 'its own path, from where it is',
    headers: (path) => ({ ...LIVES, 'Content-Location': path.slice(1) }),
    isStored: true,
  },
  {
    rule: 'with Expires',
    headers: (path) => ({ Expires: new Date(Date.now() + 60_000).toUTCString(), 'Content-Location': path }),
    isStored: true,
  },
  { rule: 'no Content-Location', headers: () => LIVES },
  { rule: 'another path', headers: () => ({ ...LIVES, 'Content-Location': '/elsewhere' }) },
  { rule: 'another query', headers: (path) => ({ ...LIVES, 'Content-Location': `${path}?a=1` }) },
  { rule: 'another host', headers: (path) => ({ ...LIVES, 'Content-Location': `http://elsewhere.example${path}` }) },
  {
    rule: 'no lifetime',
    headers: (path) => ({ 'Content-Location': path, 'Last-Modified': new Date(0).toUTCString() }),
  },
  { rule: 'no-store', headers: (path) => ({ 'Cache-Control': 'no-store, max-age=60', 'Content-Location': path }) },
  { rule: 'another status', headers: (path) => ({ ...LIVES, 'Content-Location': path }), status: 201 },
];

const query = (body: string, type = 'text/plain', more: Ask['headers'] = {}): Ask => ({
  method: 'QUERY',
  body,
  headers: { 'Content-Type': type, ...more },
});
/** Of two requests, and whether they share a response; whatever parser has dealt with their content, or without one. */
const QUERIES: readonly (readonly [
  rule: string,
  first: Ask,
  second: Ask,
  isShared: boolean,
  parsers: 'any' | 'none',
])[] = [
  ['the same content', query('a'), query('a'), true, 'any'],
  ['other content', query('a'), query('b'), false, 'any'],
  ['the same JSON', query('{"a":1}', 'application/json'), query('{"a":1}', 'application/json'), true, 'any'],
  ['other JSON', query('{"a":1}', 'application/json'), query('{"a":2}', 'application/json'), false, 'any'],
  ['another type', query('[1]'), query('[1]', 'application/json'), false, 'any'],
  ['another coding', query('a'), query('a', 'text/plain', { 'Content-Encoding': 'x' }), false, 'none'],
  ['no content', query(''), query(''), true, 'any'],
  ['GET, without content', query(''), {}, false, 'any'],
  ['content that is too long', query('a'.repeat(70_000)), query('a'.repeat(70_000)), false, 'none'],
];
/** Middleware that may have dealt with the content before. */
const PARSERS: Readonly<Record<string, readonly RequestHandler[]>> = {
  'no parser': [],
  'express.text': [express.text({ limit: '1mb' })],
  'express.json': [express.json()],
  'a parser that leaves an empty object (body-parser 1)': [
    (req, _res, next) => {
      req.body = {};
      next();
    },
  ],
};

everywhere((stage, policy, rows) => {
  it.each(rows(TAGS))('%s: %j, tag %s: %s', async (_rule, headers, tag, has) => {
    const path = answering(stage(), { policy }, headers);
    await stage().ask(path);
    await stage().suite.invalidate([tag]);
    expect(await isHit(stage(), path)).toBe(!has);
  });

  it.each(rows(INVALIDATIONS))(
    '9875 $rule',
    async ({ stored = ONE, ask = { method: 'POST' }, status = 200, names = '"one"', isRenewed }) => {
      const path = answering(stage(), { policy }, stored);
      const change = stage().route({ policy }, (_req, res) => {
        res.setHeader('Cache-Group-Invalidation', names);
        res.status(status).end();
      });
      await stage().ask(path);
      await stage().ask(change, ask);
      expect(await isHit(stage(), path)).toBe(!isRenewed);
    },
  );

  it('9875 §2.2.1 does not go on from group to group', async () => {
    const paths = ['"one", "two"', '"two"'].map((groups) => answering(stage(), { policy }, { 'Cache-Groups': groups }));
    for (const path of paths) await stage().ask(path);
    const change = stage().route({ policy }, (_req, res) => {
      res.setHeader('Cache-Group-Invalidation', '"one"');
      res.end();
    });
    await stage().ask(change, { method: 'POST' });
    expect([await isHit(stage(), paths[0] ?? ''), await isHit(stage(), paths[1] ?? '')]).toEqual([false, true]);
  });

  it.each(rows(TOLD))('tells %s %j beside %j, at first and on every hit', async (tagField, tags, sent, line) => {
    const path = answering(stage(), { policy, tagField, tags }, sent);
    const answers = [await stage().ask(path), await stage().ask(path)];
    expect(answers.map(verdict)).toEqual(['fwd=uri-miss; stored', 'hit; ttl']);
    expect(answers.map(({ headers }) => headers[tagField.toLowerCase()])).toEqual([line, line]);
  });

  it.each(rows(POSTS))(
    '9110 §9.3.3 a response to POST, $rule: stored $isStored',
    async ({ headers, status = 200, isStored = false }) => {
      const path = stage().route({ policy }, (req, res) => {
        if (req.method === 'POST') setAll(res, { headers: headers(req.baseUrl) });
        res.status(status).end(req.method);
      });
      expect(verdict(await stage().ask(path, { method: 'POST', body: 'x' }))).toMatch(/^fwd=method(; stored)?$/);
      const answer = await stage().ask(path);
      const isHere = isStored && policy === 'rfc9111';
      expect([answer.text, verdict(answer)]).toEqual(isHere ? ['POST', 'hit; ttl'] : ['GET', 'fwd=uri-miss']);
      expect(storesOf(stage(), path)).toBe(isHere ? 1 : 0);
    },
  );

  it.each(rows(QUERIES))('10008 §2.7 QUERY, %s', async (_rule, first, second, isShared, parsed) => {
    for (const parsers of parsed === 'none' ? [[]] : Object.values(PARSERS)) {
      const path = queried(stage(), policy, parsers);
      const answers = [await stage().ask(path, first), await stage().ask(path, second)];
      const [a, b] = answers.map(({ text }) => text);
      const isHere = isShared && policy === 'rfc9111';
      expect([b === a, verdict(answers[1] as never).startsWith('hit')]).toEqual([isHere, isHere]);
      const length = (second.body ?? '').length;
      expect(b).toMatch(new RegExp(`^run \\d, ${length} bytes$`));
    }
  });
});

/** A route that answers with these fields. */
function answering(stage: Stage, options: CacheOptions, headers: Headers): string {
  return stage.route(options, (_req, res) => {
    setAll(res, { cc: 'max-age=60', headers });
    res.end('body');
  });
}

async function isHit(stage: Stage, path: string): Promise<boolean> {
  return verdict(await stage.ask(path)) === 'hit; ttl';
}

/** A route that says how much content it got, read by it or by a parser. */
function queried(stage: Stage, policy: PolicyName, parsers: readonly RequestHandler[]): string {
  let runs = 0;
  const cache = stage.suite.cache({ policy, jitter: 0 });
  return stage.mount(...parsers, cache, (req, res, next) => {
    const run = ++runs;
    const answer = (bytes: number): void => {
      res.set('Cache-Control', 'max-age=60').end(`run ${run}, ${bytes} bytes`);
    };
    if (req.readableEnded && req.body !== undefined) return answer(lengthOf(req.body));
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => answer(Buffer.concat(chunks).length));
    req.on('error', next);
  });
}

function lengthOf(body: unknown): number {
  return typeof body === 'string' ? body.length : JSON.stringify(body).length;
}
