import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import express, { type Request, type RequestHandler, type Response } from 'express';
import { type CacheOptions, isRefresh, type Suite } from '../../src/index.ts';
import { passingOn } from '../support/express.ts';
import { ask, EVERYWHERE, listen, openSuite, type Place, PLACES, verdict } from './support.ts';
import { gate, until } from '../support/waiting.ts';

const STALE = 'hit; ttl';
const rejections: unknown[] = [];
const noteRejection = (reason: unknown): void => void rejections.push(reason);

beforeAll(() => void process.on('unhandledRejection', noteRejection));
afterAll(() => {
  process.off('unhandledRejection', noteRejection);
  if (rejections.length > 0) throw new Error(`Unhandled: ${rejections.join()}`);
});

interface Scene {
  readonly suite: Suite;
  readonly port: number;
  runs(): number;
  /** Runs of the handler for no client. */
  refreshes(): number;
}

interface Visit {
  readonly run: number;
  readonly req: Request;
  readonly res: Response;
  readonly next: (error?: unknown) => void;
}

type Handler = (visit: Visit) => unknown;

/** One cached route, whose handler learns which run it is, from 1; with what stands around it. */
async function scene(place: Place, handler: Handler, options: CacheOptions): Promise<Scene> {
  const suite = openSuite(place);
  const app = express().set('env', 'test').set('etag', false);
  let runs = 0;
  let refreshes = 0;
  const visited: RequestHandler = (req, res, next) => {
    if (isRefresh(req)) refreshes++;
    return handler({ run: ++runs, req, res, next });
  };
  app.get('/', suite.cache({ jitter: 0, ...options }), passingOn(visited));
  return { suite, port: await listen(app), runs: () => runs, refreshes: () => refreshes };
}

/** What answers when a response is stored, and again after its lifetime of 40 ms or what its Age says. */
async function storedThenStale({ port }: Scene, waitMs = 60): Promise<readonly [text: string, verdict: string]> {
  await ask(port, '/');
  await sleep(waitMs);
  const answer = await ask(port, '/');
  return [answer.text, verdict(answer)];
}

/** Responses that are 100 s old when they come, and were good for 60 s. */
const WORDS: readonly {
  readonly field: string;
  readonly by?: string;
  readonly isStale: boolean;
}[] = [
  { field: 'max-age=60, stale-while-revalidate=60', isStale: true },
  { field: 'MAX-AGE=60, Stale-While-Revalidate="60"', isStale: true },
  { field: 'max-age=60', isStale: false },
  { field: 'max-age=60, stale-while-revalidate=30', isStale: false, by: 'RFC 5861 §3: the window has ended' },
  { field: 'max-age=60, stale-while-revalidate=x', isStale: false },
  { field: 'max-age=60, stale-if-error=60', isStale: false, by: 'RFC 5861 §4: only errors' },
  { field: 'max-age=60, stale-while-revalidate=60, must-revalidate', isStale: false, by: 'RFC 9111 §5.2.2.2' },
  { field: 'max-age=60, stale-while-revalidate=60, proxy-revalidate', isStale: false, by: 'RFC 9111 §5.2.2.8' },
  { field: 'max-age=60, stale-while-revalidate=60, no-cache', isStale: false, by: 'RFC 9111 §5.2.2.4' },
  { field: 's-maxage=60', isStale: false, by: 'RFC 9111 §5.2.2.10' },
  { field: 's-maxage=60, stale-while-revalidate=60', isStale: true, by: 'RFC 5861 §3: said of this response itself' },
  { field: 's-maxage=60, stale-while-revalidate=60, must-revalidate', isStale: false },
];

