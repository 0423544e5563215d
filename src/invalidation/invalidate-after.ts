import type { Request, RequestHandler, Response } from 'express';
import { holdResponse } from '../http/hold-response.ts';
import type { Register } from '../register/register.ts';
import { type Invalidation, toPurges } from './purges.ts';

/**
 * An Express handler for routes that write: when what follows it answers with 2xx or 3xx, `what` is invalidated before the answer's headers leave, so that
 * whoever has the answer reads what was written. A function is asked at that moment; an empty list of tags invalidates nothing.
 *
 * When Redis does not confirm within the deadline the answer leaves all the same (the write has happened): this process heeds the invalidation at once and
 * writes it as soon as Redis can be reached, and `cache:error` tells of it.
 *
 * @throws {TypeError} When a fixed `what` names nothing, or not in the way it should be named.
 */
export type InvalidateAfter = (what: Invalidation | ((req: Request, res: Response) => Invalidation)) => RequestHandler;

export function createInvalidateAfter(register: Register): InvalidateAfter {
  return (what) => {
    const fixed = typeof what === 'function' ? undefined : toPurges(what);
    return function invalidateAfter(req, res, next) {
      holdResponse(res, () => {
        if (res.statusCode < 200 || res.statusCode >= 400) return undefined;
        const purges = fixed ?? toPurges((what as (req: Request, res: Response) => Invalidation)(req, res));
        return purges.length === 0 ? undefined : register.invalidate(purges);
      });
      next();
    };
  };
}
