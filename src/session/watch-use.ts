import type { Request } from 'express';
import { hasUsedSession, marksOf, type RequestMarks, setMarks } from '../core/request-marks.ts';

/** Where a request keeps its session. */
interface Slot extends RequestMarks {
  session: Request['session'] | undefined;
  /** Asking for it is noted. */
  isWatched: boolean;
}

let isPeeking = false;

/** The same functions for every request: those of its own would give each request a shape of its own, which engines cannot optimise for. */
const IN_SLOT: PropertyDescriptor & ThisType<Request> = {
  configurable: true,
  enumerable: true,
  get() {
    const slot = slotOf(this);
    if (slot.isWatched && !isPeeking) slot.hasUsedSession = true;
    return slot.session;
  },
  set(value: Request['session']) {
    const slot = slotOf(this);
    if (slot.isWatched) slot.hasUsedSession = true;
    slot.session = value;
  },
};

function slotOf(req: Request): Slot {
  return marksOf(req) as Slot;
}

/** Makes room for a request's session. Before it has one: where an accessor takes the place of a value, engines make the whole object a slow one. */
export function makeSlot(req: Request): void {
  const slot: Slot = { hasUsedSession: hasUsedSession(req), session: undefined, isWatched: false };
  setMarks(req, slot);
  Object.defineProperty(req, 'session', IN_SLOT);
}

/** Marks a request, from now on, once somebody asks for its session. */
export function watchUse(req: Request): void {
  slotOf(req).isWatched = true;
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
