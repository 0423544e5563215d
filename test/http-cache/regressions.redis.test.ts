import { describe, expect, it } from '@jest/globals';
import express, { type Request, type RequestHandler } from 'express';
import type { CacheOptions } from '../../src/index.ts';
import { ask, HIT, listen, openSuite, PLACES, verdict } from './support.ts';

const AGE = '400ms';
const past = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 450));

/** A route whose responses are soon stale and then validated. */
function validated(place: 'memory' | 'redis', handler: RequestHandler, before: RequestHandler[] = []) {
  const suite = openSuite(place);
  const app = express();
  const options: CacheOptions = { ttl: AGE, staleIfError: '1m', jitter: 0, tags: [] };
  app.get('/', ...before, suite.cache(options), handler);
  return { suite, port: listen(app) };
}

/** Whether the handler is asked about what is stored, and answers that it is still good. */
const isAsked = (req: Request): boolean => req.headers['if-none-match'] === '"v1"';

describe.each(PLACES)('a response that a 304 has made fresh, on %s', (place) => {
  it('keeps the tags that the run which made it gave it', async () => {
    let text = 'old';
    const { suite, port: listening } = validated(place, (req, res) => {
      res.set('ETag', `"${text}"`);
      if (req.headers['if-none-match'] === `"${text}"`) res.status(304).end();
      else {
        res.cache.tag('article');
        res.send(text);
      }
    });
    const port = await listening;
    await ask(port, '/');
    await past();
    expect(verdict(await ask(port, '/'))).toBe('fwd=stale; fwd-status=304; stored');
    text = 'new';
    await suite.invalidate({ tags: ['article'] });
    expect((await ask(port, '/')).text).toBe('new');
  });

  it('stays with those who send the header that its run had read', async () => {
    const { port: listening } = validated(place, (req, res) => {
      res.set('ETag', '"v1"');
      if (isAsked(req)) res.status(304).end();
      else res.send(`for ${req.get('X-Api-Key') ?? 'nobody'}`);
    });
    const port = await listening;
    const asAnn = { headers: { 'X-Api-Key': 'ann' } };
    await ask(port, '/', asAnn);
    await past();
    expect(verdict(await ask(port, '/', asAnn))).toContain('fwd-status=304');
    expect((await ask(port, '/', asAnn)).text).toBe('for ann');
    expect((await ask(port, '/', { headers: { 'X-Api-Key': 'bob' } })).text).toBe('for bob');
    expect((await ask(port, '/')).text).toBe('for nobody');
  });

  it('stays with those who send the header that middleware before the cache varies by', async () => {
    const { port: listening } = validated(
      place,
      (req, res) => {
        res.set('ETag', '"v1"');
        if (isAsked(req)) res.status(304).end();
        else res.send(String(res.getHeader('X-Language')));
      },
      [
        (req, res, next) => {
          res.vary('Accept-Language').set('X-Language', req.get('Accept-Language'));
          next();
        },
      ],
    );
    const port = await listening;
    const inGerman = { headers: { 'Accept-Language': 'de' } };
    await ask(port, '/', inGerman);
    await past();
    expect(verdict(await ask(port, '/', inGerman))).toContain('fwd-status=304');
    expect((await ask(port, '/', { headers: { 'Accept-Language': 'en' } })).text).toBe('en');
  });

  it('is for nobody but those who do not say who they are, if its run had looked', async () => {
    const { port: listening } = validated(place, (req, res) => {
      res.set('ETag', '"v1"');
      if (isAsked(req)) res.status(304).end();
      else res.send(`for ${req.headers.cookie ?? 'nobody'}`);
    });
    const port = await listening;
    await ask(port, '/');
    await past();
    expect(verdict(await ask(port, '/'))).toContain('fwd-status=304');
    expect((await ask(port, '/', { headers: { Cookie: 'sid=ann' } })).text).toBe('for sid=ann');
    expect(verdict(await ask(port, '/'))).toBe(HIT);
  });
});
