import http from 'node:http';
import { describe, expect, it } from '@jest/globals';
import express, { type Request, type Response } from 'express';
import type { CacheOptions } from '../../src/index.ts';
import {
  type Answer,
  ask,
  EVERYWHERE,
  HIT,
  listen,
  openSuite,
  type Place,
  PLACES,
  STORED,
  verdict,
} from './support.ts';
import { gate, until } from '../support/waiting.ts';
import { runningTime } from '../support/running-time.ts';

const WAITERS = 8;

interface Scene {
  readonly port: number;
  runs(): number;
  arrivals(): number;
}

/** One cached route. The handler learns which run it is, from 1. */
async function scene(
  place: Place,
  handler: (run: number, res: Response, req: Request) => unknown,
  options: CacheOptions = {},
): Promise<Scene & { suite: ReturnType<typeof openSuite> }> {
  const suite = openSuite(place);
  const app = express().set('env', 'test');
  let runs = 0;
  let arrivals = 0;
  app.use((_req, _res, next) => {
    arrivals++;
    next();
  });
  app.get('/', suite.cache({ ttl: '1m', ...options }), (req, res, next) => {
    Promise.resolve(handler(++runs, res, req)).catch(next);
  });
  return { port: await listen(app), runs: () => runs, arrivals: () => arrivals, suite };
}

/** A leader's end: what waiting requests must survive. */
interface Ending {
  readonly name: string;
  readonly options?: CacheOptions;
  end(res: Response): unknown;
}

const ENDINGS: readonly Ending[] = [
  { name: 'throws', end: () => Promise.reject(new Error('leader failed')) },
  { name: 'answers 500', end: (res) => res.status(500).send('no') },
  { name: 'answers 404', end: (res) => res.status(404).send('no') },
  { name: 'answers privately', end: (res) => res.set('Cache-Control', 'private').send('mine') },
  { name: 'sets a cookie', end: (res) => res.cookie('a', '1').send('mine') },
  { name: 'varies by everything', end: (res) => res.set('Vary', '*').send('mine') },
  { name: 'is too large', options: { maxBytes: 10 }, end: (res) => res.send('far more than ten bytes') },
  {
    name: 'becomes too large',
    options: { maxBytes: 10 },
    end(res) {
      res.write('12345');
      setTimeout(() => res.end('67890 and more'), 5);
    },
  },
  {
    name: 'sends less than it promised',
    end(res) {
      res.set('Content-Length', '10').write('12345');
      res.end();
      res.destroy();
    },
  },
  {
    name: 'destroys its response',
    end(res) {
      res.write('12345');
      setTimeout(() => res.destroy(), 5);
    },
  },
  { name: 'destroys its socket at once', end: (res) => res.socket?.destroy() },
  {
    name: 'throws after its headers',
    end(res) {
      res.write('12345');
      throw new Error('leader failed late');
    },
  },
];

/** A request whose end does not matter. */
async function askAnyhow(port: number): Promise<Answer | undefined> {
  return ask(port, '/').catch(() => undefined);
}

describe.each(EVERYWHERE)('concurrent misses on %s', (place) => {
  it('run the handler once, and all get what it answered', async () => {
    const door = gate();
    const { port, runs, arrivals } = await scene(place, async (_run, res) => {
      await door.passed;
      res.set('Link', ['<a>', '<b>']).send(Buffer.from([0, 255, 1]));
    });
    const pending = Array.from({ length: WAITERS }, () => ask(port, '/'));
    await until(() => arrivals() === WAITERS);
    door.open();
    const answers = await Promise.all(pending);
    expect(runs()).toBe(1);
    for (const answer of answers) {
      expect(answer.body).toEqual(Buffer.from([0, 255, 1]));
      expect(answer.lines.filter((line) => line.startsWith('Link'))).toEqual(['Link: <a>', 'Link: <b>']);
    }
    const collapsed = answers.map(verdict).filter((told) => told !== STORED && told !== HIT);
    expect(new Set(collapsed)).toEqual(new Set(['fwd=uri-miss; collapsed']));
  });
});

describe.each(EVERYWHERE)('a burst of requests on %s', (place) => {
  it('runs a handler once that is faster than the lookups of the others', async () => {
    const { port, runs } = await scene(place, (run, res) => res.send(`run ${run}`));
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(port, '/')));
    expect(runs()).toBe(1);
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['run 1']));
  });
});

