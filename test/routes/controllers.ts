/**
 * Controller classes, one source for both kinds of decorators: imported, it has standard ones; `withLegacyDecorators` makes the others of it. What must not compile says so, and is compiled both ways.
 * It imports types alone, so that it can be compiled by itself.
 */
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { RouteDecorators } from '../../src/routes/route-decorators.ts';
import type { Suite } from '../../src/suite.ts';

export interface Products {
  readonly show: (req: Request<{ id: string }>, res: Response) => unknown;
  readonly save: (req: Request<{ id: string }>, res: Response) => unknown;
  readonly fail: (req: Request, res: Response, next: NextFunction) => unknown;
  readonly reject: (req: Request) => Promise<void>;
  readonly visits: (req: Request, res: Response) => void;
  readonly skip: (req: Request, res: Response) => void;
}

export interface Guards {
  readonly order: string[];
  readonly note: (what: string) => RequestHandler;
}

/** A controller, and one that overrides and extends it. */
export function controllersOf(
  { cached, invalidates, limited, withSession, before }: RouteDecorators<Suite>,
  { order, note }: Guards,
): Record<'Products' | 'Special', new (name: string) => Products> {
  class ProductController implements Products {
    readonly #prices = new Map<string, number>();
    protected readonly name: string;

    constructor(name: string) {
      this.name = name;
    }

    @before(note('first'))
    @limited({ name: 'show', limit: 3, window: '1h', key: () => 'everybody' })
    @before(note('second'))
    @cached({ ttl: '1m', tags: (req) => [`product:${String(req.params['id'])}`] })
    show(req: Request<{ id: string }>, res: Response): void {
      order.push('method');
      res.json({ of: this.name, price: this.#prices.get(req.params.id) ?? 0 });
    }

    @invalidates((req) => [`product:${String(req.params['id'])}`])
    async save(req: Request<{ id: string }>, res: Response): Promise<void> {
      this.#prices.set(req.params.id, Number(req.query['price']));
      res.sendStatus(204);
    }

    @before(note('before failing'))
    fail(_req: Request, _res: Response, _next: NextFunction): void {
      throw new RangeError(`${this.name} failed`);
    }

    @before((_req, _res, next) => void setImmediate(next))
    async reject(_req: Request): Promise<void> {
      throw new RangeError(`${this.name} rejected`);
    }

    @withSession({ secret: 'a secret of more than thirty-two characters', saveUninitialized: true })
    visits(req: Request, res: Response): void {
      const session = req.session as unknown as { visits?: number };
      session.visits = (session.visits ?? 0) + 1;
      res.json(session.visits);
    }

    @before((_req, _res, next) => next('route'))
    skip(_req: Request, res: Response): void {
      res.sendStatus(500);
    }
  }

  class SpecialController extends ProductController {
    override show(req: Request<{ id: string }>, res: Response): void {
      order.push(`special ${this.name}`);
      super.show(req, res);
    }
  }
  return { Products: ProductController, Special: SpecialController };
}

/** Never called: none of this may compile. */
export function mistakes({ cached, invalidates, limited }: RouteDecorators<Suite>): unknown {
  class Mistakes {
    // @ts-expect-error No handler takes a number.
    @cached({ ttl: '1m' })
    byNumber(id: number): number {
      return id;
    }

    // @ts-expect-error The fourth parameter is that of no handler.
    @cached({ ttl: '1m' })
    four(_req: Request, _res: Response, _next: NextFunction, _more: string): void {}

    // @ts-expect-error Not a lifetime.
    @cached({ ttl: 'soon' })
    lifetime(_req: Request, _res: Response): void {}

    // @ts-expect-error What is invalidated?
    @invalidates()
    nothing(_req: Request, _res: Response): void {}

    // @ts-expect-error A limit has a name.
    @limited({ limit: 1, window: '1m' })
    unnamed(_req: Request, _res: Response): void {}
  }
  return Mistakes;
}
