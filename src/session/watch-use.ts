import type { Request } from 'express';
import { markSessionUsed } from '../core/request-marks.ts';

const internal = new WeakSet<object>();

/** Marks a request once somebody asks for its session; express-session's own questions do not count. */
export function watchUse(req: Request): void {
  let session: Request['session'] = req.session;
  Object.defineProperty(req, 'session', {
    configurable: true,
    enumerable: true,
    get() {
      if (!internal.has(req)) markSessionUsed(req);
      return session;
    },
    set(value: Request['session']) {
      if (!internal.has(req)) markSessionUsed(req);
      session = value;
    },
  });
}

/** Runs a step of ours, in which asking for the session is no use of it. */
export function unwatched<T>(req: object, step: () => T): T {
  const wasInternal = internal.has(req);
  internal.add(req);
  try {
    return step();
  } finally {
    if (!wasInternal) internal.delete(req);
  }
}