describe.each(['app', 'rfc9111'] as const)('by policy %s, past its lifetime', (policy) => {
  it.each(WORDS)('a response with "$field" is served while it is made anew: $isStale', async ({ field, isStale }) => {
    const place = await scene(
      'memory',
      ({ run, res }) => res.set({ 'Cache-Control': field, Age: run === 1 ? '100' : '0' }).send(`run ${run}`),
      { policy },
    );
    const [text, told] = await storedThenStale(place, 0);
    expect(text).toBe(isStale ? 'run 1' : 'run 2');
    expect(told === STALE).toBe(isStale);
    await until(() => place.runs() === 2);
    expect(place.refreshes()).toBe(isStale ? 1 : 0);
  });
});

describe.each(['must-revalidate', 'proxy-revalidate', 'no-cache'])(
  'a route with windows for stale responses',
  (word) => {
    it(`serves none that says ${word}`, async () => {
      const place = await scene(
        'memory',
        ({ run, res }) => (run === 1 ? res.set('Cache-Control', word).send('run 1') : res.status(503).send('down')),
        { ttl: '40ms', staleWhileRevalidate: '1m', staleIfError: '1m' },
      );
      expect((await storedThenStale(place))[0]).toBe('down');
    });

    it(`serves none that says ${word} after a soft purge either`, async () => {
      const place = await scene('memory', ({ run, res }) => res.set('Cache-Control', word).send(`run ${run}`), {
        ttl: '1m',
        tags: ['t'],
        staleWhileRevalidate: '1m',
      });
      await ask(place.port, '/');
      await place.suite.invalidate({ tags: ['t'], mode: 'soft' });
      expect((await ask(place.port, '/')).text).toBe('run 2');
    });
  },
);

describe.each(EVERYWHERE)('stale responses on %s', (place) => {
  it('are served to all while one refresh is under way, and no more once it is done', async () => {
    const door = gate();
    const there = await scene(
      place,
      async ({ run, res }) => {
        if (run === 2) await door.passed;
        res.send(`run ${run}`);
      },
      { ttl: '300ms', staleWhileRevalidate: '1m' },
    );
    expect(await storedThenStale(there, 320)).toEqual(['run 1', STALE]);
    await until(() => there.runs() === 2);
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(there.port, '/')));
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['run 1']));
    expect([there.runs(), there.refreshes()]).toEqual([2, 1]);
    door.open();
    await until(() => there.suite.stats().cache.stores === 2);
    expect((await ask(there.port, '/')).text).toBe('run 2');
  });

  it('are not served past the window', async () => {
    const there = await scene(place, ({ run, res }) => res.send(`run ${run}`), {
      ttl: '40ms',
      staleWhileRevalidate: '60ms',
    });
    expect((await storedThenStale(there, 150))[0]).toBe('run 2');
    expect(there.refreshes()).toBe(0);
  });

  it('are made anew by a 304 too', async () => {
    const there = await scene(
      place,
      ({ run, req, res }) => {
        if (req.get('if-none-match') === '"a"') return res.status(304).set('X-Run', String(run)).end();
        return res.set({ ETag: '"a"', 'X-Run': String(run) }).send('the content');
      },
      { ttl: '200ms', staleWhileRevalidate: '1m' },
    );
    expect((await storedThenStale(there, 220))[0]).toBe('the content');
    await until(() => there.suite.stats().cache.stores === 2);
    const fresh = await ask(there.port, '/');
    expect([fresh.status, fresh.text, fresh.headers['x-run']]).toEqual([200, 'the content', '2']);
    expect([there.runs(), there.refreshes()]).toEqual([2, 1]);
  });
});

const BIG = Buffer.alloc(5_000_000, 'x');

