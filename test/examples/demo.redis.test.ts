import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ask, originOf, type Program, run } from './program.ts';

const SMALL = { DEMO_CITIES: '3000', DEMO_PAGES: '150' };
/** PostgreSQL is WebAssembly that runs for seconds: optimising it costs more than it gives back. */
const NODE = ['--liftoff-only'];
const TOUR_MS = 120_000; // It takes ten seconds; a busy machine may need many times that.

interface Exchange {
  readonly request: string;
  readonly says: string;
  readonly status: number;
  readonly cache: string;
  readonly redis: string;
}

/** The requests of one step of the tour, as they were printed. */
function exchangesOf(output: string, title: string): Exchange[] {
  const [, rest = ''] = output.split(` ${title}\n`);
  const [step = ''] = rest.split(/\n *\d+ {2}[A-Z\d]/);
  const lines = /^ {4}((?:GET|PUT|POST) \S+) +(.*)\n {6}(\d+) +[\d.,]+ ms {2}(.*?) {2,}(.*)$/gm;
  return [...step.matchAll(lines)].map(([, request = '', says = '', status, cache = '', redis = '']) => ({
    request,
    says,
    status: Number(status),
    cache,
    redis,
  }));
}

function firstWord({ cache }: Exchange): string {
  return cache.replace(/[;=].*/, '');
}

describe('npm run demo, with a redis-server on PATH', () => {
  let demo: Program;
  let output = '';

  beforeAll(async () => {
    demo = run('demo.ts', { node: NODE, env: SMALL });
    await demo.wrote(/Ctrl-C/);
    output = demo.output();
  }, TOUR_MS);
  afterAll(() => demo.end('SIGKILL'));

  it('says that it started a server for the run', () => {
    expect(output).toMatch(/Redis: a server started for this run on port \d+/);
  });

  it('shows a miss, then a hit that costs Redis two reads', () => {
    const [miss, hit] = exchangesOf(output, 'A miss, then a hit');
    expect(miss).toMatchObject({ status: 200, cache: expect.stringMatching(/^fwd=uri-miss.*stored/) });
    expect(hit).toMatchObject({ status: 200, cache: expect.stringMatching(/^hit/), says: miss?.says });
    expect(hit?.redis).toMatch(/^GET 1\b/);
    expect(hit?.redis).not.toContain('SET');
  });

  it('answers 304 to a client that has the page already', () => {
    const [, conditional] = exchangesOf(output, '304: the client has it already');
    expect(conditional).toMatchObject({ status: 304, says: expect.stringMatching(/^no body/) });
  });

  it('runs the handler once for twenty clients at once', () => {
    const counts = [...output.matchAll(/^ {4}· +(\d+) x (fwd=uri-miss; stored|fwd=uri-miss; collapsed|hit)/gm)];
    const stored = counts.filter(([, , status]) => status === 'fwd=uri-miss; stored');
    expect(stored.map(([, count]) => Number(count))).toEqual([1]);
    expect(counts.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(20);
  });

  it('stores no error', () => {
    const errors = exchangesOf(output, 'A mistake is told, and never stored');
    expect(errors.map(({ status }) => status)).toEqual([400, 404, 404]);
    expect(errors.map(firstWord)).toEqual(['fwd', 'fwd', 'fwd']);
  });

  it('shows the new value on every page after an update, and leaves the others cached', () => {
    const pages = exchangesOf(output, 'Fresh again, everywhere, at once');
    expect(pages.map(firstWord)).toEqual(['fwd', 'hit', 'fwd', 'fwd', 'fwd', 'hit']);
    expect(pages.slice(0, 5).every(({ says }) => says.includes('population 2,102,650'))).toBe(true);
  });

  it('invalidates all pages of one country with one tag and keeps those of another', () => {
    expect(output).toMatch(/second time .* 250 x hit\n/);
    expect(output).toMatch(/suite\.invalidate\(\['country:US'\]\) {2}[\d.]+ ms for 150 entries/);
    expect(output).toMatch(/United States, 100 pages: 100 x fwd=/);
    expect(output).toMatch(/Italy, 100 pages: 100 x hit\n/);
  });

  it('lists two devices of a user, and ends the sessions of both with one request', () => {
    const [, , devices, ended, after] = exchangesOf(output, 'One user, two devices, out of both');
    expect(devices).toMatchObject({ status: 200, says: 'laptop, phone (this one)' });
    expect(ended).toMatchObject({ status: 200, says: '2 sessions ended' });
    expect(after?.status).toBe(401);
  });

  it('refuses the fourth export, and allows it when the limit is released', () => {
    const [, ...answers] = exchangesOf(output, 'A limit is reached, and released');
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 200]);
  });

  it('answers while Redis is away, and hits again after it is back', () => {
    const answers = exchangesOf(output, 'Redis stops, and comes back');
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(answers.map(firstWord)).toEqual(['hit', 'fwd', 'fwd', 'fwd', 'hit']);
    expect(output).toMatch(/The first hit came [\d.,]+ ms later/);
  });

  it('stays up for the reader, tells mistakes clearly, and leaves no server behind after Ctrl-C', async () => {
    const origin = await originOf(demo);
    expect(await ask(`${origin}/countries/JP`)).toMatchObject({ status: 200, body: { name: 'Japan' } });
    expect(await ask(`${origin}/cities/search?q=x`)).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining('q must be a text of 2 to 80 characters') },
    });

    expect(await demo.end('SIGINT')).toBe(0);
    const [, port] = /on port (\d+)/.exec(output) ?? [];
    expect(await isListening(Number(port))).toBe(false);
  });
});

describe('npm run demo -- --once, without a Redis', () => {
  const emptyFolder = mkdtempSync(join(tmpdir(), 'no-redis-'));
  afterAll(() => rmSync(emptyFolder, { recursive: true }));

  it(
    'takes the same tour on the embedded backend and ends',
    async () => {
      const demo = run('demo.ts', {
        node: NODE,
        args: ['--once'],
        env: { ...SMALL, PATH: emptyFolder, REDIS_SERVER_BIN: '' },
      });
      expect(await demo.ended()).toBe(0);

      const output = demo.output();
      expect(output).toContain('Redis: none (No Redis server found)');
      expect(exchangesOf(output, 'A miss, then a hit').map(firstWord)).toEqual(['fwd', 'hit']);
      const pages = exchangesOf(output, 'Fresh again, everywhere, at once');
      expect(pages.map(firstWord)).toEqual(['fwd', 'hit', 'fwd', 'fwd', 'fwd', 'hit']);
      expect(output).toMatch(/United States, 100 pages: 100 x fwd=/);
      expect(output).toMatch(/Italy, 100 pages: 100 x hit\n/);
      expect(output).toContain('there is no Redis to stop');
    },
    TOUR_MS,
  );
});

describe('npm run demo, with a REDIS_URL nobody answers at', () => {
  it(
    'says so and ends with an error',
    async () => {
      const demo = run('demo.ts', {
        node: NODE,
        args: ['--once'],
        env: { ...SMALL, REDIS_URL: 'redis://127.0.0.1:1' },
      });
      expect(await demo.ended()).toBe(1);
      expect(demo.output()).toContain('REDIS_URL names a Redis that does not answer');
    },
    TOUR_MS,
  );
});

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
