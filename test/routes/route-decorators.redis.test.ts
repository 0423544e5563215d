import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import express, { type ErrorRequestHandler, type Express } from 'express';
import request from 'supertest';
import { ConfigError } from '../../src/core/errors.ts';
import { createRouteDecorators, type RouteDecorators } from '../../src/routes/route-decorators.ts';
import type { Suite } from '../../src/suite.ts';
import { openSuite } from '../data/backends.ts';
import { testRedis } from '../support/connections.ts';
import { withLegacyDecorators } from '../support/legacy-decorators.ts';
import { controllersOf, mistakes, type Products } from './controllers.ts';

/** `mistakes` is there for the compiler. */
const standard = { controllersOf, mistakes };
type Fixture = typeof standard;

const KINDS: readonly (readonly [kind: string, fixture: () => Promise<Fixture>])[] = [
  ['standard', async () => standard],
  ['legacy', async () => withLegacyDecorators<Fixture>('test/routes/controllers.ts')],
];

const told: ErrorRequestHandler = (error: Error, _req, res, _next) => {
  res.status(500).json({ error: error.message });
};

const redis = testRedis();
const newSuite = (): Suite => openSuite(redis);

/** Always from the same host: it is part of the key of a response. */
const get = (app: Express, path: string): request.Test => request(app).get(path).set('Host', 'shop.test');

describe.each(KINDS)('%s decorators of a controller', (_kind, fixtureOf) => {
  let fixture: Fixture;
  let classes: ReturnType<typeof controllersOf>;
  let order: string[];

  beforeAll(async () => {
    fixture = await fixtureOf();
  });

  beforeEach(() => {
    const suite = newSuite();
    order = [];
    classes = fixture.controllersOf(
      createRouteDecorators(() => suite),
      {
        order,
        note: (what) => (_req, _res, next) => {
          order.push(what);
          next();
        },
      },
    );
  });

  function appOf(controller: Products): Express {
    const app = express();
    app.get('/products/:id', controller.show);
    app.put('/products/:id', controller.save);
    app.get('/fail', controller.fail);
    app.get('/reject', controller.reject);
    app.get('/visits', controller.visits);
    app.get('/skip', controller.skip);
    app.get('/skip', (_req, res) => void res.json('the next route'));
    return app.use(told);
  }

  it('put the handlers of the suite before a method, the upper one first, and leave it its object', async () => {
    const app = appOf(new classes.Products('shop'));
    await get(app, '/products/7').expect(200, { of: 'shop', price: 0 });
    expect(order).toEqual(['first', 'second', 'method']);
    const hit = await get(app, '/products/7').expect(200, { of: 'shop', price: 0 });
    expect([order.slice(3), hit.headers['cache-status']]).toEqual([
      ['first', 'second'],
      expect.stringContaining('hit'),
    ]);
  });

  it('invalidate once a method has answered', async () => {
    const app = appOf(new classes.Products('shop'));
    await get(app, '/products/7');
    await request(app).put('/products/7?price=3').expect(204);
    await get(app, '/products/7').expect(200, { of: 'shop', price: 3 });
  });

  it('make one handler for each method: its limit holds for all objects', async () => {
    const apps = ['one', 'other', 'one', 'other'].map((name) => appOf(new classes.Products(name)));
    const answers = apps.map(async (app) => (await get(app, '/products/7')).status);
    expect((await Promise.all(answers)).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 429]);
  });

  it('keep objects apart, whichever a method is taken from', async () => {
    const [one, other] = [new classes.Products('one'), new classes.Products('other')];
    expect([one.show === one.show, one.show === other.show]).toEqual([true, false]);
    await get(appOf(one), '/products/1').expect({ of: 'one', price: 0 });
    await get(appOf(other), '/products/2').expect({ of: 'other', price: 0 });
  });

  it('let a subclass override a method and call it', async () => {
    const special = new classes.Special('special');
    const app = express().get('/products/:id', (req, res) => special.show(req, res));
    await get(app, '/products/7').expect(200, { of: 'special', price: 0 });
    await get(app, '/products/7').expect(200);
    expect(order).toEqual(['special special', 'first', 'second', 'method', 'special special', 'first', 'second']);
  });

  it('hand what a method throws or rejects to the error handlers', async () => {
    const app = appOf(new classes.Products('shop'));
    const answers = [await get(app, '/fail'), await get(app, '/reject')];
    expect(answers.map(({ status, body }) => [status, body as unknown])).toEqual([
      [500, { error: 'shop failed' }],
      [500, { error: 'shop rejected' }],
    ]);
  });

  it('open a session', async () => {
    const agent = request.agent(appOf(new classes.Products('shop')));
    await agent.get('/visits').expect(200, '1');
    await agent.get('/visits').expect(200, '2');
  });

  it('leave the method out where a handler says so', async () => {
    await request(appOf(new classes.Products('shop')))
      .get('/skip')
      .expect(200, '"the next route"');
  });
});

describe('route decorators', () => {
  const answer: express.RequestHandler = (_req, res) => void res.json('answered');
  const declare = (
    decorate: (decorators: RouteDecorators<Suite>) => unknown,
    suite: Suite | (() => Suite),
  ): unknown => {
    const decorator = decorate(createRouteDecorators(suite)) as (method: unknown, context: object) => unknown;
    return decorator(answer, { kind: 'method', name: 'm', private: true, addInitializer: () => undefined });
  };

  it('tell mistakes in options where the class is declared, when there is a suite', async () => {
    const suite = newSuite();
    expect(() => declare(({ cached }) => cached({ ttl: 60 }), suite)).toThrow(ConfigError);
    const method = declare(
      ({ cached }) => cached({ ttl: 60 }),
      () => suite,
    );
    await request(
      express()
        .get('/', method as express.RequestHandler)
        .use(told),
    )
      .get('/')
      .expect(500, /seconds/);
  });

  it('ask for the suite at the first request, once', async () => {
    let asked = 0;
    const suite = newSuite();
    const handler = declare(
      ({ cached }) => cached({ ttl: '1m' }),
      () => {
        asked++;
        return suite;
      },
    ) as express.RequestHandler;
    const app = express().get('/', handler);
    expect(asked).toBe(0);
    await get(app, '/?a=1').expect(200, '"answered"');
    await get(app, '/?a=2').expect(200, '"answered"');
    expect(asked).toBe(1);
  });

  it('refuse a limit without a name, and a handler that is none', () => {
    const unnamed = { limit: 1, window: '1m' } as unknown as { name: string };
    expect(() => declare(({ limited }) => limited(unnamed), newSuite)).toThrow(ConfigError);
    expect(() => declare(({ before }) => before('x' as unknown as express.RequestHandler), newSuite)).toThrow(
      ConfigError,
    );
  });
});