/** Ends of a background run. */
const ENDINGS: readonly { readonly name: string; readonly options?: CacheOptions; readonly end: Handler }[] = [
  {
    name: 'throws',
    end() {
      throw new Error('refresh failed');
    },
  },
  { name: 'rejects', end: () => Promise.reject(new Error('refresh failed')) },
  { name: 'passes an error on', end: ({ next }) => next(new Error('refresh failed')) },
  { name: 'answers 503', end: ({ res }) => res.status(503).send('no') },
  {
    name: 'answers 500 where errors are replaced',
    options: { staleIfError: '1m' },
    end: ({ res }) => res.sendStatus(500),
  },
  { name: 'answers for one user', end: ({ res }) => res.set('Cache-Control', 'private').send('mine') },
  { name: 'destroys its socket', end: ({ req }) => req.socket.destroy() },
  { name: 'destroys its response in the middle', end: ({ res }) => (res.write('half'), res.destroy()) },
  {
    name: 'throws after it began',
    end({ res }) {
      res.write('half');
      throw new Error('refresh failed late');
    },
  },
  {
    name: 'streams more than is kept',
    async end({ res }) {
      for (let at = 0; at < BIG.length; at += 50_000) {
        if (!res.write(BIG.subarray(at, at + 50_000))) await new Promise((resolve) => res.once('drain', resolve));
      }
      res.end();
    },
  },
];

describe.each(PLACES)('a background run on %s', (place) => {
  it.each(ENDINGS)('that $name leaves the stale response in its place, and is not repeated at once', async (ending) => {
    let ends = 0;
    const there = await scene(
      place,
      ({ run, ...visit }) => {
        if (run === 1 || run > 2) return visit.res.send(`run ${run}`);
        visit.res.once('close', () => ends++);
        return ending.end({ run, ...visit });
      },
      { ttl: '40ms', staleWhileRevalidate: '1m', ...ending.options },
    );
    expect(await storedThenStale(there)).toEqual(['run 1', STALE]);
    await until(() => ends === 1);
    await sleep(20);
    const again = await ask(there.port, '/');
    expect([again.text, verdict(again), there.runs()]).toEqual(['run 1', STALE, 2]);
  });

  it('may stream 5 MB', async () => {
    const there = await scene(place, ({ run, res }) => res.send(run === 1 ? 'small' : BIG), {
      ttl: '300ms',
      staleWhileRevalidate: '1m',
      maxBytes: '10mb',
    });
    await storedThenStale(there, 320);
    await until(() => there.suite.stats().cache.stores === 2);
    expect((await ask(there.port, '/')).body.equals(BIG)).toBe(true);
  });

  it('that failed is followed by another after a pause', async () => {
    const there = await scene(place, ({ run, res }) => (run === 2 ? res.sendStatus(503) : res.send(`run ${run}`)), {
      ttl: '40ms',
      staleWhileRevalidate: '1m',
    });
    await storedThenStale(there);
    await until(() => there.runs() === 2);
    await sleep(1_050);
    expect((await ask(there.port, '/')).text).toBe('run 1');
    await until(() => there.runs() === 3);
    expect(there.refreshes()).toBe(2);
  });
});

describe('background runs that never end', () => {
  afterEach(() => void jest.useRealTimers());

  it('are given up after half a minute, and until then nobody begins another of the same key', async () => {
    const closed: string[] = [];
    const there = await scene(
      'memory',
      ({ run, req, res }) => {
        if (run !== 2) return res.send(`run ${run}`);
        res.once('close', () => closed.push('response'));
        return req.once('aborted', () => closed.push('request'));
      },
      { ttl: '40ms', staleWhileRevalidate: '1h' },
    );
    await ask(there.port, '/');
    await sleep(60);
    jest.useFakeTimers({ doNotFake: [...EVERYTHING_BUT_TIMEOUTS] });
    await ask(there.port, '/');
    while (there.runs() < 2) await new Promise(setImmediate);
    for (let second = 0; second < 29; second++) {
      jest.advanceTimersByTime(1_000);
      expect((await ask(there.port, '/')).text).toBe('run 1');
    }
    expect([there.runs(), closed]).toEqual([2, []]);
    jest.advanceTimersByTime(1_000);
    while (closed.length < 2) await new Promise(setImmediate);
    expect(there.runs()).toBe(2);
  });
});

const EVERYTHING_BUT_TIMEOUTS = [
  'Date',
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
] as const;
