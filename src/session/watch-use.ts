import type { Request } from 'express';
import { markSessionUsed } from '../core/request-marks.ts';

const SLOT = Symbol('session');

/** Where a watched request keeps its session. */
interface Slot {
  readonly req: Request;
  session: Request['session'];
}

let isPeeking = false;

/** The same functions for every request: those of its own would give each request a shape of its own, which engines cannot optimise for. */
const WATCHED: PropertyDescriptor & ThisType<{ readonly [SLOT]: Slot }> = {
  configurable: true,
  enumerable: true,
  get() {
    const slot = this[SLOT];
    if (!isPeeking) markSessionUsed(slot.req);
    return slot.session;
  },
  set(value: Request['session']) {
    const slot = this[SLOT];
    markSessionUsed(slot.req);
    slot.session = value;
  },
};

/** Marks a request once somebody asks for its session. */
export function watchUse(req: Request): void {
  const slot: Slot = { req, session: req.session };
  (req as unknown as { [SLOT]: Slot })[SLOT] = slot;
  Object.defineProperty(req, 'session', WATCHED);
}

/** The session of a request, if it has one. Asking here is no use of it. */
export function peekSession(req: Request): Request['session'] | undefined {
  isPeeking = true;
  try {
    const { session } = req as { session?: unknown };
    return typeof session === 'object' && session !== null ? (session as Request['session']) : undefined;
  } finally {
    isPeeking = false;
  }
}
