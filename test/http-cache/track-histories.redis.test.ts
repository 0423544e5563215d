import { describe, expect, it } from '@jest/globals';
import express, { type RequestHandler } from 'express';
import * as fc from 'fast-check';
import { ask, HIT, listen, openSuite, PLACES, verdict } from './support.ts';
import { identify, type Known, VISITORS } from './visitors.ts';

/** What a page shows of who asks. The reference is this alone: a cache between may not be noticed. */
const SHOWN: Readonly<Record<string, (req: Known, locals: Record<string, unknown>) => unknown>> = {
  nothing: () => 'the same',
  user: (req) => req.user?.name,
  session: (req) => req.session?.user,
  locals: (_req, locals) => locals['user'],
  key: (req) => req.headers['x-api-key'],
  some: (req) => (req.query['own'] === undefined ? 'the same' : req.user?.name),
};
const MOMENTS = ['before', 'between', 'after'] as const;
const PAGES = Object.keys(SHOWN).flatMap((shown) => MOMENTS.map((moment) => `${shown}/${moment}`));

interface Step {
  readonly visitor: number;
  readonly page: number;
  readonly isOwn: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  visitor: fc.nat(VISITORS.length - 1),
  page: fc.nat(PAGES.length - 1),
  isOwn: fc.boolean(),
});
/** Those of one round ask together. */
const history = fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 3, maxLength: 8 });

const later = (turns: number): Promise<void> =>
  turns <= 0 ? Promise.resolve() : new Promise((resolve) => setImmediate(() => void later(turns - 1).then(resolve)));

const show: RequestHandler = async (req, res) => {
  const { shown = '', moment } = req.params as { shown?: string; moment?: string };
  const read = (): string => String(SHOWN[shown]?.(req as Known, res.locals));
  if (moment === 'before') {
    const text = read();
    await later(3);
    res.send(`it is ${text}`);
    return;
  }
  await later(2);
  if (moment === 'between') {
    res.send(`it is ${read()}`);
    return;
  }
  res.write('it is ');
  await later(2);
  res.end(read());
};

describe.each(PLACES)('any history of visitors, alone and together, on %s,', (place) => {
  it('shows each what they would see without a cache, and all the same page where it shows nothing of them', async () => {
    const suite = openSuite(place);
    let run = 0;
    const app = express().set('trust proxy', true);
    app.use(identify);
    app.get('/cached/:run/:shown/:moment', suite.cache({ ttl: '1m' }), show);
    app.get('/plain/:run/:shown/:moment', show);
    const port = await listen(app);

    async function take({ visitor, page, isOwn }: Step): Promise<void> {
      const path = `${run}/${PAGES[page]}${isOwn ? '?own' : ''}`;
      const headers = VISITORS[visitor] ?? {};
      const [cached, plain] = await Promise.all(
        ['cached', 'plain'].map((place) => ask(port, `/${place}/${path}`, { headers })),
      );
      expect([path, headers, cached?.text]).toEqual([path, headers, plain?.text]);
    }

    await fc.assert(
      fc.asyncProperty(history, async (rounds) => {
        run++;
        for (const round of rounds) await Promise.all(round.map(take));
        const path = `/cached/${run}/nothing/before`;
        // Those who may have looked for more than the first had make it anew, one after another; then it is everybody's.
        for (const visitor of [1, 0]) await ask(port, path, { headers: VISITORS[visitor] ?? {} });
        for (const headers of VISITORS) expect(verdict(await ask(port, path, { headers }))).toBe(HIT);
      }),
      { numRuns: place === 'memory' ? 25 : 10 },
    );
  });
});
