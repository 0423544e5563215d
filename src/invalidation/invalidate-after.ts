import type { Request, RequestHandler, Response } from 'express';
import type { Backend } from '../cache/backend.ts';
import { RedisError } from '../core/errors.ts';
import { holdResponse } from '../http/hold-response.ts';
import { type Invalidation, isReclaimed, toPurges } from './purges.ts';
import { reclaimerOf } from './reclaim.ts';

/**
 * An Express handler for routes that write: when what follows it answers with 2xx or 3xx, `what` is invalidated before the answer's headers leave, so that
 * whoever has the answer reads what was written. A function is asked at that moment and may return a promise; an empty list of tags invalidates nothing. One that
 * throws invalidates nothing either and is reported (`cache:error`, process warning): the write has happened, so its answer leaves.
 *
 * When Redis does not confirm within the deadline the answer leaves all the same (the write has happened): this process heeds the invalidation at once and
 * writes it as soon as Redis can be reached, and `cache:error` tells of it.
 *
 * @throws {TypeError} When a fixed `what` names nothing, or not in the way it should be named.
 */
export type InvalidateAfter = (what: Invalidation | WhatFunction) => RequestHandler;

type WhatFunction = (req: Request, res: Response) => Invalidation | Promise<Invalidation>;

export function createInvalidateAfter(backend: Backend): InvalidateAfter {
  const { store, events } = backend;
  const { register } = store;
  const { request } = reclaimerOf(backend);

  async function purge(what: WhatFunction, req: Request, res: Response): Promise<void> {
    try {
      const answer = await what(req, res);
      const purges = toPurges(answer);
      if (purges.length > 0) await register.invalidate(purges);
      if (isReclaimed(answer)) request();
    } catch (error) {
      if (!(error instanceof RedisError)) events.report('invalidateAfter', error); // Else the guard has told.
    }
  }

  return (what) => {
    const fixed = typeof what === 'function' ? undefined : toPurges(what);
    return function invalidateAfter(req, res, next) {
      holdResponse(res, () => {
        if (res.statusCode < 200 || res.statusCode >= 400) return undefined;
        if (typeof what === 'function') return purge(what, req, res);
        if (isReclaimed(what)) request();
        return fixed === undefined || fixed.length === 0 ? undefined : register.invalidate(fixed);
      });
      next();
    };
  };
}
