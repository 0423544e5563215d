import type { IncomingMessage, ServerResponse } from 'node:http';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { decorate, type Decorating, type Method } from '../core/decorate.ts';
import { ConfigError } from '../core/errors.ts';

/** What of the suite route decorators use: handlers of Express. */
export interface RouteSuite {
  cache(options?: never): RequestHandler;
  invalidateAfter(what: never): RequestHandler;
  rateLimit(options: never): RequestHandler;
  session(options?: never): RequestHandler;
}

/** A method that answers requests: it takes Express' `req`, `res` and `next`, or the first of them. */
type RouteMethod = (...args: never) => unknown;

type Arguments =
  [] | [IncomingMessage] | [IncomingMessage, ServerResponse] | [IncomingMessage, ServerResponse, NextFunction];

type Fit<M extends RouteMethod> =
  Parameters<M> extends Arguments ? unknown : { readonly 'the method does not take (req, res, next)': never };

/** Decorates a method of a controller class, standard or `experimentalDecorators`. */
interface RouteDecorator {
  <M extends RouteMethod>(method: M & Fit<M>, context: ClassMethodDecoratorContext): M;
  <M extends RouteMethod>(
    target: object,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<M> & Fit<M>,
  ): TypedPropertyDescriptor<M>;
}

/**
 * Decorators that put a handler of the suite before a method. The upper one runs first. A decorated method keeps its object, so `app.get('/users/:id', users.show)` needs no `bind`; what it throws or
 * rejects goes to `next`.
 */
export interface RouteDecorators<Suite extends RouteSuite> {
  /** `suite.cache` before the method. */
  cached(...options: Parameters<Suite['cache']>): RouteDecorator;
  /** `suite.invalidateAfter` before the method. */
  invalidates(...what: Parameters<Suite['invalidateAfter']>): RouteDecorator;
  /** `suite.rateLimit` before the method. A limit has a name, which its counters are kept under. */
  limited(options: Parameters<Suite['rateLimit']>[0] & { readonly name: string }): RouteDecorator;
  /** `suite.session` before the method. */
  withSession(...options: Parameters<Suite['session']>): RouteDecorator;
  /** Any handler before the method: `before(requireAdmin)`. */
  before(handler: RequestHandler): RouteDecorator;
}

/**
 * Creates decorators for controller classes. Of a suite, mistakes in options are told where the class is declared; of `() => suite`, for classes that are declared before it exists, at the first
 * request.
 */
export function createRouteDecorators<Suite extends RouteSuite>(suite: Suite | (() => Suite)): RouteDecorators<Suite> {
  const suiteOf = typeof suite === 'function' ? suite : () => suite;
  const decorator = (name: string, create: (suite: RouteSuite) => RequestHandler): RouteDecorator => {
    return ((...call: Decorating) => {
      const handlerOf = onFirstUse(() => create(suiteOf()));
      if (typeof suite !== 'function') handlerOf();
      return decorate({ decorator: name, bind: true, replace: (method) => handledBefore(handlerOf, method) }, call);
    }) as RouteDecorator;
  };
  return {
    // What a decorator was given has the types of the suite it is handed to.
    cached: (...given) => decorator('cached', (suite) => suite.cache(...(given as readonly unknown[] as []))),
    invalidates: (...given) => decorator('invalidates', (suite) => suite.invalidateAfter(...(given as [never]))),
    limited(options) {
      const { name } = options as { readonly name?: unknown };
      if (typeof name !== 'string')
        throw new ConfigError("@limited takes a name, such as { name: 'login', limit: 5, window: '1m' }.");
      return decorator('limited', (suite) => suite.rateLimit(options));
    },
    withSession: (...given) =>
      decorator('withSession', (suite) => suite.session(...(given as readonly unknown[] as []))),
    before(handler) {
      if (typeof handler !== 'function') throw new ConfigError('@before takes an Express handler.');
      return decorator('before', () => handler);
    },
  };
}

function onFirstUse<T>(create: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: create() }).value;
}

/** The method with a handler before it, as a handler. */
function handledBefore(handlerOf: () => RequestHandler, method: Method): (this: unknown, ...args: never) => unknown {
  return function (this: unknown, req: Request, res: Response, next: NextFunction): void {
    const proceed = (error?: unknown): void => {
      if (error === undefined || error === null)
        handOn(() => method.apply(this as never, [req, res, next] as never), next);
      else next(error);
    };
    handOn(() => handlerOf()(req, res, proceed), next);
  };
}

/** Express 4 does not wait for promises, and nobody waits for what runs behind a handler that takes its time. */
function handOn(run: () => unknown, next: NextFunction): void {
  const fail = (error: unknown): void => next(error ?? new Error('Failed without a reason.'));
  try {
    Promise.resolve(run()).catch(fail);
  } catch (error) {
    fail(error);
  }
}