describe.each(PLACES)('waiting requests on %s', (place) => {
  it.each(ENDINGS)('are answered when their leader $name', async ({ end, options }) => {
    const door = gate();
    const { port, runs, arrivals } = await scene(
      place,
      async (run, res) => {
        if (run > 1) return res.send('own');
        await door.passed;
        return end(res);
      },
      options,
    );
    const leader = askAnyhow(port);
    await until(() => runs() === 1);
    const waiting = Array.from({ length: WAITERS }, () => ask(port, '/'));
    await until(() => arrivals() === WAITERS + 1);
    door.open();
    const openedAt = runningTime();
    const answers = await Promise.all(waiting);
    expect(runningTime() - openedAt).toBeLessThan(3_500); // Nobody ran into the limit of waiting.
    expect(answers.map(({ status, text }) => [status, text])).toEqual(answers.map(() => [200, 'own']));
    await leader;
    expect((await ask(port, '/')).text).toBe('own');
  });

  it('are answered by a leader whose own client has left, and so is the cache', async () => {
    const door = gate();
    const { port, runs } = await scene(place, async (_run, res) => {
      await door.passed;
      res.send('for the others');
    });
    const gone = http.get({ port, host: '127.0.0.1' });
    gone.on('error', () => undefined);
    await until(() => runs() === 1);
    gone.destroy();
    await new Promise((resolve) => setTimeout(resolve, 30));
    door.open();
    await until(() => runs() === 1);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const next = await ask(port, '/');
    expect([next.text, verdict(next), runs()]).toEqual(['for the others', HIT, 1]);
  });

  it.each([
    ['all that was promised is stored', '10', 'hit; ttl', 1],
    ['without a promise nobody knows whether it is whole, so it is not', undefined, STORED, 2],
  ])('when a client leaves in the middle of its response: %s', async (_name, length, told, expectedRuns) => {
    const door = gate();
    const { port, runs } = await scene(place, async (run, res) => {
      if (length !== undefined) res.set('Content-Length', length);
      res.write('12345');
      if (run === 1) await door.passed;
      res.end('67890');
    });
    const gone = http.get({ port, host: '127.0.0.1' });
    gone.on('error', () => undefined);
    gone.on('response', (response) => response.on('error', () => undefined).once('data', () => gone.destroy()));
    await new Promise((resolve) => gone.once('close', resolve));
    await new Promise((resolve) => setTimeout(resolve, 30));
    door.open();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const next = await ask(port, '/');
    expect([next.text, verdict(next), runs()]).toEqual(['1234567890', told, expectedRuns]);
  });

  it('that accept another encoding get their own variant', async () => {
    const { port, runs } = await scene(place, async (_run, res, req) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      res.vary('Accept-Encoding').send(`for ${req.get('Accept-Encoding')}`);
    });
    const encodings = ['gzip', 'br', 'identity', 'gzip', 'br', 'identity', 'gzip', 'zstd'];
    const answers = await Promise.all(
      encodings.map((encoding) => ask(port, '/', { headers: { 'Accept-Encoding': encoding } })),
    );
    expect(answers.map(({ text }) => text)).toEqual(encodings.map((encoding) => `for ${encoding}`));
    expect(runs()).toBeLessThanOrEqual(6);
    for (const encoding of encodings) {
      const later = await ask(port, '/', { headers: { 'Accept-Encoding': encoding } });
      expect([later.text, verdict(later)]).toEqual([`for ${encoding}`, HIT]);
    }
  });

  it('that have credentials share no response with those that have none', async () => {
    const door = gate();
    const { port, arrivals } = await scene(place, async (_run, res, req) => {
      await door.passed;
      res.send(`for ${req.get('Authorization') ?? 'all'}`);
    });
    const users = [undefined, 'ann', 'bob', 'ann', undefined, 'bob'];
    const pending = users.map((user) => ask(port, '/', user === undefined ? {} : { headers: { Authorization: user } }));
    await until(() => arrivals() === users.length);
    door.open();
    expect((await Promise.all(pending)).map(({ text }) => text)).toEqual(users.map((user) => `for ${user ?? 'all'}`));
  });

  it('join a slow stream and get all of it', async () => {
    const { port, runs } = await scene(place, async (_run, res) => {
      for (let i = 0; i < 5; i++) {
        res.write(`${i}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      res.end();
    });
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(port, '/')));
    expect(answers.map(({ text }) => text)).toEqual(Array.from({ length: 5 }, () => '01234'));
    expect(runs()).toBe(1);
  });

  it('with conditions get the 304 that is theirs', async () => {
    const door = gate();
    const { port, arrivals, runs } = await scene(place, async (_run, res) => {
      await door.passed;
      res.set('ETag', '"a"').send('body');
    });
    const pending = [{}, { 'If-None-Match': '"a"' }, { 'If-None-Match': '"b"' }, {}].map((headers) =>
      ask(port, '/', { headers }),
    );
    await until(() => arrivals() === 4);
    door.open();
    expect((await Promise.all(pending)).map(({ status }) => status)).toEqual([200, 304, 200, 200]);
    expect(runs()).toBe(1);
  });

  it.each(['tags', 'urls', 'keys', 'pattern', 'prefix', 'all'] as const)(
    'that begin after an invalidation by %s has resolved never get what was under way before it',
    async (field) => {
      const door = gate();
      let value = 'old';
      const { port, runs, suite } = await scene(
        place,
        async (run, res) => {
          const read = value;
          if (run === 1) await door.passed;
          res.send(read);
        },
        { tags: () => ['late'], keyPrefix: 'api' },
      );
      const leader = ask(port, '/');
      await until(() => runs() === 1);
      const early = ask(port, '/');
      await new Promise((resolve) => setTimeout(resolve, 10));
      value = 'new';
      const what = {
        tags: ['late'],
        urls: ['/'],
        keys: ['api:GET:/'],
        pattern: 'api:*',
        prefix: 'api:',
        all: true,
      } as const;
      await suite.invalidate({ [field]: what[field] });
      const late = ask(port, '/');
      await new Promise((resolve) => setTimeout(resolve, 10));
      door.open();
      expect((await leader).text).toBe('old');
      expect(['old', 'new']).toContain((await early).text);
      expect((await late).text).toBe('new');
      expect((await ask(port, '/')).text).toBe('new');
    },
  );

  it('get a softly purged response while it is replaced behind them', async () => {
    const door = gate();
    const { port, runs, suite } = await scene(
      place,
      async (run, res) => {
        if (run > 1) await door.passed;
        res.send(`run ${run}`);
      },
      { tags: ['t'] },
    );
    await ask(port, '/');
    await suite.invalidate({ tags: ['t'], mode: 'soft' });
    const first = await ask(port, '/');
    expect([first.text, verdict(first)]).toEqual(['run 1', HIT]);
    await until(() => runs() === 2);
    const stale = await Promise.all(Array.from({ length: 5 }, () => ask(port, '/')));
    expect(stale.map(({ text }) => text)).toEqual(stale.map(() => 'run 1'));
    expect(stale[0]?.headers['cache-status']).toMatch(/^express-redis-suite; hit; ttl=-\d+$/);
    door.open();
    await until(() => suite.stats().cache.stores === 2);
    const fresh = await ask(port, '/');
    expect([fresh.text, verdict(fresh)]).toEqual(['run 2', HIT]);
    expect(runs()).toBe(2);
    expect(suite.stats().cache).toMatchObject({ hits: 1, stale: 6, misses: 2, stores: 2 });
  });

  it('do not queue up behind responses that cannot be stored', async () => {
    const door = gate();
    const { port, runs } = await scene(place, async (run, res) => {
      if (run > 1) await door.passed;
      res.set('Cache-Control', 'private').send('mine');
    });
    await ask(port, '/');
    const pending = Array.from({ length: 5 }, () => ask(port, '/'));
    await until(() => runs() === 6); // None has been answered yet.
    door.open();
    expect((await Promise.all(pending)).map(({ text }) => text)).toEqual(Array.from({ length: 5 }, () => 'mine'));
  });
});

describe('a handler that never answers', () => {
  it('holds back those who came with it for five seconds, and later requests no longer', async () => {
    const { port, runs } = await scene('memory', (run, res) => (run <= 2 ? undefined : void res.send(`run ${run}`)));
    void askAnyhow(port);
    await until(() => runs() === 1);
    void askAnyhow(port);
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    expect(runs()).toBe(1);
    await until(() => runs() === 2);
    const startedAt = runningTime();
    expect((await ask(port, '/')).text).toBe('run 3');
    expect(runningTime() - startedAt).toBeLessThan(1_000);
  });
});
